"""Sections and summary of a report on several labels a text.

To add a section, write a function and name it in `LABEL_SET_SECTIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nlpkit.data.examples import in_words
from nlpkit.metrics.calibration import binned
from nlpkit.metrics.label_sets import (
    MACRO_F1,
    bins_of,
    counts,
    exact,
    f1_of,
    row_log_losses,
)
from nlpkit.metrics.outcomes import LabelSetOutcomes
from nlpkit.reports.certainty_sections import reliability_plot
from nlpkit.reports.constant_answers import commonest_of_set
from nlpkit.reports.label_sections import Rows
from nlpkit.reports.label_tables import WORST, each_label_table, few_texts, mistake, mistakes
from nlpkit.reports.sections import Column, Section, Table
from nlpkit.reports.usage import LABEL_SET_USAGE, FamilyReport
from nlpkit.reports.wording import compared, in_interval

if TYPE_CHECKING:
    from nlpkit.metrics.score import Score
    from nlpkit.reports.parts import Baseline

PAIRS = 20
"""Pairs of labels that the report shows."""


def label_set_summary(scores: dict[str, Score], baselines: tuple[Baseline, ...] = ()) -> tuple[str, ...]:
    """Return the answer in plain words: how good, and compared with what."""
    sentences = []
    score, rate = scores.get("macro_f1"), scores.get("exact")
    if score is not None and score.value is not None:
        sentences.append(
            f"Macro F1 is {score.shown(score.value)} on {score.count:,} texts{in_interval(score)}: "
            "the mean over the labels, however rare."
        )
    if rate is not None and rate.value is not None:
        sentences.append(f"{rate.shown(rate.value)} of the texts get exactly their labels.")
    return (*sentences, *compared(scores, baselines))


def label_set_limits(outcomes: LabelSetOutcomes) -> tuple[str, ...]:
    """Return a warning for each label that too few texts have."""
    return few_texts(list(zip(outcomes.labels, outcomes.truth.sum(axis=0).tolist(), strict=True)))


def each_label(outcomes: LabelSetOutcomes, rows: Rows) -> Section:
    """Return precision, recall and F1 of each label."""
    import numpy as np

    sums = counts(outcomes).sum(axis=0, keepdims=True)
    right, true, given = np.split(sums[0], 3)
    cells = zip(outcomes.labels, right, true, given, f1_of(sums)[0], strict=True)
    return each_label_table(
        [
            (
                label,
                float(hits / answered) if answered else None,
                float(hits / have) if have else None,
                float(f1) if have else None,
                int(have),
            )
            for label, hits, have, answered, f1 in cells
        ]
    )


def together(outcomes: LabelSetOutcomes, rows: Rows) -> Section | None:
    """Return the pairs of labels that most often apply to one text, and how often both are given."""
    import numpy as np

    true, given = (flags.astype(float) for flags in (outcomes.truth, outcomes.given))
    both, answered = true.T @ true, given.T @ given
    pairs = [
        (first, second)
        for first, second in zip(*np.triu_indices(len(outcomes.labels), 1), strict=True)
        if both[first, second] or answered[first, second]
    ]
    if not pairs:
        return None
    pairs.sort(key=lambda pair: (-both[pair], -answered[pair]))
    chance = np.outer(np.diag(both), np.diag(both)) / len(outcomes)
    return Table(
        id="together",
        title="Labels that come together",
        note="How many texts truly have both labels, how many would by chance if the labels knew nothing of "
        "each other, and how many were given both.",
        columns=(
            Column(name="Labels"),
            Column(name="True", number=True),
            Column(name="By chance", number=True),
            Column(name="Given", number=True),
        ),
        rows=tuple(
            (
                f"{outcomes.labels[pair[0]]} + {outcomes.labels[pair[1]]}",
                int(both[pair]),
                round(float(chance[pair]), 1),
                int(answered[pair]),
            )
            for pair in pairs[:PAIRS]
        ),
    )


def reliability_diagram(outcomes: LabelSetOutcomes, rows: Rows) -> Section | None:
    """Return how often a label applies against its probability, over all pairs of a text and a label."""
    where = bins_of(outcomes).ravel()
    plot = reliability_plot(binned(outcomes.probabilities.ravel(), outcomes.truth.ravel(), where))
    if plot is None:
        return None
    note = (
        "Of the labels with a probability of 80%, 80% should apply: bars on the dashed line. It counts every "
        "pair of a text and a label."
    )
    return plot.model_copy(update={"title": "Can its probabilities be trusted?", "note": note})


def worst_mistakes(outcomes: LabelSetOutcomes, rows: Rows) -> Section | None:
    """Return the texts whose labels are least probable to the model, among those with wrong labels."""
    import numpy as np

    if not rows.texts:
        return None
    wrong = ~exact(outcomes)
    order = np.argsort(-np.where(wrong, row_log_losses(outcomes), -1.0), kind="stable")

    def named(flags: np.ndarray) -> str:
        names = (label for label, flag in zip(outcomes.labels, flags, strict=True) if flag)
        return in_words(names) or "none"

    examples = [
        mistake(
            text=rows.texts[row],
            truth=named(outcomes.truth[row]),
            predicted=named(outcomes.given[row]),
            confidence=None,
            where=rows.where[row] if rows.where else "",
        )
        for row in order[: min(WORST, int(wrong.sum()))].tolist()
    ]
    return mistakes(
        examples,
        f"{int(wrong.sum()):,} of {len(outcomes):,} texts get other labels than their own. ",
        "Answers that are furthest off",
    )


LABEL_SET_SECTIONS: tuple[Callable[[LabelSetOutcomes, Rows], Section | None], ...] = (
    each_label,
    together,
    reliability_diagram,
    worst_mistakes,
)
"""In the order in which they are shown."""

LABEL_SET_REPORT = FamilyReport(
    sections=LABEL_SET_SECTIONS,
    summary=label_set_summary,
    headline=MACRO_F1.name,
    usage=LABEL_SET_USAGE,
    constant=commonest_of_set,
    limits=label_set_limits,
)
