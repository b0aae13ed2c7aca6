"""Metrics that are made of sums over rows, such as nats over tokens: a row's parts are drawn together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.metric import Bootstrap, Measured, Metric

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Ratio:
    """The parts of a ratio, row by row."""

    over: Array
    """(rows,)."""
    under: Array
    """(rows,)."""

    @classmethod
    def of(cls, over: ArrayLike, under: ArrayLike | None = None) -> Ratio:
        """Return a ratio of sums; without `under`, a mean."""
        import numpy as np

        top = np.asarray(over, dtype=float)
        return cls(over=top, under=np.ones_like(top) if under is None else np.asarray(under, dtype=float))

    def __len__(self) -> int:
        return len(self.over)

    def same_rows(self, outcomes: Ratio) -> bool:
        """Whether both have as many rows."""
        return len(self) == len(outcomes)


def ratio_metric(
    parts: Callable[[Measured], Ratio],
    *,
    nothing: str = "nothing to measure it on",
    after: Callable[[Array], Array] | None = None,
    **described: Any,
) -> Metric[Measured]:
    """Return the metric that is one sum over another.

    Args:
        parts: what each row brings.
        nothing: why the metric has no value where the lower sum is 0.
        after: applied to the ratio.
        described: the other fields of `Metric`.
    """

    def of(sums: Array) -> Array:
        import numpy as np

        with np.errstate(invalid="ignore", divide="ignore"):
            ratios: Array = sums[:, 0] / sums[:, 1]
        return after(ratios) if after else ratios

    return summed_metric(
        lambda outcomes: _stacked(parts(outcomes)),
        of,
        undefined=lambda outcomes: None if parts(outcomes).under.sum() else nothing,
        **described,
    )


def mean_statistic(values: Array, *, share: bool = False) -> Bootstrap:
    """Return how a mean over rows is resampled."""
    return Bootstrap(statistic=lambda drawn: drawn @ values / len(values), share=share)


def summed_metric(
    parts: Callable[[Measured], Array], of: Callable[[Array], Array], **described: Any
) -> Metric[Measured]:
    """Return the metric that is a function of sums over rows.

    Args:
        parts: (rows, parts), what each row brings.
        of: the sums of each sample, (samples, parts) -> (samples,).
        described: the other fields of `Metric`.
    """

    def compute(outcomes: Measured) -> float:
        return float(of(parts(outcomes).sum(axis=0, keepdims=True))[0])

    def resample(outcomes: Measured) -> Bootstrap:
        rows = parts(outcomes)
        share = rows.shape[1] == 2 and bool((rows[:, 1] == 1).all())
        return Bootstrap(statistic=lambda drawn: of(drawn @ rows), share=share)

    return Metric(compute=compute, resample=resample, **described)


def _stacked(ratio: Ratio) -> Array:
    import numpy as np

    return np.stack([ratio.over, ratio.under], axis=1)
