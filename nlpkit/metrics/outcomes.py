"""What was true and what was predicted, row by row: what every metric is a function of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

Kind: TypeAlias = Literal["labels", "values"]


def _nothing() -> Array:
    import numpy as np

    return np.empty(0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Outcomes:
    """What was true and what was predicted, row by row; checked once, here.

    For labels give `labels`, `truth` (n,) as indices into them, and `probabilities` (n, labels).
    For values give `truth` (n,) and `predicted` (n,).

    Raises:
        DataError: there are no rows, or some number is not finite or out of range.
    """

    truth: Array
    labels: tuple[str, ...] = ()
    probabilities: Array = field(default_factory=_nothing)
    """(n, labels), each row sums to 1; empty for values."""
    predicted: Array = field(default_factory=_nothing)
    """(n,): the value, or the index of the most probable label (filled in here)."""

    def __post_init__(self) -> None:
        import numpy as np

        if len(self.truth) == 0:
            raise DataError("nothing to measure: there are no rows; expected at least one")
        if self.labels:
            probabilities = _distribution(self.probabilities, (len(self.truth), len(self.labels)))
            object.__setattr__(self, "truth", _indices(self.truth, len(self.labels)))
            object.__setattr__(self, "probabilities", probabilities)
            object.__setattr__(self, "predicted", probabilities.argmax(axis=1))
            return
        if np.shape(self.predicted) != np.shape(self.truth):
            raise ValueError(
                f"{np.shape(self.truth)} true values but {np.shape(self.predicted)} predicted ones"
            )
        for name in ("truth", "predicted"):
            object.__setattr__(self, name, _finite(np.array(getattr(self, name), dtype=float), name))

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def kind(self) -> Kind:
        """Which metrics apply."""
        return "labels" if self.labels else "values"


def _finite(values: Array, name: str) -> Array:
    import numpy as np

    wrong = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))
    if wrong.size:
        raise DataError(
            f"row {wrong[0] + 1} of {name}: {values[wrong[0]]}; expected finite numbers ({wrong.size} rows wrong)"
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
    """The rows scaled to sum to exactly 1, as scores in half precision do not quite."""
    import numpy as np

    if np.shape(probabilities) != shape:
        raise ValueError(f"probabilities have the shape {np.shape(probabilities)}; expected {shape}")
    found = _finite(np.array(probabilities, dtype=float), "probabilities")
    wrong = np.flatnonzero((found < 0).any(axis=1) | (abs(found.sum(axis=1) - 1) > 0.01))
    if wrong.size:
        raise DataError(
            f"row {wrong[0] + 1} of probabilities: {found[wrong[0]]}; expected numbers from 0 that sum to 1"
        )
    scaled: Array = found / found.sum(axis=1, keepdims=True)
    return scaled
