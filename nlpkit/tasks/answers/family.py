"""What every family of answers can do. A new family is one module here; a task names the family that it
answers with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

from nlpkit.tasks.answers.differences import Differences, Limits
from nlpkit.tasks.answers.showing import Shown
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nlpkit.metrics.metric import Metric
    from nlpkit.reports.usage import FamilyReport
    from nlpkit.tasks.answers.claims import Claim


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


def shares_of(counts: Mapping[str, int], labels: Sequence[str], rows: int) -> list[str]:
    """Return each label with its rows and their share; of many labels the commonest and the rarest."""
    is_long = len(labels) > MANY
    ranked = sorted(labels, key=lambda label: -counts[label]) if is_long else labels
    shares = [f"{label} {counts[label]:,} ({counts[label] / rows:.0%})" for label in ranked]
    return [f"{len(labels)}: {shares[0]}", *shares[1:3], "...", *shares[-3:]] if is_long else shares
