"""Sections and summary of a classifier's report.

To add a section, write a function and name it in `LABEL_SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nlpkit.metrics.calibration import reliability
from nlpkit.metrics.labels import ACCURACY, confusion_matrix, per_class
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.reports.certainty_sections import before_and_after, is_calibrated, reliability_plot, risk_plot
from nlpkit.reports.constant_answers import commonest_label
from nlpkit.reports.label_tables import (
    WORST,
    commonest_mistakes,
    confusion_table,
    each_label_table,
    few_texts,
    mistake,
    mistakes,
    probability_plot,
)
from nlpkit.reports.people_section import people_table
from nlpkit.reports.sections import Section
from nlpkit.reports.usage import LABEL_USAGE, FamilyReport
from nlpkit.reports.wording import compared, in_interval, no_better

if TYPE_CHECKING:
    from nlpkit.metrics.agreement import Scale
    from nlpkit.metrics.score import Score
    from nlpkit.reports.parts import Baseline

MOST_CELLS = 30
"""Labels above which a report shows the commonest mistakes in place of the confusion matrix."""
HISTOGRAM_BINS = 20


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The texts that were measured on, in the order of the outcomes."""

    texts: Sequence[str] = ()
    where: Sequence[str] = ()
    """File and row of each."""
    people: Sequence[Sequence[str | float]] = ()
    """What several people answered to each; empty where that is not known."""
    seed: int = 0
    """Chooses what a plot of too many rows shows."""
    before: LabelOutcomes | None = None
    """What the outputs stand for before they are calibrated, where they are probabilities of labels."""


def label_summary(scores: dict[str, Score], baselines: tuple[Baseline, ...] = ()) -> tuple[str, ...]:
    """Return the answer in plain words: how good, compared with what, and how far its confidence can be
    trusted.
    """
    sentences = []
    accuracy, error = scores.get("accuracy"), scores.get("expected_calibration_error")
    if accuracy is not None and accuracy.value is not None:
        sentences.append(
            f"Accuracy is {accuracy.shown(accuracy.value)} on {accuracy.count:,} "
            f"texts{in_interval(accuracy)}."
        )
    sentences += compared(scores, baselines)
    mcc = scores.get("mcc")
    if mcc is not None and mcc.low is not None and mcc.low > 0 and _only_as_right(scores, baselines):
        sentences.append(f"It does tell the labels apart: MCC {mcc.shown_with_interval}.")
    if error is not None and error.value is not None:
        sentences.append(
            f"Its probabilities are off by {100 * error.value:.1f} points on average (calibration error)."
        )
    return tuple(sentences)


def _only_as_right(scores: dict[str, Score], baselines: tuple[Baseline, ...]) -> bool:
    return any(no_better(scores, baseline) for baseline in baselines if baseline.constant)


def label_limits(outcomes: LabelOutcomes) -> tuple[str, ...]:
    """Return a warning for each label that too few texts have."""
    return few_texts([(row.label, row.support) for row in per_class(outcomes)])


def confusion(outcomes: LabelOutcomes, rows: Rows) -> Section:
    """Return how often each label was given for each true one."""
    counts = confusion_matrix(outcomes).tolist()
    if len(outcomes.labels) > MOST_CELLS:
        return commonest_mistakes(outcomes.labels, counts)
    return confusion_table(outcomes.labels, counts)


def each_label(outcomes: LabelOutcomes, rows: Rows) -> Section:
    """Return precision, recall and F1 of each label."""
    cells = [(row.label, row.precision, row.recall, row.f1, row.support) for row in per_class(outcomes)]
    return each_label_table(cells)


def people_and_labels(outcomes: LabelOutcomes, rows: Rows) -> Section | None:
    """Return how far people agree, and the run compared with one of them."""
    number = {label: index for index, label in enumerate(outcomes.labels)}
    answers = [[number[str(answer)] for answer in text if answer in number] for text in rows.people]
    scale: Scale = "ordinal" if outcomes.ordered else "nominal"
    return people_table(answers, outcomes.predicted.tolist(), scale)


def reliability_diagram(outcomes: LabelOutcomes, rows: Rows) -> Section | None:
    """Return accuracy against confidence."""
    before = reliability(rows.before) if rows.before and is_calibrated(rows.before, outcomes) else ()
    return reliability_plot(reliability(outcomes), before)


def calibration_table(outcomes: LabelOutcomes, rows: Rows) -> Section | None:
    """Return what calibration changed."""
    if rows.before is None or not is_calibrated(rows.before, outcomes):
        return None
    return before_and_after(rows.before, outcomes, rows.seed)


def risk_and_coverage(outcomes: LabelOutcomes, rows: Rows) -> Section | None:
    """Return how many of the surest answers are wrong."""
    return risk_plot(outcomes.certain, ~outcomes.right)


def probabilities(outcomes: LabelOutcomes, rows: Rows) -> Section | None:
    """Return how the probabilities spread for each label, among the rows that truly have it."""
    import numpy as np

    counted = []
    for number, label in enumerate(outcomes.labels):
        # Of two labels, the second one's among the rows of each.
        column = 1 if len(outcomes.labels) == 2 else number
        chances = outcomes.probabilities[outcomes.truth == number, column]
        counts, edges = np.histogram(chances, bins=HISTOGRAM_BINS, range=(0, 1))
        counted.append((label, edges.tolist(), counts.tolist()))
    return probability_plot(counted)


def worst_mistakes(outcomes: LabelOutcomes, rows: Rows) -> Section | None:
    """Return the mistakes with the highest confidence."""
    import numpy as np

    if not rows.texts:
        return None
    confidence = np.where(outcomes.right, -1.0, outcomes.probabilities.max(axis=1))
    # Stable, so that equal mistakes keep the order of the data.
    order = [row for row in np.argsort(-confidence, kind="stable")[:WORST].tolist() if confidence[row] >= 0]
    examples = [
        mistake(
            text=rows.texts[row],
            truth=outcomes.labels[int(outcomes.truth[row])],
            predicted=outcomes.labels[int(outcomes.predicted[row])],
            confidence=float(confidence[row]),
            where=rows.where[row] if rows.where else "",
        )
        for row in order
    ]
    wrong = int((~outcomes.right).sum())
    return mistakes(examples, f"{wrong:,} of {len(outcomes):,} texts are wrong. ")


LABEL_SECTIONS: tuple[Callable[[LabelOutcomes, Rows], Section | None], ...] = (
    confusion,
    each_label,
    people_and_labels,
    reliability_diagram,
    calibration_table,
    risk_and_coverage,
    probabilities,
    worst_mistakes,
)
"""In the order in which they are shown."""

LABEL_REPORT = FamilyReport(
    sections=LABEL_SECTIONS,
    summary=label_summary,
    headline=ACCURACY.name,
    usage=LABEL_USAGE,
    constant=commonest_label,
    limits=label_limits,
)
