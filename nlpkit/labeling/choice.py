"""Choose the texts to label next: by what a run is uncertain of, and unlike one another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.data.near import near_groups

if TYPE_CHECKING:
    from numpy.typing import NDArray

CANDIDATES = 10
"""How many times as many texts as are asked for are looked at: those with the smallest gaps."""
NEAR = 0.8
"""Texts that share this much (Jaccard similarity of word pairs) are not both asked about."""


def gaps(probabilities: NDArray[Any]) -> NDArray[Any]:
    """Return (texts,): how far the second label of each text is behind the first, in probability.

    Args:
        probabilities: (texts, labels), at least two labels.
    """
    import numpy as np

    highest = np.partition(probabilities, -2, axis=1)[:, -2:]
    behind: NDArray[Any] = highest[:, 1] - highest[:, 0]
    return behind


def first_of_each(texts: Sequence[str], known: Sequence[str] = (), *, seed: int) -> list[int]:
    """Return the numbers of the texts that are not nearly equal to an earlier one, or to a known one."""
    groups = near_groups([*known, *texts], threshold=NEAR, seed=seed)
    seen = set(groups[: len(known)])
    chosen = []
    for number, group in enumerate(groups[len(known) :]):
        if group not in seen:
            seen.add(group)
            chosen.append(number)
    return chosen


def diverse(vectors: NDArray[Any], weights: NDArray[Any], count: int, *, seed: int) -> list[int]:
    """Return the numbers of so many texts, unlike one another, in the order in which they were drawn.

    The first is the one of the greatest weight. Each further one is drawn with a probability that grows with
    its weight and with its squared distance from the nearest one chosen so far (k-means++; Arthur and
    Vassilvitskii 2007).

    Args:
        vectors: (texts, size), at unit length.
        weights: (texts,), none below 0.
        count: how many; all of them where there are no more.
        seed: draws them.
    """
    import numpy as np

    random = np.random.default_rng(seed)
    free = np.ones(len(vectors), dtype=bool)
    distances = np.full(len(vectors), np.inf)
    chosen: list[int] = []
    while len(chosen) < min(count, len(vectors)):
        chances = np.where(free, weights * (distances if chosen else 1.0), 0.0)
        if not chances.sum() > 0:
            chances = free.astype(float)
        number = int(random.choice(len(vectors), p=chances / chances.sum()) if chosen else chances.argmax())
        chosen.append(number)
        free[number] = False
        squared = np.maximum(2 - 2 * (vectors @ vectors[number]), 0.0)
        distances = np.minimum(distances, squared)
    return chosen


def uncertain(
    probabilities: NDArray[Any],
    vectors: Callable[[Sequence[int]], NDArray[Any]],
    count: int,
    *,
    seed: int,
    candidates: int = CANDIDATES,
) -> list[int]:
    """Return the numbers of so many texts that a classifier is uncertain of and that are unlike one another.

    Of the texts with the smallest gaps between their two most probable labels, some times as many as are
    asked for, `diverse` draws; a text weighs one minus its gap.

    Args:
        probabilities: (texts, labels).
        vectors: gets the numbers of texts, and returns (those, size), at unit length.
        count: how many; all of them where there are no more.
        seed: draws them.
        candidates: how many times as many texts are drawn from.
    """
    import numpy as np

    behind = gaps(probabilities)
    order = np.argsort(behind, kind="stable")[: candidates * count].tolist()
    chosen = diverse(vectors(order), 1 - behind[order], count, seed=seed)
    return [order[number] for number in chosen]
