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
from nlpkit.reports.people_section import people_table
from nlpkit.reports.sections import Column, Example, Panel, Plot, Section, Series, Table, Tag, Texts
from nlpkit.reports.usage import LABEL_USAGE, FamilyReport
from nlpkit.reports.wording import compared, in_interval, no_better, short

if TYPE_CHECKING:
    from nlpkit.metrics.agreement import Scale
    from nlpkit.metrics.score import Score
    from nlpkit.reports.parts import Baseline

WORST = 30
LONGEST = 600
"""Characters of a text that a report shows."""
MOST_CELLS = 30
"""Labels above which a report shows the commonest mistakes in place of the confusion matrix."""
HISTOGRAM_BINS = 20
PANELS = 12
FEW = 50
"""A label with fewer test texts than this has numbers that are hardly more than anecdotes."""


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


def few_texts(supports: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Return a warning for each (label, texts) with too few."""
    return tuple(
        f"Only {count} of the texts it was measured on are {label}: its numbers for them are hardly more "
        "than anecdotes."
        for label, count in supports
        if count < FEW
    )


def confusion(outcomes: LabelOutcomes, rows: Rows) -> Section:
    """Return how often each label was given for each true one."""
    counts = confusion_matrix(outcomes).tolist()
    if len(outcomes.labels) > MOST_CELLS:
        return commonest_mistakes(outcomes.labels, counts)
    return confusion_table(outcomes.labels, counts)


def commonest_mistakes(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Table:
    """Return the pairs of labels that are most often confused, where a matrix of all would be too large."""
    pairs = [
        (true, given, count, count / sum(counts[row]))
        for row, true in enumerate(labels)
        for column, given in enumerate(labels)
        if row != column and (count := counts[row][column])
    ]
    pairs.sort(key=lambda pair: (-pair[2], -pair[3]))
    return Table(
        id="confusion",
        title="Labels that are confused most often",
        nav="Confusions",
        note="The share is that of the texts that truly have the first label.",
        columns=(
            Column(name="True"),
            Column(name="Predicted"),
            Column(name="Texts", number=True),
            Column(name="Share", number=True),
        ),
        rows=tuple((true, given, count, round(share, 3)) for true, given, count, share in pairs[:WORST]),
    )


def confusion_table(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Table:
    """Return the confusion matrix: a row for each true label, a column for each predicted one."""
    return Table(
        id="confusion",
        title="Confusion matrix",
        nav="Confusion matrix",
        note="A row for each true label, a column for each predicted one. Blue is right, red is wrong; "
        "darker is a larger share of the row.",
        columns=(Column(name="true ↓   predicted →"), *(Column(name=label, number=True) for label in labels)),
        rows=tuple((label, *row) for label, row in zip(labels, counts, strict=True)),
        heat=True,
        half=len(labels) <= 4,
    )


def each_label(outcomes: LabelOutcomes, rows: Rows) -> Section:
    """Return precision, recall and F1 of each label."""
    cells = [(row.label, row.precision, row.recall, row.f1, row.support) for row in per_class(outcomes)]
    return each_label_table(cells)


def each_label_table(
    rows: Sequence[tuple[str, float | None, float | None, float | None, int]],
) -> Table:
    """Return the table of (label, precision, recall, F1, texts)."""
    heads = ("Precision", "Recall", "F1", "Texts")
    return Table(
        id="labels",
        title="Labels",
        note="Precision: of the texts given a label, the share that truly has it. Recall: of the texts "
        "that truly "
        "have it, the share that was given it.",
        columns=(Column(name="Label"), *(Column(name=head, number=True) for head in heads)),
        rows=tuple(rows),
        half=len(rows) <= 4,
    )


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


def probability_plot(counted: Sequence[tuple[str, Sequence[float], Sequence[int]]]) -> Plot | None:
    """Return histograms of (label, edges, counts): two labels in one panel, more in one each; None without
    rows.
    """
    if not any(sum(counts) for _, _, counts in counted):
        return None
    shown = counted if len(counted) == 2 else counted[:PANELS]
    words = "; ".join(f"{label}, {sum(counts)} texts" for label, _, counts in shown)
    series = [
        Series(
            mark="histogram",
            x=tuple(edges),
            y=tuple(counts),
            name=f"true label: {short(label)}",
            color=number,
            opacity=0.55 if len(counted) == 2 else 0.7,
        )
        for number, (label, edges, counts) in enumerate(shown)
    ]
    if len(counted) == 2:
        highest = max(max(histogram.y) for histogram in series)
        panels: tuple[Panel, ...] = (
            Panel(
                series=tuple(series),
                x=f"probability of {short(counted[1][0])}",
                y="texts",
                x_range=(0, 1),
                y_range=(0, 1.25 * highest),
            ),
        )
    else:
        panels = tuple(
            Panel(
                series=(histogram.model_copy(update={"name": ""}),),
                title=histogram.name.removeprefix("true label: "),
                x_range=(0, 1),
            )
            for histogram in series
        )
    return Plot(
        id="spread",
        title="How it separates the labels",
        note="The further apart the hills, the clearer the answer.",
        words=f"Histograms of probabilities: {words}",
        panels=panels,
        columns=1 if len(counted) == 2 else 2,
        x="" if len(counted) == 2 else "probability given to the true label",
        height=1.4 if len(counted) == 2 else max(1.4, 0.44 * -(-len(shown) // 2) + 0.15),
        half=True,
    )


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


def mistake(*, text: str, truth: str, predicted: str, confidence: float | None, where: str) -> Example:
    """Return a text that the model got wrong."""
    surely = "" if confidence is None else f", confidence {confidence:.1%}"
    tags = (Tag(text=f"true: {truth}", good=True), Tag(text=f"predicted: {predicted}{surely}", good=False))
    return Example(text=_cut(text), tags=tags, where=where)


def mistakes(
    examples: Sequence[Example], counted: str = "", title: str = "Mistakes with the highest confidence"
) -> Texts | None:
    """Return the section of the worst mistakes; None where there are none."""
    if not examples:
        return None
    return Texts(
        id="worst",
        title=title,
        nav="Worst mistakes",
        note=f"{counted}Read these before trusting the numbers: some are the model's, some are the labels' "
        "own.",
        examples=tuple(examples),
    )


def _cut(text: str) -> str:
    shown = text if len(text) <= LONGEST else text[:LONGEST] + " …"
    return shown.encode("utf-8", "replace").decode("utf-8")  # JSON cannot hold half a surrogate pair


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
