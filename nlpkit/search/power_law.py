"""A score over the number of labels as a power law: what comes near a limit, ever more slowly.

Learning curves of neural networks follow it over a wide range (Hestness et al. 2017, arXiv:1712.00409).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

SLOWEST, FASTEST = 0.05, 2.0
"""Exponents between which a fit stays: below, no limit is in sight; above, it is reached at once."""
LEAST_SIZES = 3
"""Different sizes that a fit needs: it has three numbers."""


@dataclass(frozen=True, kw_only=True)
class PowerLaw:
    """score(n) = limit - sign * factor * (n / unit) ** -exponent, with sign 1 where more is better."""

    limit: float
    factor: float
    exponent: float
    unit: float
    sign: int

    def at(self, sizes: Any) -> Any:
        """Return the score for a number of labels, or for an array of them."""
        return self.limit - self.sign * self.factor * (sizes / self.unit) ** -self.exponent


def fit(
    sizes: Array, scores: Array, *, higher_is_better: bool, scale: tuple[float, float] | None
) -> PowerLaw | None:
    """Return the power law nearest to scores by least squares; None where none is found.

    Args:
        sizes: labels of each run, (runs,).
        scores: of each run, (runs,).
        higher_is_better: whether the score rises with more labels.
        scale: ends that the limit stays within; None for a metric without.
    """
    import numpy as np
    from scipy.optimize import OptimizeWarning, curve_fit

    sign, unit = (1 if higher_is_better else -1), float(sizes.max())
    errors = -sign * scores  # falls towards its limit
    low = float(-scale[1] if sign > 0 else scale[0]) if scale else -np.inf
    start = float(errors.min())
    spread = max(float(errors.max()) - start, 1e-6)

    def law(n: Array, limit: float, factor: float, exponent: float) -> Array:
        return np.asarray(limit + factor * n**-exponent)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", OptimizeWarning)  # no covariance is asked for
            best, _ = curve_fit(
                law,
                sizes / unit,
                errors,
                p0=(max(start - spread / 2, low + 1e-9), spread / 2, 0.5),
                bounds=((low, 0.0, SLOWEST), (np.inf, np.inf, FASTEST)),
            )
    except (RuntimeError, ValueError):
        return None
    limit, factor, exponent = map(float, best)
    return PowerLaw(limit=-sign * limit, factor=factor, exponent=exponent, unit=unit, sign=sign)
