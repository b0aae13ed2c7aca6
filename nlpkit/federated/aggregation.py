"""The updates of several sites as one: means of LoRA products, robust means, and bounds against nonsense.

Pure numpy. All sites have the same rank and scale, so that a pair's change of the weights is B·A times a
constant that plays no part here.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from nlpkit.federated.settings import Aggregation
from nlpkit.federated.weights import Weights, pairs_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class Update:
    """What a site sends after its local training."""

    rows: int
    weights: Weights


@dataclass(frozen=True, kw_only=True)
class Aggregate:
    """One adapter and head out of several."""

    weights: Weights
    norms: Mapping[str, float]
    """How far each site moved: the Frobenius norm of its change of products and head."""
    scales: Mapping[str, float]
    """What each site's change was multiplied with: 1, or less where it was clipped."""
    lost: float
    """The share of the products' squared norm that the truncation to the rank left out; 0 for matrices."""


def problem_of(weights: Weights, start: Weights) -> str:
    """Say why an update can't be used: other arrays than were sent out, or values that are no numbers."""
    if weights.keys() != start.keys():
        unlike = sorted(weights.keys() ^ start.keys())
        return f"{len(unlike):,} arrays are missing or unknown, such as {unlike[0]}"
    for name, array in weights.items():
        if array.shape != start[name].shape or array.dtype != start[name].dtype:
            return (
                f"{name} is {array.dtype} of shape {list(array.shape)}; "
                f"expected {start[name].dtype} of shape {list(start[name].shape)}"
            )
        if not np.isfinite(array).all():
            return f"{name} holds nan or infinity"
    return ""


def aggregate(updates: Mapping[str, Update], start: Weights, how: Aggregation) -> Aggregate:
    """Return the weights of the next round.

    Args:
        updates: by site; `problem_of` found nothing wrong with them.
        start: what all sites started from in this round.
        how: what is averaged, and how.
    """
    norms = {site: norm(update.weights, start) for site, update in updates.items()}
    scales = dict(zip(norms, clip_scales(list(norms.values()), how.clip), strict=True))
    rows = np.array([update.rows for update in updates.values()], dtype=np.float64)
    mixing = _Mixing(how=how, shares=rows / rows.sum(), scales=np.array(list(scales.values())))
    sent = [update.weights for update in updates.values()]
    pairs = pairs_of(start) if how.average == "products" else {}
    together = {*pairs, *pairs.values()}
    combined: dict[str, Array] = {}
    whole = left = 0.0
    for name, array in start.items():
        if name not in together:
            combined[name] = mixing.arrays([weights[name] for weights in sent], array)
    for a, b in pairs.items():
        combined[a], combined[b], square, kept = mixing.products(
            [(weights[a], weights[b]) for weights in sent], (start[a], start[b])
        )
        whole, left = whole + square, left + square - kept
    return Aggregate(
        weights={name: combined[name].astype(start[name].dtype) for name in start},
        norms=norms,
        scales=scales,
        lost=max(0.0, left / whole) if whole else 0.0,
    )


def norm(weights: Weights, start: Weights) -> float:
    """Return the Frobenius norm of the change from `start`, of a LoRA pair that of its product B·A."""
    pairs = pairs_of(start)
    together = {*pairs, *pairs.values()}
    square = 0.0
    for name, array in start.items():
        if name not in together:
            square += float(((weights[name].astype(np.float64) - array) ** 2).sum())
    for a, b in pairs.items():
        left = np.hstack([weights[b], -start[b]]).astype(np.float64)
        right = np.vstack([weights[a], start[a]]).astype(np.float64)
        square += float(((left.T @ left) * (right @ right.T)).sum())  # ||L R||^2 = <L'L, RR'>
    return math.sqrt(max(0.0, square))


