from __future__ import annotations

import numpy as np

from nlpkit.metrics.outcomes import ValueOutcomes
from nlpkit.reports import value_sections
from nlpkit.reports.label_sections import Rows
from nlpkit.reports.sections import Plot, Texts


def plot(section: object) -> Plot:
    assert isinstance(section, Plot)
    return section


def test_values() -> None:
    outcomes = ValueOutcomes(truth=np.array([0.0, 1.0, 2.0]), predicted=np.array([0.0, 3.0, 1.0]))
    points = plot(value_sections.scatter(outcomes, Rows())).panels[0].series[0]
    assert (points.x, points.y) == ((0.0, 1.0, 2.0), (0.0, 3.0, 1.0))
    largest = value_sections.largest_errors(outcomes, Rows(texts=["p", "q", "r"]))
    assert isinstance(largest, Texts)
    assert [(example.text, *(tag.text for tag in example.tags)) for example in largest.examples] == [
        ("q", "true: 1.00", "predicted: 3.00"),
        ("r", "true: 2.00", "predicted: 1.00"),
    ]
    bars = plot(value_sections.errors(outcomes, Rows())).panels[0].series[0]
    assert (sum(bars.y), bars.y[20], bars.y[40], bars.y[10]) == (3, 1, 1, 1)
    assert bars.x[0] == -bars.x[-1] == -2.0


def test_perfect_values_have_no_mistakes_and_a_histogram() -> None:
    outcomes = ValueOutcomes(truth=np.ones(3), predicted=np.ones(3))
    assert value_sections.largest_errors(outcomes, Rows(texts=["p"] * 3)) is None
    assert sum(plot(value_sections.errors(outcomes, Rows())).panels[0].series[0].y) == 3
    assert value_sections.largest_errors(outcomes, Rows()) is None


def test_many_points_are_sampled_by_the_seed() -> None:
    values = np.arange(5000.0)
    outcomes = ValueOutcomes(truth=values, predicted=values)
    first = value_sections.scatter(outcomes, Rows(seed=1))
    assert len(plot(first).panels[0].series[0].x) == 2000
    assert first == value_sections.scatter(outcomes, Rows(seed=1))
    assert first != value_sections.scatter(outcomes, Rows(seed=2))
