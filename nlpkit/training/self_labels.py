"""Which texts a run labels for itself: the most probable of each label, in the shares of the labeled rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated

from pydantic import BeforeValidator, Field

from nlpkit.data.examples import LabeledText
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.score import Score
from nlpkit.reports.self_training_sections import TakenTexts
from nlpkit.settings import Settings
from nlpkit.settings.data import as_sources
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.reading import SHOWN_REASONS
from nlpkit.tasks.task import TextTask
from nlpkit.training.rows import Rows
from nlpkit.training.unlabeled_texts import TextSource

AGREEMENT: Metric[Ratio] = ratio_metric(
    lambda same: same,
    name="agreement",
    title="Agreement",
    meaning="Share of the texts without labels that have the label of the round before",
    percent=True,
)


class SelfTraining(Settings):
    """Texts without labels, and how many of them the run may label for itself."""

    unlabelled: Annotated[  # an old name
        tuple[TextSource, ...], BeforeValidator(as_sources), Field(min_length=1)
    ]
    """Texts that the run labels."""
    rounds: Annotated[int, Field(ge=1, le=20)] = 3
    """Trainings after the first one, at most."""
    share: Annotated[float, Field(gt=0, le=1)] = 0.2
    """The share of the texts that the first round takes; the second takes twice as many, and so on."""
    min_probability: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Take no text whose label has a lower probability, calibrated."""
    near_held_out: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Texts that share this much (Jaccard similarity of word pairs) with a held-out one are dropped."""


def refuse_unfit(task: TextTask, *, search: object) -> None:
    """Refuse a task whose answer to a text is not one label, and a search; a validator of the config calls
    it.

    Raises:
        ValueError: the config asks for either.
    """
    if search:
        raise ValueError("search: does not go together with self_training; hint: search first")
    if not task.family.distillable or task.turns is not None or task.reads_aspects:
        raise ValueError(
            f"self_training: the task {task.kind!r} does not give a text one label by itself; "
            "expected polarity or intents"
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


def with_labeled(
    rows: Rows[TextTask], texts: Sequence[str], taken: Mapping[str, Sequence[int]], number: int
) -> Rows[TextTask]:
    """Return the rows with the texts that are taken, each with its label, after the labeled ones."""
    labeled = [
        LabeledText(text=texts[at], label=label, where=f"labeled in round {number}")
        for label, numbers in taken.items()
        for at in sorted(numbers)
    ]
    originals = len(rows.train) - len(rows.swapped or ())  # copies stay last
    return replace(rows, train=(*rows.train[:originals], *labeled, *rows.train[originals:]))


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