def clip_scales(norms: Sequence[float], clip: float | None) -> list[float]:
    """Return what each change is multiplied with, so that none is longer than `clip` median norms.

    Of an even number of norms the lower one in the middle counts: of two sites the shorter bounds the longer.
    """
    if clip is None:
        return [1.0] * len(norms)
    most = clip * statistics.median_low(norms)
    return [min(1.0, most / length) if length else 1.0 for length in norms]


def low_rank(left: Array, right: Array, rank: int, size: float) -> tuple[Array, Array, float, float]:
    """Return the A (rank, inputs) and B (outputs, rank) whose product is nearest to `left @ right`.

    The rows of A are orthogonal and of the length `size`, also where a singular value is 0: a direction whose
    A and B were both 0 could never be learned again.

    Args:
        left: (outputs, n).
        right: (n, inputs).
        rank: of the result.
        size: the length of each row of A.

    Returns:
        A, B, the squared norm of the product, and that of what is kept of it.
    """
    basis_b, corner_b = np.linalg.qr(left.astype(np.float64))
    basis_a, corner_a = np.linalg.qr(right.astype(np.float64).T)
    u, values, v = np.linalg.svd(corner_b @ corner_a.T, full_matrices=True)
    count = min(rank, u.shape[1], v.shape[0])
    held = np.zeros(count)
    held[: min(count, len(values))] = values[:count]
    a = np.zeros((rank, right.shape[1]))
    b = np.zeros((left.shape[0], rank))
    a[:count] = size * (basis_a @ v[:count].T).T
    b[:, :count] = (basis_b @ u[:, :count]) * held / size
    largest = np.take_along_axis(a, np.abs(a).argmax(axis=1)[:, None], axis=1)
    signs = np.where(largest < 0, -1.0, 1.0)  # of the two signs of a singular vector always the same
    return a * signs, b * signs.T, float((values**2).sum()), float((held**2).sum())


@dataclass(frozen=True, kw_only=True)
class _Mixing:
    """How a round's changes are mixed: the same for each array."""

    how: Aggregation
    shares: Array
    scales: Array

    def arrays(self, sent: Sequence[Array], start: Array) -> Array:
        """Mix arrays of one name."""
        first = start.astype(np.float64)
        scales = self.scales.reshape(-1, *[1] * start.ndim)
        return first + self._middle(scales * (np.stack(sent).astype(np.float64) - first))

    def products(
        self, sent: Sequence[tuple[Array, Array]], start: tuple[Array, Array]
    ) -> tuple[Array, Array, float, float]:
        """Mix the products of one LoRA pair, (A, B) a site, and cut the result back to the rank."""
        rank = start[0].shape[0]
        size = float(np.sqrt(np.mean([(a.astype(np.float64) ** 2).sum() / rank for a, _ in sent]))) or 1.0
        if self.how.combine == "mean":
            # start + sum of share * scale * (product - start), as one product of stacked matrices
            parts = [1 - float(self.shares @ self.scales), *(self.shares * self.scales)]
            pairs = [start, *sent]
            left = np.hstack([part * b for part, (_, b) in zip(parts, pairs, strict=True)])
            return low_rank(left, np.vstack([a for a, _ in pairs]), rank, size)
        dense = [b.astype(np.float64) @ a for a, b in sent]
        mixed = self.arrays(dense, start[1].astype(np.float64) @ start[0])
        return low_rank(mixed, np.eye(mixed.shape[1]), rank, size)

    def _middle(self, changes: Array) -> Array:
        """Return the mean, median or trimmed mean of changes, (sites, ...)."""
        if self.how.combine == "mean":
            mean: Array = np.tensordot(self.shares, changes, axes=1)
            return mean
        sites = len(changes)
        cut = max(1, int(self.how.trim * sites))
        if self.how.combine == "median" or sites <= 2 * cut:
            median: Array = np.median(changes, axis=0)
            return median
        trimmed: Array = np.sort(changes, axis=0)[cut : sites - cut].mean(axis=0)
        return trimmed
