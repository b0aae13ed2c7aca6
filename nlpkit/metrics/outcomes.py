"""What was true and what was predicted, row by row: what metrics of labels and values are functions of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelOutcomes:
    """The true label and the probability of each label, row by row; checked once, here.

    Raises:
        DataError: there are no rows, or some number is not finite or out of range.
    """

    labels: tuple[str, ...]
    truth: Array
    """(n,): indices into `labels`."""
    probabilities: Array
    """(n, labels), each row sums to 1."""
    given: Array | None = None
    """(n,): indices of the labels that were given; default: the most probable ones."""
    ordered: bool = False
    """Whether the labels lie on a line."""

    def __post_init__(self) -> None:
        _refuse_empty(self.truth)
        probabilities = _distribution(self.probabilities, (len(self.truth), len(self.labels)))
        object.__setattr__(self, "truth", _indices(self.truth, len(self.labels)))
        object.__setattr__(self, "probabilities", probabilities)
        if self.given is not None:
            object.__setattr__(self, "given", _indices(self.given, len(self.labels)))

    def __len__(self) -> int:
        return len(self.truth)

    @cached_property
    def predicted(self) -> Array:
        """(n,): the index of the label that was given."""
        best: Array = self.probabilities.argmax(axis=1) if self.given is None else self.given
        return best

    @cached_property
    def certain(self) -> Array:
        """(n,): the probability of the label that was given."""
        import numpy as np

        chances: Array = self.probabilities[np.arange(len(self)), self.predicted]
        return chances

    @cached_property
    def right(self) -> Array:
        """(n,): whether the label that was given is the true one."""
        hits: Array = self.truth == self.predicted
        return hits

    def same_rows(self, outcomes: LabelOutcomes) -> bool:
        """Whether both have the same labels and the same true rows in the same order."""
        return self.labels == outcomes.labels and self.truth.tolist() == outcomes.truth.tolist()

    def arrays(self) -> tuple[Array, Array]:
        """Return predicted and true label names."""
        import numpy as np

        names = np.array(self.labels)
        return names[self.predicted], names[self.truth]


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelSetOutcomes:
    """Which labels are true, which were given and how probable each is, row by row; checked once, here.

    Raises:
        DataError: there are no rows, or some probability is not finite or out of range.
    """

    labels: tuple[str, ...]
    truth: Array
    """(n, labels): whether each label applies."""
    probabilities: Array
    """(n, labels), each from 0 to 1 by itself."""
    given: Array
    """(n, labels): whether the answer holds each label."""

    def __post_init__(self) -> None:
        import numpy as np

        _refuse_empty(self.truth)
        shape = (len(self.truth), len(self.labels))
        for name in ("truth", "probabilities", "given"):
            if np.shape(getattr(self, name)) != shape:
                raise ValueError(f"{name} has the shape {np.shape(getattr(self, name))}; expected {shape}")
        rows = _finite(np.array(self.probabilities, dtype=float), "probabilities")
        wrong = np.flatnonzero(((rows < 0) | (rows > 1)).any(axis=1))
        if wrong.size:
            raise DataError(f"row {wrong[0] + 1} of probabilities: {rows[wrong[0]]}; expected 0 to 1")
        object.__setattr__(self, "probabilities", rows)
        for name in ("truth", "given"):
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=bool))

    def __len__(self) -> int:
        return len(self.truth)

    def same_rows(self, outcomes: LabelSetOutcomes) -> bool:
        """Whether both have the same labels and the same true rows in the same order."""
        return self.labels == outcomes.labels and self.truth.tolist() == outcomes.truth.tolist()

    def arrays(self) -> tuple[Array, Array]:
        """Return given and true labels, each (n, labels) of 0 and 1."""
        return self.given.astype(int), self.truth.astype(int)


@dataclass(frozen=True, kw_only=True, eq=False)
class ValueOutcomes:
    """The true and the predicted value, row by row; checked once, here.

    Raises:
        DataError: there are no rows, or some number is not finite.
    """

    truth: Array
    """(n,)."""
    predicted: Array
    """(n,)."""

    def __post_init__(self) -> None:
        import numpy as np

        _refuse_empty(self.truth)
        if np.shape(self.predicted) != np.shape(self.truth):
            raise ValueError(
                f"{np.shape(self.truth)} true values but {np.shape(self.predicted)} predicted ones"
            )
        for name in ("truth", "predicted"):
            object.__setattr__(self, name, _finite(np.array(getattr(self, name), dtype=float), name))

    def __len__(self) -> int:
        return len(self.truth)

    def same_rows(self, outcomes: ValueOutcomes) -> bool:
        """Whether both have the same true rows in the same order."""
        return bool(self.truth.tolist() == outcomes.truth.tolist())

    def arrays(self) -> tuple[Array, Array]:
        """Return predicted and true values."""
        return self.predicted, self.truth


def _refuse_empty(truth: Array) -> None:
    if len(truth) == 0:
        raise DataError("nothing to measure: there are no rows; expected at least one")


def _finite(values: Array, name: str) -> Array:
    import numpy as np

    wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if wrong.size:
        raise DataError(
            f"row {wrong[0] + 1} of {name}: {values[wrong[0]]}; "
            f"expected finite numbers ({wrong.size} rows wrong)"
        )
    return values


def _indices(truth: Array, labels: int) -> Array:
    import numpy as np

    wrong = np.flatnonzero((np.asarray(truth) < 0) | (np.asarray(truth) >= labels))
    if wrong.size:
        raise DataError(
            f"row {wrong[0] + 1} of truth: label number {truth[wrong[0]]}; expected 0 to {labels - 1}"
        )
    return np.array(truth, dtype=np.int64)


def _distribution(probabilities: Array, shape: tuple[int, int]) -> Array:
    """Return the rows scaled to sum to exactly 1, as scores in half precision do not quite."""
    import numpy as np

    if np.shape(probabilities) != shape:
        raise ValueError(f"probabilities have the shape {np.shape(probabilities)}; expected {shape}")
    rows = _finite(np.array(probabilities, dtype=float), "probabilities")
    wrong = np.flatnonzero((rows < 0).any(axis=1) | (abs(rows.sum(axis=1) - 1) > 0.01))
    if wrong.size:
        raise DataError(
            f"row {wrong[0] + 1} of probabilities: {rows[wrong[0]]}; expected numbers from 0 that sum to 1"
        )
    scaled: Array = rows / rows.sum(axis=1, keepdims=True)
    return scaled
