"""Sections and summary of a report on predicted values.

To add one, write a function and name it in `VALUE_SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from nlpkit.metrics.outcomes import ValueOutcomes
from nlpkit.metrics.values import MAE
from nlpkit.reports.constant_answers import median_value
from nlpkit.reports.label_sections import Rows
from nlpkit.reports.label_tables import WORST, mistake, mistakes
from nlpkit.reports.people_section import people_table
from nlpkit.reports.sections import Panel, Plot, Section, Series
from nlpkit.reports.usage import VALUE_USAGE, FamilyReport
from nlpkit.reports.wording import compared, in_interval

if TYPE_CHECKING:
    from nlpkit.metrics.score import Score
    from nlpkit.reports.parts import Baseline

POINTS = 2000
"""Rows that a scatter plot holds at the most."""
ERROR_BINS = 41


def value_summary(scores: dict[str, Score], baselines: tuple[Baseline, ...] = ()) -> tuple[str, ...]:
    """Return the answer in plain words: how good, and compared with what."""
    sentences = []
    pearson, mae = scores.get("pearson"), scores.get("mae")
    if pearson is not None and pearson.value is not None:
        sentences.append(
            f"Its values correlate with people's at r = {pearson.shown(pearson.value)} "
            f"on {pearson.count:,} texts{in_interval(pearson)}."
        )
    if mae is not None and mae.value is not None:
        sentences.append(f"On average it is {mae.shown(mae.value)} off (mean absolute error).")
    return (*sentences, *compared(scores, baselines))


def people_and_values(outcomes: ValueOutcomes, rows: Rows) -> Section | None:
    """Return how far people agree, and the run compared with one of them."""
    answers = [[float(answer) for answer in text] for text in rows.people]
    return people_table(answers, outcomes.predicted.tolist(), "interval")


def scatter(outcomes: ValueOutcomes, rows: Rows) -> Section | None:
    """Return predicted against true values, of a sample where there are many."""
    import numpy as np

    chosen = np.arange(len(outcomes))
    if len(chosen) > POINTS:
        chosen = np.sort(np.random.default_rng(rows.seed).choice(chosen, POINTS, replace=False))
    return scatter_plot(outcomes.truth[chosen].tolist(), outcomes.predicted[chosen].tolist())


def scatter_plot(true: Sequence[float], predicted: Sequence[float]) -> Plot | None:
    """Return predicted against true values; None without rows."""
    if not true:
        return None
    low, high = min(*true, *predicted), max(*true, *predicted)
    margin = 0.03 * (high - low) or 1.0
    ends = (low - margin, high + margin)
    return Plot(
        id="predicted",
        title="Predicted and true",
        nav="Predicted and true",
        note="Each text by the value people gave and the value predicted; on the dashed line both agree.",
        words=f"Predicted against true values of {len(true)} texts; the dashed line is a perfect prediction",
        panels=(
            Panel(
                series=(Series(mark="points", x=tuple(true), y=tuple(predicted)),),
                x="true value",
                y="predicted value",
                x_range=ends,
                y_range=ends,
                diagonal="",
                square=True,
            ),
        ),
        height=1.3,
        half=True,
    )


def errors(outcomes: ValueOutcomes, rows: Rows) -> Section:
    """Return how far off the predictions are, and to which side."""
    import numpy as np

    residuals = outcomes.predicted - outcomes.truth
    # The same reach on both sides of zero, so that a bias shows as a shift.
    reach = float(abs(residuals).max()) or 1.0
    counts, edges = np.histogram(residuals, bins=ERROR_BINS, range=(-reach, reach))
    return error_plot(edges.tolist(), counts.tolist())


def error_plot(edges: Sequence[float], counts: Sequence[int]) -> Plot:
    """Return the histogram of predicted minus true values."""
    return Plot(
        id="residual",
        title="How far off",
        note="Errors by size and side; a hill that is not over zero is a bias.",
        words=f"Histogram of {sum(counts)} errors between {edges[0]:.2f} and {edges[-1]:.2f}",
        panels=(
            Panel(
                series=(Series(mark="histogram", x=tuple(edges), y=tuple(counts), opacity=0.7),),
                x="predicted minus true",
                y="texts",
                zero=True,
            ),
        ),
        height=1.3,
        half=True,
    )


def largest_errors(outcomes: ValueOutcomes, rows: Rows) -> Section | None:
    """Return the texts with the largest errors."""
    import numpy as np

    if not rows.texts:
        return None
    sizes = abs(outcomes.truth - outcomes.predicted)
    order = [row for row in np.argsort(-sizes, kind="stable")[:WORST].tolist() if sizes[row] > 0]
    examples = [
        mistake(
            text=rows.texts[row],
            truth=f"{outcomes.truth[row]:.2f}",
            predicted=f"{outcomes.predicted[row]:.2f}",
            confidence=None,
            where=rows.where[row] if rows.where else "",
        )
        for row in order
    ]
    return mistakes(examples, title="The largest errors")


VALUE_SECTIONS: tuple[Callable[[ValueOutcomes, Rows], Section | None], ...] = (
    scatter,
    errors,
    people_and_values,
    largest_errors,
)
"""In the order in which they are shown."""

VALUE_REPORT = FamilyReport(
    sections=VALUE_SECTIONS,
    summary=value_summary,
    headline=MAE.name,
    usage=VALUE_USAGE,
    constant=median_value,
)
