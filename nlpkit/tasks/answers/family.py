"""What every family of answers can do. A new family is one module here; a task names the family that it
answers with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nlpkit.metrics.metric import Metric
    from nlpkit.reports.usage import FamilyReport
    from nlpkit.tasks.answers.claims import Claim

Tone: TypeAlias = Literal["negative", "neutral", "positive"]

CellType: TypeAlias = Literal["string", "int", "float"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Listed:
    """The type of a column that holds a list, as JSON: its parts are the columns of a row an element."""

    parts: Mapping[str, CellType]


ColumnType: TypeAlias = CellType | Listed

PADDING = -1.0
"""Fills up targets of which some have fewer numbers than others. Not -100, which the trainer does not count
as a number of an example.
"""

Loss: TypeAlias = "Callable[[torch.Tensor, torch.Tensor], torch.Tensor]"
"""(logits, targets) -> the loss of each example, (batch,)."""

TONE = 0.25
"""A score beyond this, in [-1, 1], is shown as positive or negative."""


SHOWN = 6
"""Labels above which the terminal and the demo show the probabilities of the likeliest only."""

MANY = 30
"""Labels above which a line names only the commonest and the rarest."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What stands on the base: one output for each name, computed for the whole text or for each token."""

    names: tuple[str, ...]
    problem: Literal["single_label_classification", "multi_label_classification", "regression"]
    """What transformers calls it."""
    level: Literal["text", "token"] = "text"

    @property
    def outputs(self) -> int:
        """The number of outputs."""
        return len(self.names)


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetFindings:
    """What the preflight reports of the targets."""

    lines: tuple[str, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How far an export may lie from its run."""

    changed: float
    """Share of rows whose label changes."""
    difference: float | None
    """Largest difference of a logit; None where single logits may differ."""
    accuracy: float
    """Share of the rows by which fewer may be right."""
    value: float
    """For numbers: the mean difference in standard deviations of the run's values."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """How the answers of an export differ from those of its run."""

    changed: float | None = None
    """Share of rows whose label changes; None where there are no labels."""
    accuracy: float | None = None
    """Of the run, where the truth is known."""
    exported_accuracy: float | None = None
    failures: tuple[str, ...] = ()
    """What is beyond its limit, in words."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPart:
    """A part of a text that an answer speaks of."""

    start: int
    end: int
    name: str
    """What is said of it, in words."""
    tone: Tone


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """An answer as the terminal and the demo show it."""

    headline: str
    tone: Tone = "neutral"
    score: float | None = None
    """In [-1, 1], where there is one."""
    shares: tuple[tuple[str, float], ...] = ()
    """The probability of labels, as far as there are labels; of many labels the highest."""
    text: str = ""
    """The text, where the answer is about parts of it."""
    parts: tuple[ShownPart, ...] = ()


class Family(Protocol):
    """What holds for every run: which kind of model serves it, how its examples are split and described,
    what is measured.
    """

    @property
    def served_by(self) -> Literal["classifier", "chat model"]: ...
    @property
    def unit(self) -> str:
        """What messages call its examples."""

    @property
    def metrics(self) -> tuple[Metric[Any], ...]:
        """What a report measures; any of them may choose the checkpoint."""

    def groups(self, examples: Sequence[Any], *, near_duplicates: float, seed: int) -> list[int]:
        """Return the group of each example: equal and near-equal ones share it, and a split keeps them on
        one side.
        """

    def strata(self, examples: Sequence[Any]) -> list[str]:
        """Return what a split balances each example by."""

    def describe(self, parts: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
        """Return what the run records of the parts with their sizes, such as the balance of labels."""

    def identity(self, example: Any) -> tuple[Any, ...]:
        """Return all of an example that a training depends on."""

    def texts(self, example: Any) -> list[str]:
        """Return the texts by which a training on an example is known; the last one is all of it."""


class ClassifierFamily(Family, Protocol):
    """A family whose answers are decoded from the outputs of a head."""

    @property
    def served_by(self) -> Literal["classifier"]:
        """A classifier."""
        return "classifier"

    @property
    def unit(self) -> str:
        """Rows of a file."""
        return "rows"

    @property
    def distillable(self) -> bool:
        """Whether its logits are one distribution over labels, which a student can learn from a teacher."""
        return False

    @property
    def head(self) -> Head: ...
    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The columns that a scored file gains, in order."""

    @property
    def best_by(self) -> Metric[Any]:
        """The metric that chooses the checkpoint unless the config names another."""

    @property
    def watched(self) -> tuple[Metric[Any], ...]:
        """The metrics that every evaluation during training logs."""

    @property
    def calibration(self) -> str:
        """What calibration fitted, in words; empty where there is nothing to calibrate."""

    @property
    def report(self) -> FamilyReport:
        """What a report and a model card show besides scores."""

    def groups(self, examples: Sequence[Any], *, near_duplicates: float, seed: int) -> list[int]:
        """Group examples whose texts are equal or near-equal; pictures alone are grouped by the picture."""
        from nlpkit.data.near import near_groups

        texts = [example.text or example.picture.sha256 for example in examples]
        return near_groups(texts, threshold=near_duplicates, seed=seed)

    def identity(self, example: Any) -> tuple[Any, ...]:
        """Return all fields of an example that a training depends on: not where it came from, its group, or
        what people answered.
        """
        unused = ("where", "conversation", "group", "annotations", "picture")
        used = tuple(getattr(example, field.name) for field in fields(example) if field.name not in unused)
        picture = getattr(example, "picture", None)
        return used if picture is None else (*used, picture.sha256)

    def texts(self, example: Any) -> list[str]:
        """Return all that a model reads of the example."""
        return [example.full_text]

    def target(self, example: Any, encoded: Encoded) -> list[float]:
        """Return the numbers that the loss compares the outputs with; of a head for tokens any number of
        them.
        """

    def truth(self, example: Any) -> Any:
        """Return what the predictions file holds as the truth."""

    def loss(self, training: Any, targets: Sequence[Sequence[float]]) -> Loss:
        """Return the loss that the training settings ask for; `targets` are those of the training rows."""

    def fit(
        self, logits: np.ndarray, examples: Sequence[Any], encoded: Sequence[Encoded] = ()
    ) -> dict[str, Any]:
        """Return what fits held-out logits best, by the names of the task's fields."""
        return {}

    def decode(self, outputs: np.ndarray, encoded: Sequence[Encoded] = ()) -> list[Prediction]:
        """Return the answers that outputs stand for: (inputs, head.outputs), or of a head for tokens (tokens
        of all windows, head.outputs).
        """

    def outcomes(self, examples: Sequence[Any], predictions: Sequence[Any]) -> Any:
        """Pair truth and prediction, row by row."""

    def signs(self, outcomes: Any) -> tuple[str, ...]:
        """Return in words what in the outcomes, or in what was fitted, shows that nothing was learned."""

    def outcomes_of(self, outputs: np.ndarray, targets: np.ndarray) -> Any:
        """Pair raw outputs and targets, as training evaluates them before anything is calibrated."""

    def preflight(
        self,
        train: Sequence[Any],
        validation: Sequence[Any],
        training: Any,
        targets: Sequence[Sequence[float]],
    ) -> TargetFindings:
        """Describe the targets; `targets` are those of the training rows.

        Raises:
            DataError: there is nothing to learn from them.
        """

    def parity(
        self, before: Sequence[Any], after: Sequence[Any], truth: Sequence[object], limits: Limits
    ) -> Differences:
        """Compare the answers of an export with those of its run; `truth` may be empty."""

    def shown(self, answer: Any) -> Shown:
        """Return how the terminal and the demo show an answer."""

    def claims(self, answer: Any, label: str | None = None) -> tuple[Claim, ...]:
        """Return what of an answer can be explained, or only that about a label; empty where nothing can.

        Raises:
            ConfigError: there is no such label.
        """


def tone_of(score: float | None) -> Tone:
    """Return the tone of a score in [-1, 1]."""
    if score is None or -TONE <= score <= TONE:
        return "neutral"
    return "positive" if score > 0 else "negative"


def answer_of(prediction: Prediction) -> str:
    """Return the label, or of a number on which side of neutral it lies."""
    return prediction.label if prediction.label is not None else tone_of(prediction.score)


def likeliest(probabilities: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Return the probability of each label, in its order; of many labels the SHOWN highest, highest first."""
    if len(probabilities) <= SHOWN:
        return tuple(probabilities.items())
    return tuple(sorted(probabilities.items(), key=lambda item: -item[1])[:SHOWN])


def shares_of(counts: Mapping[str, int], labels: Sequence[str], rows: int) -> list[str]:
    """Return each label with its rows and their share; of many labels the commonest and the rarest."""
    is_long = len(labels) > MANY
    ranked = sorted(labels, key=lambda label: -counts[label]) if is_long else labels
    shares = [f"{label} {counts[label]:,} ({counts[label] / rows:.0%})" for label in ranked]
    return [f"{len(labels)}: {shares[0]}", *shares[1:3], "...", *shares[-3:]] if is_long else shares


def changed_answers(
    before: Sequence[str], after: Sequence[str], truth: Sequence[object], limits: Limits
) -> Differences:
    """Count changed labels, and compare accuracy where the truth is known."""
    changed = sum(old != new for old, new in zip(before, after, strict=True)) / len(before)
    failures = []
    if not changed <= limits.changed:
        failures.append(f"{changed:.2%} of the labels change, {limits.changed:.2%} are allowed")
    if not truth:
        return Differences(changed=changed, failures=tuple(failures))
    right, still_right = (
        sum(answer == true for answer, true in zip(answers, truth, strict=True))
        for answers in (before, after)
    )
    accuracy, exported_accuracy = right / len(before), still_right / len(before)
    # Of few rows a single one is more than any share
    if right - still_right > max(limits.accuracy * len(before), 1 if limits.accuracy else 0):
        failures.append(
            f"accuracy falls from {accuracy:.2%} to {exported_accuracy:.2%}, {limits.accuracy:.2%} are "
            "allowed"
        )
    return Differences(
        changed=changed, accuracy=accuracy, exported_accuracy=exported_accuracy, failures=tuple(failures)
    )


def turn_groups(examples: Sequence[Any], *, near_duplicates: float, seed: int) -> list[int]:
    """Group turns by their conversation, together with those of equal and near-equal conversations."""
    from nlpkit.data.near import near_groups

    spoken: dict[str, list[str]] = {}
    for example in examples:
        spoken.setdefault(example.conversation, []).append(example.text)
    texts = ["\n".join(turns) for turns in spoken.values()]
    groups = dict(zip(spoken, near_groups(texts, threshold=near_duplicates, seed=seed), strict=True))
    return [groups[example.conversation] for example in examples]
