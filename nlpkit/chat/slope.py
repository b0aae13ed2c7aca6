"""A robust slope with its interval: the median of the slopes of all pairs of points (Sen 1968)."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

OUTSIDE = 0.025
"""Probability that the slope is below the interval, or above it, at most."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Slope:
    """A slope with its 95% interval."""

    value: float
    low: float
    high: float


def fit_slope(points: Sequence[tuple[float, float]]) -> Slope | None:
    """Return the Theil-Sen slope of points (x, y) with different x.

    None for fewer than five points: no interval of 95% exists then, however clear the slope.
    """
    left_out = _left_out(len(points))
    if left_out is None:
        return None
    slopes = sorted(
        (last - first) / (end - start)
        for (start, first), (end, last) in itertools.combinations(sorted(points), 2)
    )
    return Slope(value=statistics.median(slopes), low=slopes[left_out], high=slopes[-1 - left_out])


def _left_out(count: int) -> int | None:
    """Return how many slopes lie outside the interval at each end; None where there is no interval.

    The slopes below the true one are as many as the inversions of a random order.
    """
    orders = [1]
    """Number of permutations by their inversions."""
    for size in range(2, count + 1):
        orders = [
            sum(orders[max(0, inversions - size + 1) : inversions + 1])
            for inversions in range(len(orders) + size - 1)
        ]
    allowed = OUTSIDE * math.factorial(count)
    cumulated = itertools.accumulate(orders)
    return sum(total <= allowed for total in cumulated) - 1 if orders[0] <= allowed else None
