"""Which texts a run labels for itself: the most probable of each label, in the shares of the labeled rows."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from nlpkit.data.examples import LabeledText
from nlpkit.errors import DataError
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.score import Score
from nlpkit.reports.self_training_sections import TakenTexts
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.reading import SHOWN_REASONS
from nlpkit.tasks.task import TextTask
from nlpkit.training.rows import Rows

AGREEMENT: Metric[Ratio] = ratio_metric(
    lambda same: same,
    name="agreement",
    title="Agreement",
    meaning="Share of the texts without labels that have the label of the round before",
    percent=True,
)


def choose(
    answers: Sequence[Prediction], labeled: Mapping[str, int], *, take: int, min_probability: float
) -> dict[str, list[int]]:
    """Return the numbers of the texts to learn from, by label: those whose label is most probable.

    A label gets its share of what is taken, rounded up, or fewer where not so many are probable enough.

    Args:
        answers: to each text.
        labeled: how many labeled rows each label has.
        take: texts to take of all labels.
        min_probability: of a label that may be taken.
    """
    chosen = {}
    for label in labeled:
        probable = [
            (-answer.probabilities[label], number)
            for number, answer in enumerate(answers)
            if answer.label == label and answer.probabilities[label] >= min_probability
        ]
        chosen[label] = [number for _, number in sorted(probable)[: most_of(labeled, label, take)]]
    return chosen


def most_of(labeled: Mapping[str, int], label: str, take: int) -> int:
    """Return how many texts a label may have of those that are taken: its share, rounded up."""
    return -(-take * labeled[label] // sum(labeled.values()))


def nothing_probable(
    answers: Sequence[Prediction], labeled: Mapping[str, int], *, min_probability: float
) -> DataError:
    """Return the error for texts of which none can be taken; the arguments are those of `choose`."""
    known = [answer.probabilities[str(answer.label)] for answer in answers if answer.label in labeled]
    highest = max(known, default=0.0)
    lower = f"self_training.min_probability={math.floor(1000 * highest) / 1000:g} with --overwrite, or "
    return DataError(
        f"self_training: none of {len(answers):,} texts has a label with a probability of at least "
        f"{min_probability:g}; the highest is {highest:.3f}; "
        f"hint: {lower if known else ''}more labeled rows"
    )


def with_labeled(rows: Rows[TextTask], taken: Mapping[str, Sequence[int]], number: int) -> Rows[TextTask]:
    """Return the rows with those of the extra texts that are taken, each with its label, after the labeled
    ones; the others are no texts of this training.
    """
    labeled = [
        LabeledText(text=rows.extra_texts[at], label=label, where=f"labeled in round {number}")
        for label, numbers in taken.items()
        for at in sorted(numbers)
    ]
    originals = len(rows.train) - len(rows.swapped or ())  # copies stay last
    train = (*rows.train[:originals], *labeled, *rows.train[originals:])
    return replace(rows, train=train, extra_texts=())


def agreement_of(
    answers: Sequence[Prediction], before: Sequence[Prediction] | None, seed: int
) -> Score | None:
    """Return how many texts have the label of the round before; None where there is none before."""
    if before is None:
        return None
    same = [answer.label == earlier.label for answer, earlier in zip(answers, before, strict=True)]
    return bootstrap(Ratio.of(same), [AGREEMENT], seed=seed)[AGREEMENT.name]


def describe(
    answers: Sequence[Prediction], taken: Mapping[str, Sequence[int]], labeled: Mapping[str, int], take: int
) -> dict[str, TakenTexts]:
    """Return for each label how many texts got it, how many are taken, and how probable it is for these.

    The arguments are those of `choose`, and what it returned.
    """
    given = Counter(answer.label for answer in answers)
    probabilities = {
        label: [answers[number].probabilities[label] for number in numbers]
        for label, numbers in taken.items()
    }
    return {
        label: TakenTexts(
            given=given[label],
            most=most_of(labeled, label, take),
            taken=len(numbers),
            lowest=min(numbers, default=None),
            mean=sum(numbers) / len(numbers) if numbers else None,
        )
        for label, numbers in probabilities.items()
    }


def label_lines(labels: Mapping[str, TakenTexts], agreement: Score | None, texts: int) -> list[str]:
    """Return what a round took, for people; of many labels the first ones."""
    taken, more = sum(label.taken for label in labels.values()), len(labels) - SHOWN_REASONS
    lines = [f"taken      {taken:,} of {texts:,} texts without labels"]
    lines += [f"           {labels[label].in_words(label, texts)}" for label in list(labels)[:SHOWN_REASONS]]
    if more > 0:
        lines.append(f"           and {more} more labels: see the report")
    if agreement:
        lines.append(f"agreement  {agreement.shown_with_interval} of all have the label of the round before")
    return lines
