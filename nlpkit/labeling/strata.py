"""Draw texts so that their labels give the shares of all texts without bias, and with narrow intervals.

Texts are put in strata by the label that a run gives them and by its certainty. From each stratum so many are
drawn at random as it adds to the uncertainty about the shares (Neyman 1934). Whatever the run answers, the
estimate has no bias: a poor run only makes the intervals wider.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from nlpkit.errors import DataError
from nlpkit.metrics.intervals import NORMAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

Item = TypeVar("Item")

CERTAINTIES = (0.5, 0.7, 0.85, 0.95, 0.99)
"""Where the texts of one label are cut into cells."""
LEAST = 2
"""Labels that each stratum gets: the fewest that have a variance."""
DOUBT = 0.1
"""How much of each probability is taken to be spread evenly over the labels: a run that is too certain does
not leave its mistakes without a label."""


@dataclass(kw_only=True)
class _Cell(Generic[Item]):
    """The texts of one label and certainty: how many there are, and a random sample of them."""

    texts: int = 0
    probabilities: Any = 0.0
    """The sum over its texts, (labels,)."""
    sample: list[tuple[float, int, Item]] = field(default_factory=list)
    """A heap of the texts with the smallest random numbers, the largest first, each as its negative."""


@dataclass(frozen=True, kw_only=True)
class Drawn(Generic[Item]):
    """A text that was drawn."""

    item: Item
    stratum: int
    texts: int
    """How many texts its stratum has."""
    probability: float
    """How probable it was that this text is drawn."""


class StrataSampler(Generic[Item]):
    """Takes texts as they come, in bounded memory: `count` of each cell at most."""

    def __init__(self, count: int, *, seed: int) -> None:
        import numpy as np

        self._count, self._random = count, np.random.default_rng(seed)
        self._cells: dict[tuple[int, int], _Cell[Item]] = {}
        self._taken = 0

    def add(self, probabilities: NDArray[Any], items: Sequence[Item]) -> None:
        """Take texts with their probabilities, (texts, labels)."""
        import numpy as np

        numbers = self._random.random(len(items)).tolist()
        bins = np.searchsorted(CERTAINTIES, probabilities.max(axis=1)).tolist()
        labels = probabilities.argmax(axis=1).tolist()
        for row, key in enumerate(zip(labels, bins, strict=True)):
            cell = self._cells.setdefault(key, _Cell())
            cell.texts += 1
            cell.probabilities = cell.probabilities + probabilities[row]
            self._taken += 1
            entry = (-numbers[row], self._taken, items[row])
            if len(cell.sample) < self._count:
                heapq.heappush(cell.sample, entry)
            elif entry > cell.sample[0]:
                heapq.heapreplace(cell.sample, entry)

    def draw(self) -> list[Drawn[Item]]:
        """Return the texts to label: at most `count`, at least LEAST of each stratum that has so many."""
        cells = [cell for _, cell in sorted(self._cells.items())]
        weights = [cell.texts * _deviation(cell) for cell in cells]
        strata: list[list[_Cell[Item]]] = []
        wanted: list[float] = []
        for cell, weight in zip(cells, weights, strict=True):
            if not strata or wanted[-1] >= 1.5 * LEAST:
                strata.append([])
                wanted.append(0.0)
            strata[-1].append(cell)
            wanted[-1] += self._count * weight / sum(weights)
        if len(strata) > 1 and wanted[-1] < LEAST:
            strata[-2:] = [strata[-2] + strata[-1]]
            wanted[-2:] = [wanted[-2] + wanted[-1]]
        sizes = [sum(cell.texts for cell in stratum) for stratum in strata]
        counts = allocated(wanted, sizes, self._count)
        return [
            Drawn(item=item, stratum=number, texts=size, probability=count / size)
            for number, (stratum, size, count) in enumerate(zip(strata, sizes, counts, strict=True), 1)
            for item in self._sampled(stratum, count)
        ]

    def _sampled(self, stratum: Sequence[_Cell[Item]], count: int) -> list[Item]:
        """Return a simple random sample of a stratum: of each cell as many as a draw from all would take."""
        sizes = [cell.texts for cell in stratum]
        each = self._random.multivariate_hypergeometric(sizes, count, method="marginals").tolist()
        items: list[Item] = []
        for cell, taken in zip(stratum, each, strict=True):
            items += [item for _, _, item in heapq.nlargest(taken, cell.sample)]
        return items


def _deviation(cell: _Cell[Any]) -> float:
    """Return the standard deviation of a cell's labels, over all of them, as the run expects it."""
    shares = (1 - DOUBT) * cell.probabilities / cell.texts + DOUBT / len(cell.probabilities)
    return math.sqrt(float((shares * (1 - shares)).sum()))


def allocated(wanted: Sequence[float], sizes: Sequence[int], count: int) -> list[int]:
    """Return whole numbers close to `wanted` that sum to `count`, each from LEAST to the size.

    Where the sizes, or LEAST of each, do not allow it, the sum is as near as it can be.
    """
    given = [min(LEAST, size) for size in sizes]
    while sum(given) < count:
        short = [
            (want - has, -number)
            for number, (want, has, size) in enumerate(zip(wanted, given, sizes, strict=True))
            if has < size
        ]
        if not short:
            break
        given[-max(short)[1]] += 1
    return given


@dataclass(frozen=True, kw_only=True)
class LabelShare:
    """The share of a label among all texts, estimated from those that people labeled."""

    label: str
    share: float
    low: float
    high: float
    """Ends of the 95% interval."""
    labeled: int
    """Texts that people gave this label."""


def stratified_shares(
    counts: Mapping[int, Mapping[str, int]], sizes: Mapping[int, int], labels: Sequence[str]
) -> list[LabelShare]:
    """Return the share of each label, from how often people gave it in each stratum.

    The interval is Wilson's for as many labels as a plain random draw of that variance would have; a stratum
    in which all labels agree still counts as uncertain.

    Args:
        counts: stratum -> label -> how many of its labeled texts have it.
        sizes: stratum -> how many texts it has.
        labels: in the order in which they are returned.

    Raises:
        DataError: a stratum has no labels.
    """
    for stratum in sizes:
        if not sum(counts.get(stratum, {}).values()):
            raise DataError(f"stratum {stratum}: none of its rows has a label; expected at least one")
    total = sum(sizes.values())
    drawn = {stratum: sum(counts[stratum].values()) for stratum in sizes}
    shares = []
    for label in labels:
        given = {stratum: counts[stratum].get(label, 0) for stratum in sizes}
        share = sum(size / total * given[stratum] / drawn[stratum] for stratum, size in sizes.items())
        variance = 0.0
        for stratum, size in sizes.items():
            inside = (given[stratum] + share) / (drawn[stratum] + 1)
            left = 1 - drawn[stratum] / size
            variance += (size / total) ** 2 * left * inside * (1 - inside) / drawn[stratum]
        spread, labeled = share * (1 - share), sum(drawn.values())
        rows = spread / variance if spread > 0 and variance > 0 else labeled
        low, high = (share, share) if labeled == total else _wilson(share, rows)
        shares.append(LabelShare(label=label, share=share, low=low, high=high, labeled=sum(given.values())))
    return shares


def _wilson(share: float, rows: float) -> tuple[float, float]:
    """Return the interval of a share among so many rows (Wilson 1927)."""
    square = NORMAL**2 / rows
    center = (share + square / 2) / (1 + square)
    half = NORMAL * math.sqrt(share * (1 - share) / rows + square / (4 * rows)) / (1 + square)
    return max(0.0, center - half), min(1.0, center + half)
