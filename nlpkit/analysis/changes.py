"""Change points in a series of shares: since which period a share is another one.

Binary segmentation (Scott and Knott 1974, doi:10.2307/2529204) with the likelihood ratio of a step in a
mean (CUSUM). Its level is simulated: the largest ratio over all places, of series that have the sizes of
this one and no change. Both are divided by the noise between neighboring periods, so that a series that
varies more than its texts explain does not alarm more often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_PERIODS = 6
"""Periods below which no change stands out from noise."""
SHORTEST = 2
"""Periods on each side of a change."""
LEVEL = 0.05
"""Of a false alarm in any of the series that are tested together."""
MOST_DRAWS = 50_000
"""Simulated series without a change, at most. They tell apart up to seven changes of a single series."""
FIRST, NEXT = 0.75, 8
"""The part of the level that the first test of a series spends, and how much less each test one step deeper
does: as there are twice as many of these, all together spend the level and not more."""
LEAST_NOISE = 0.01
"""The noise of a series that hardly varies, as a part of what its texts explain."""
NEAR = 3.84
"""A place is likely too whose likelihood ratio is at most this below the best one (95% of chi-squared)."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """A change of a series' mean."""

    at: int
    """The first period after it."""
    earliest: int
    """The range of the periods that are about as likely."""
    latest: int
    p: float
    """By simulation, for this segment of this series alone."""


def steps_in(
    values: NDArray[Any], texts: Sequence[int], variances: Sequence[float], *, level: float, seed: int
) -> list[list[Step]]:
    """Return the changes of some series over the same periods, those of each in its order.

    A series without a change has one found with a probability of at most `level`.

    Args:
        values: (series, periods), the shares.
        texts: of each period.
        variances: of what the shares are means of, for each series.
        level: for each series alone.
        seed: draws the series without a change.
    """
    import numpy as np

    weights = np.asarray(texts, dtype=float)
    if len(weights) < FEWEST_PERIODS:
        return [[] for _ in values]
    draws = int(min(MOST_DRAWS, 100 / level))
    null = np.random.default_rng(seed).standard_normal((draws, len(weights))) / np.sqrt(weights)
    noise = _noise(null, weights)
    cache: dict[tuple[int, int], NDArray[Any]] = {}

    def largest(start: int, end: int) -> NDArray[Any]:
        if (start, end) not in cache:
            cache[start, end] = _ratios(null[:, start:end], weights[start:end]).max(axis=1) / noise
        return cache[start, end]

    return [
        _steps(series, weights, variance, largest, level)
        for series, variance in zip(np.asarray(values, dtype=float), variances, strict=True)
    ]


def _steps(
    values: NDArray[Any],
    weights: NDArray[Any],
    variance: float,
    largest: Callable[[int, int], NDArray[Any]],
    level: float,
) -> list[Step]:
    """Return the changes of one series; `largest` simulates what the ratio of a segment is without one."""
    noise = max(float(_noise(values[None], weights)[0]), LEAST_NOISE * variance)
    steps: list[tuple[int, float]] = []
    waiting = [(0, len(values), level * FIRST)]
    while waiting:
        start, end, part = waiting.pop()
        if end - start < 2 * SHORTEST:
            continue
        ratios = _ratios(values[None, start:end], weights[start:end])[0]
        best, null = int(ratios.argmax()), largest(start, end)
        p = float(1 + (null >= ratios[best] / noise).sum()) / (1 + len(null))
        if p > part:
            continue
        at = start + SHORTEST + best
        steps.append((at, p))
        waiting += [(start, at, part / NEXT), (at, end, part / NEXT)]
    return _placed(values, weights, sorted(steps), max(variance, noise))


def _placed(
    values: NDArray[Any], weights: NDArray[Any], rough: Sequence[tuple[int, float]], noise: float
) -> list[Step]:
    """Place each change anew between the ones before and after it (Bai 1997, doi:10.1017/S0266466600005831).

    Where a series has several, the first ones were placed as if there were no others.
    """
    import numpy as np

    places = [0, *(at for at, _ in rough), len(values)]
    steps = []
    for number, (_, p) in enumerate(rough, start=1):
        start, end = places[number - 1], places[number + 1]
        ratios = _ratios(values[None, start:end], weights[start:end])[0]
        near = np.flatnonzero(ratios >= ratios.max() - NEAR * noise)
        places[number], earliest, latest = (
            start + SHORTEST + int(index) for index in (ratios.argmax(), near[0], near[-1])
        )
        steps.append(Step(at=places[number], earliest=earliest, latest=latest, p=p))
    return steps


def _ratios(values: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """Return (series, places): twice the log-likelihood that a step at each place adds to a constant mean."""
    import numpy as np

    sums, whole = np.cumsum(values * weights, axis=1), np.cumsum(weights)
    inside = slice(SHORTEST - 1, len(weights) - SHORTEST)
    left = whole[inside]
    centered = sums[:, inside] - sums[:, -1:] * left / whole[-1]
    ratios: NDArray[Any] = centered**2 * whole[-1] / (left * (whole[-1] - left))
    return ratios


def _noise(values: NDArray[Any], weights: NDArray[Any]) -> NDArray[Any]:
    """Return (series,): the mean squared difference of neighbors, each divided by what one text varies by.

    The largest one is left out: it may be the change itself.
    """
    import numpy as np

    spread = 1 / weights[1:] + 1 / weights[:-1]
    squares = np.sort(np.diff(values, axis=1) ** 2 / spread, axis=1)[:, :-1]
    means: NDArray[Any] = squares.mean(axis=1)
    return means
