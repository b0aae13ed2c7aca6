"""What the rounds of a self-training did: the part of `run.json` that holds them, and their sections."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from nlpkit.metrics.score import PairedTest, Part, Score
from nlpkit.reports.sections import Column, Table, columns
from nlpkit.reports.wording import difference


class TakenTexts(Part):
    """The texts without labels that a round gave one label, and those of them that it learned from."""

    given: int
    """Texts that got the label."""
    most: int
    """How many of them might be taken: the label's share of the labeled rows."""
    taken: int
    lowest: float | None
    """Probability of the label, calibrated, of the least probable text that was taken."""
    mean: float | None
    """The same on average."""

    def in_words(self, label: str, texts: int) -> str:
        """Return the counts in a line."""
        probability = "" if self.lowest is None else f", probability {self.lowest:.3f} or more"
        return f"{label}: {self.given:,} of {texts:,} texts, {self.taken:,} of them taken{probability}"


class Round(Part):
    """One training: round 0 learns the labeled rows alone."""

    number: int
    labels: dict[str, TakenTexts] = Field(default={})
    agreement: Score | None = None
    """Share of all texts that have the label of the round before; None where there is none before."""
    score: Score
    """On the validation rows."""
    test: PairedTest | None = None
    """Compared with the best round before, on the same rows."""

    @property
    def taken(self) -> int:
        """Texts without labels that were learned from."""
        return sum(texts.taken for texts in self.labels.values())


class SelfTrainingRecord(Part):
    """All rounds, and which of them is the run."""

    min_probability: float
    rounds: tuple[Round, ...]
    kept: int
    """The round that the run is."""
    stopped: str
    """Why there is no further round, in words."""
    first_on_test: Score | None = None
    """Of round 0 on the test rows, which chose nothing; None where they are none or it is the run."""
    kept_on_test: Score | None = None
    test: PairedTest | None = None
    """The run compared with round 0 on the test rows."""

    @property
    def summary(self) -> tuple[str, ...]:
        """What came of it, in sentences."""
        kept = self.rounds[self.kept]
        learned = f" and {kept.taken:,} texts that the run labeled" if self.kept else " alone"
        sentences = [
            f"Round {self.kept} is kept, which learned the labeled rows{learned}. "
            f"It ended there: {self.stopped}."
        ]
        if self.first_on_test and self.kept_on_test and self.test:
            sentences.append(
                f"On the test rows, which chose nothing, {self.kept_on_test.title} is "
                f"{self.kept_on_test.shown_with_interval}, in round 0 "
                f"{self.first_on_test.shown_with_interval}: {difference(self.kept_on_test, self.test)}."
            )
        return tuple(sentences)


def self_labeled(data: Mapping[str, Any]) -> int:
    """Return how many texts without labels a run learned from, with labels that it gave itself.

    Args:
        data: of the run's record.
    """
    if "self_training" not in data:
        return 0
    record = SelfTrainingRecord.model_validate(data["self_training"])
    return record.rounds[record.kept].taken


def self_training_sections(data: Mapping[str, Any]) -> tuple[Table, ...]:
    """Return what the rounds of a run did; none where it did not train itself.

    Args:
        data: of the run's record.
    """
    if "self_training" not in data:
        return ()
    record = SelfTrainingRecord.model_validate(data["self_training"])
    return _rounds(record, data["unlabelled"]["rows"]), _labels(record)  # an old name


def _rounds(record: SelfTrainingRecord, texts: int) -> Table:
    score = record.rounds[0].score
    return Table(
        id="self-training",
        title="Self-training",
        nav="Self-training",
        note=f"Each round learns the labeled rows and those of {texts:,} texts without labels "
        f"whose label the round before gave with a probability of at least {record.min_probability:g}, the "
        f"most probable first. {score.count:,} validation rows chose the round too, so that its score there "
        "may be too good.",
        columns=columns(
            "Round", "Texts taken", "Same label as the round before",
            f"{score.title} on validation rows", "Than the best round before",
        ),
        rows=tuple(
            (
                f"{each.number}{' (kept)' if each.number == record.kept else ''}",
                each.taken,
                each.agreement.shown_with_interval if each.agreement else None,
                each.score.shown_with_interval,
                difference(each.score, each.test) or None,
            )
            for each in record.rounds
        ),
        caption=" ".join(record.summary),
    )  # fmt: skip


def _labels(record: SelfTrainingRecord) -> Table:
    return Table(
        id="self-labeled",
        title="Texts that the run labeled",
        under="self-training",
        note="A label takes at most its share of the labeled rows. Probabilities are calibrated.",
        columns=(
            Column(name="Round and label"),
            *(
                Column(name=name, number=True)
                for name in ("Texts with it", "At most", "Taken", "Lowest probability", "Mean probability")
            ),
        ),
        rows=tuple(
            (f"{each.number}: {label}", texts.given, texts.most, texts.taken, texts.lowest, texts.mean)
            for each in record.rounds
            for label, texts in each.labels.items()
        ),
        folded=True,
    )
