"""Sequential tests of whether a stream of texts is still like a reference, at an alarm rate that is promised.

Conformal p-values (Vovk, Gammerman and Shafer 2022, Algorithmic Learning in a Random World, chapter 8): each
text is ranked among the reference and all texts before it. While all are exchangeable, the ranks are
independent and uniform, however long the stream is. A test martingale bets against that (Vovk et al. 2021,
"Retrain or not retrain", arXiv:2102.10439): its capital is 1 at the beginning, and exceeds 1/a with a
probability of at most a, ever (Ville 1939). So looking at it after each text costs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BINS = 256
"""Scores are ranked by bins, so that the memory does not grow with the stream. Ties are broken at random."""
STEPS = 64
"""Most texts that are computed at once; no number depends on it."""
BOTH = tuple(
    (degree, size)
    for degree, sizes in ((1, (0.1, 0.25, 0.5, 0.9)), (2, (0.25, 0.5, 0.9)))
    for size in (*sizes, *(-size for size in sizes))
)
"""Bets on either side: that ranks are high, low, more extreme or less. A bet multiplies its capital by
1 + size * P(p), where P is the shifted Legendre polynomial of that degree, whose mean is 0."""
LOWER = ((1, -0.1), (1, -0.25), (1, -0.5), (1, -0.9))
"""Bets that ranks are low."""
AT_ONCE = 0.5
"""The part of the capital that bets from the first text on. The rest waits: so much begins with each text
that a change found late costs little (a mixture over starts, Shiryaev 1963)."""
PACE = 1000
MOST = 1e280


class Ranks:
    """Conformal p-values of scores, in memory that does not grow.

    Args:
        edges: between the bins, ascending; they depend on nothing that is ranked.
        reference: scores that are like those to come, (rows,).
        categories: the category of each, from 0; a score is ranked within its own (Mondrian).
        count: how many categories there are.
    """

    def __init__(
        self, edges: NDArray[Any], reference: NDArray[Any], categories: NDArray[Any], count: int
    ) -> None:
        self._edges = edges
        self.counts: NDArray[Any] = np.zeros((count, len(edges) + 1), dtype=np.int64)
        np.add.at(self.counts, (categories, self._bins(reference)), 1)

    def _bins(self, scores: NDArray[Any]) -> NDArray[Any]:
        return np.searchsorted(self._edges, scores, side="right")

    def p_values(self, scores: NDArray[Any], categories: NDArray[Any], uniform: NDArray[Any]) -> NDArray[Any]:
        """Return the p-value of each score among those before it, and take it among them.

        Args:
            scores: (texts,), in order.
            categories: (texts,).
            uniform: (texts,) random numbers from 0 to 1, which break ties.

        Returns:
            (texts,): low where the score is low.
        """
        bins = self._bins(scores)
        up_to = self.counts.cumsum(axis=1)
        equal = self.counts[categories, bins]
        less = up_to[categories, bins] - equal
        before = np.tri(len(bins), k=-1, dtype=bool) & (categories == categories[:, None])
        less = less + (before & (bins < bins[:, None])).sum(axis=1)
        equal = equal + (before & (bins == bins[:, None])).sum(axis=1)
        number = up_to[categories, -1] + before.sum(axis=1) + 1
        np.add.at(self.counts, (categories, bins), 1)
        p: NDArray[Any] = (less + uniform * (equal + 1)) / number
        return p


class Martingale:
    """The capital of bets against uniform p-values.

    Args:
        bets: degree and size of each.
    """

    def __init__(self, bets: Sequence[tuple[int, float]]) -> None:
        self._degrees, self._sizes = np.array(bets).T
        self.texts: int = 0
        self.capitals: NDArray[Any] = np.zeros(len(bets))
        """(bets,): what each bet has made of the capital that has begun."""
        self.sums: NDArray[Any] = np.zeros(len(bets))
        """(bets,): the logarithm of a bet's growth from the first text on."""
        self.lowest: NDArray[Any] = np.zeros(len(bets))
        """(bets,): the lowest that it was."""
        self.starts: NDArray[Any] = np.zeros(len(bets), dtype=np.int64)
        """(bets,): the number of texts after which it was lowest: the likeliest time of a change (Page
        1954)."""

    def bet(self, p: NDArray[Any]) -> NDArray[Any]:
        """Bet on the p-values of the next texts, at most STEPS; return (texts,), the capital after each."""
        x = 2 * p[:, None] - 1
        factors = 1 + self._sizes * np.where(self._degrees == 1, x, (3 * x**2 - 1) / 2)
        waiting = _waiting(self.texts + np.arange(len(p) + 1))
        begun = (waiting[:-1] - waiting[1:])[:, None]
        growth = np.cumprod(factors, axis=0)
        before = np.vstack([np.ones(len(self.capitals)), growth[:-1]])
        capitals = np.minimum(growth * (self.capitals + np.cumsum(begun / before, axis=0)), MOST)
        sums = self.sums + np.cumsum(np.log(factors), axis=0)
        lowest = sums.min(axis=0)
        self.starts = np.where(lowest <= self.lowest, self.texts + sums.argmin(axis=0) + 1, self.starts)
        self.lowest = np.minimum(self.lowest, lowest)
        self.sums, self.capitals = sums[-1], capitals[-1]
        self.texts += len(p)
        total: NDArray[Any] = capitals.mean(axis=1) + waiting[1:]
        return total

    @property
    def since(self) -> int:
        """How many texts came before the likeliest change."""
        return int(self.starts[(self.sums - self.lowest).argmax()])


def _waiting(texts: NDArray[Any]) -> NDArray[Any]:
    """Return the part of the capital that has not begun to bet after so many texts."""
    waiting: NDArray[Any] = np.where(texts > 0, (1 - AT_ONCE) / (1 + np.log1p(texts / PACE)), 1.0)
    return waiting
