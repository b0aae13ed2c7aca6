"""One number a text, and where it is learned the standard deviation of the ratings behind it."""

from __future__ import annotations

import bisect
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from nlpkit.data.examples import LabeledText
from nlpkit.errors import DataError
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.outcomes import ValueOutcomes
from nlpkit.metrics.values import MAE, PEARSON, VALUE_METRICS
from nlpkit.reports.constant_answers import value_signs
from nlpkit.reports.usage import FamilyReport
from nlpkit.reports.value_sections import VALUE_REPORT
from nlpkit.tasks.answers.claims import Claim, named_label
from nlpkit.tasks.answers.differences import Differences, Limits
from nlpkit.tasks.answers.family import ClassifierFamily, ColumnType, Head, Loss, TargetFindings
from nlpkit.tasks.answers.showing import Shown, tone_of
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import numpy as np
    import torch

BINS = 10
"""A split balances numbers by this many quantile bins."""


@dataclass(frozen=True, kw_only=True)
class NumberClaim:
    """A number lies where it does."""

    score: float
    """The score that is explained, in [-1, 1]."""
    evidence_of: Callable[[torch.Tensor], torch.Tensor] | None
    name: str = "value"

    @property
    def sign(self) -> int:
        """1 from the middle of the range on."""
        return 1 if self.score >= 0 else -1

    def evidence(self, answer: Prediction) -> float:
        """Return the number."""
        return float(answer.value or 0.0)

    def share(self, answer: Prediction) -> float:
        """Return how far from the other end of the range it lies."""
        return (1 + self.sign * float(answer.score or 0.0)) / 2

    def holds(self, answer: Prediction) -> bool:
        """Return whether the number has the same tone."""
        return tone_of(answer.score) == tone_of(self.score)


@dataclass(frozen=True, kw_only=True)
class Number(ClassifierFamily):
    """A number between `low` and `high`, which the model learns on the scale [-1, 1]."""

    low: float
    high: float
    spread: bool = False
    """Whether a second output is the standard deviation of the ratings."""

    best_by: ClassVar[Metric[ValueOutcomes]] = PEARSON
    watched: ClassVar[tuple[Metric[ValueOutcomes], ...]] = (PEARSON, MAE)
    metrics: ClassVar[tuple[Metric[ValueOutcomes], ...]] = VALUE_METRICS
    report: ClassVar[FamilyReport] = VALUE_REPORT
    calibration: ClassVar[str] = ""

    @property
    def head(self) -> Head:
        """One output for the number, and one for the standard deviation where it is learned."""
        return Head(names=("value", *(("spread",) if self.spread else ())), problem="regression")

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The value, its standard deviation where it is learned, and the score in [-1, 1]."""
        return dict.fromkeys((*self.head.names, "score"), "float")

    def target(self, example: LabeledText, encoded: Encoded | None = None) -> list[float]:
        """Return the value (and standard deviation) on a scale where the range is [-1, 1]."""
        scaled = [(float(example.value or 0.0) - self._middle) / self._half]
        return [*scaled, float(example.spread or 0.0) / self._half] if self.spread else scaled

    def truth(self, example: LabeledText) -> float | None:
        """Return the value."""
        return example.value

    def loss(self, training: Any, targets: Sequence[Sequence[float]]) -> Loss:
        """Return the squared error, summed over the outputs."""

        def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            from torch.nn import functional

            return functional.mse_loss(logits, target, reduction="none").sum(dim=1)

        return loss

    def decode(self, outputs: np.ndarray, encoded: Sequence[Encoded] = ()) -> list[Prediction]:
        """Return value and score of each row of outputs, kept inside the range."""
        import numpy as np

        scores = np.clip(outputs[:, 0].astype(np.float64), -1.0, 1.0)
        spreads = np.maximum(outputs[:, -1].astype(np.float64), 0.0) * self._half
        return [
            Prediction(
                value=float(scores[row] * self._half + self._middle),
                spread=float(spreads[row]) if self.spread else None,
                score=float(scores[row]),
            )
            for row in range(len(outputs))
        ]

    def outcomes(self, examples: Sequence[LabeledText], predictions: Sequence[Prediction]) -> ValueOutcomes:
        """Pair true and predicted values."""
        import numpy as np

        return ValueOutcomes(
            truth=np.array([example.value for example in examples], dtype=float),
            predicted=np.array([answer.value for answer in predictions], dtype=float),
        )

    def signs(self, outcomes: ValueOutcomes) -> tuple[str, ...]:
        """Return whether the values show that nothing was learned."""
        return value_signs(outcomes)

    def outcomes_of(self, outputs: np.ndarray, targets: np.ndarray) -> ValueOutcomes:
        """Pair scaled values and outputs."""
        return ValueOutcomes(truth=targets[:, 0], predicted=outputs[:, 0])

    def preflight(
        self,
        train: Sequence[LabeledText],
        validation: Sequence[LabeledText],
        training: Any,
        targets: Sequence[Sequence[float]] = (),
    ) -> TargetFindings:
        """Describe the range of the values.

        Raises:
            DataError: all values are equal.
        """
        values = _values(train)
        if len(set(values)) < 2:
            raise DataError(f"all training rows hold the value {values[0]}; expected a number that varies")
        return TargetFindings(
            lines=(
                f"values     from {min(values):g} to {max(values):g}, mean {statistics.fmean(values):.2f}",
            )
        )

    def strata(self, examples: Sequence[LabeledText]) -> list[str]:
        """Return the quantile bin of each example's value."""
        values = _values(examples)
        ordered, count = sorted(values), min(BINS, len(values) // BINS)
        edges = [ordered[len(values) * edge // count] for edge in range(1, count)] if count > 1 else []
        return [f"bin {bisect.bisect_right(edges, value)}" for value in values]

    def describe(self, parts: Mapping[str, Sequence[LabeledText]]) -> dict[str, Any]:
        """Return empty counts: there are no labels."""
        return {"labels": {name: {} for name in parts}}

    def parity(
        self,
        before: Sequence[Prediction],
        after: Sequence[Prediction],
        truth: Sequence[object],
        limits: Limits,
    ) -> Differences:
        """Compare the mean difference of the values with their standard deviation."""
        import numpy as np

        old, new = (np.array([answer.value or 0.0 for answer in answers]) for answers in (before, after))
        moved = float(np.abs(old - new).mean() / (old.std() or 1.0))
        if moved <= limits.value:
            return Differences()
        failure = f"values move by {moved:.4f} standard deviations on average, {limits.value} are allowed"
        return Differences(failures=(failure,))

    def shown(self, answer: Prediction) -> Shown:
        """Return the value."""
        return Shown(headline=f"{answer.value:+.2f}", tone=tone_of(answer.score), score=answer.score)

    def claims(self, answer: Prediction, label: str | None = None) -> tuple[Claim, ...]:
        """Return the claim that the number lies where it does."""
        if label is not None:
            named_label(label, ("value",))

        def evidence_of(outputs: torch.Tensor) -> torch.Tensor:
            return outputs[:, 0] * self._half + self._middle

        return (NumberClaim(score=float(answer.score or 0.0), evidence_of=evidence_of),)

    @property
    def _half(self) -> float:
        return (self.high - self.low) / 2

    @property
    def _middle(self) -> float:
        return (self.high + self.low) / 2


def _values(examples: Sequence[LabeledText]) -> list[float]:
    return [number for example in examples for number in example.numbers]
