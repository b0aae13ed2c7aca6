from __future__ import annotations

import numpy as np

from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.reports import findings
from nlpkit.reports.report import Mistake


def labelled() -> LabelOutcomes:
    """Truth a a b b; predicted a b b a, of which the last is the surest mistake."""
    second = np.array([0.32, 0.62, 0.8, 0.1])
    return LabelOutcomes(
        labels=("a", "b"), truth=np.array([0, 0, 1, 1]), probabilities=np.c_[1 - second, second]
    )


def test_labels() -> None:
    found = findings.describe(
        labelled(),
        texts=["one", "two", "three", "four"],
        where=["f, row 1", "f, row 2", "f, row 3", "f, row 4"],
    )
    assert found.labels == ("a", "b")
    assert found.confusion == ((1, 1), (1, 1))
    assert [one.support for one in found.per_class] == [2, 2]
    assert sum(one.count for one in found.reliability) == 4
    assert found.mistakes == 2
    assert found.worst == (
        Mistake(text="four", truth="b", predicted="a", probability=0.9, where="f, row 4"),
        Mistake(text="two", truth="a", predicted="b", probability=0.62, where="f, row 2"),
    )
    # The probability of "b" among the rows that truly are "a": 0.32 and 0.62.
    assert [number for number, count in enumerate(found.histograms[0].counts) if count] == [6, 12]


def test_without_texts_no_mistakes_are_held() -> None:
    assert findings.describe(labelled()).worst == ()


def test_long_texts_are_cut_visibly() -> None:
    found = findings.describe(labelled(), texts=["x" * 1000] * 4, worst=1)
    assert len(found.worst) == 1
    assert found.worst[0].text == "x" * 600 + " …"


def test_a_lone_surrogate_does_not_stop_the_report_from_being_written() -> None:
    assert findings.describe(labelled(), texts=["\ud800 text"] * 4, worst=1).worst[0].text == "? text"


def test_values() -> None:
    outcomes = ValueOutcomes(truth=np.array([0.0, 1.0, 2.0]), predicted=np.array([0.0, 3.0, 1.0]))
    found = findings.describe(outcomes, texts=["p", "q", "r"])
    assert found.points == ((0.0, 0.0), (1.0, 3.0), (2.0, 1.0))
    assert found.worst == (
        Mistake(text="q", truth="1.00", predicted="3.00"),
        Mistake(text="r", truth="2.00", predicted="1.00"),
    )
    counts = found.histograms[0].counts
    assert (sum(counts), counts[20], counts[40], counts[10]) == (3, 1, 1, 1)
    assert found.histograms[0].edges[0] == -found.histograms[0].edges[-1] == -2.0


def test_perfect_values_have_no_mistakes_and_a_histogram() -> None:
    found = findings.describe(ValueOutcomes(truth=np.ones(3), predicted=np.ones(3)), texts=["p"] * 3)
    assert found.worst == ()
    assert sum(found.histograms[0].counts) == 3


def test_many_points_are_sampled_by_the_seed() -> None:
    values = np.arange(5000.0)
    outcomes = ValueOutcomes(truth=values, predicted=values)
    assert len(findings.describe(outcomes).points) == 2000
    assert (
        findings.describe(outcomes, seed=1)
        == findings.describe(outcomes, seed=1)
        != findings.describe(outcomes, seed=2)
    )
