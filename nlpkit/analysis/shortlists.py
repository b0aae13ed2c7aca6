"""The texts that may be worth reading: a few of each cell and label, kept while all rows pass by."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.analysis.scored_rows import Batch

Kind: TypeAlias = Literal["strongest", "doubtful", "sample"]
KEPT = 24
"""Texts of each cell, label and kind, from which those that are shown are chosen."""
SAMPLED = 200
"""Texts drawn at random from each label, of which the most typical ones are found."""
LONGEST = 2_000
"""Characters of a text that are kept."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A text that may be shown."""

    rank: float
    """The lower, the sooner."""
    text: str
    file: str
    row: int
    label: str
    """The one that it was given, and that its cell is of."""
    probability: float
    """Of that label."""
    group: tuple[str, str] | None = None
    """Column and value, where it is kept for a group."""
    period: str = ""


@dataclass(kw_only=True)
class Shortlists:
    """Keeps the candidates of each (group, label, kind)."""

    labels: tuple[str, ...]
    seed: int = 1
    lists: dict[tuple[tuple[str, str] | None, str, Kind], list[Candidate]] = field(default_factory=dict)

    def add(
        self, batch: Batch, rows: NDArray[Any], group: tuple[str, str] | None, periods: list[str]
    ) -> None:
        """Add the rows of a batch that belong to a group, or all of them (None)."""
        import numpy as np

        if batch.probabilities is None or batch.given is None or not len(rows):
            return
        chances, given = batch.probabilities[rows], batch.given[rows]
        certain = np.sort(np.where(given, chances, 1 - chances), axis=1)[:, 0]
        if len(self.labels) > 1 and (given.sum(axis=1) == 1).all():  # one label: how far ahead of the second
            ordered = np.sort(chances, axis=1)
            certain = ordered[:, -1] - ordered[:, -2]
        drawn = np.random.default_rng((self.seed, batch.first)).random(len(rows))
        for number, label in enumerate(self.labels):
            inside = np.flatnonzero(given[:, number])
            if not len(inside):
                continue
            ranks: dict[Kind, NDArray[Any]] = {"strongest": -chances[:, number], "doubtful": certain}
            if group is None:
                ranks["sample"] = drawn
            for kind, rank in ranks.items():
                size = SAMPLED if kind == "sample" else KEPT
                held = self.lists.setdefault((group, label, kind), [])
                worst = held[-1].rank if len(held) >= size else np.inf
                better = inside[rank[inside] < worst]
                best = better[np.argsort(rank[better], kind="stable")]
                fresh = [
                    Candidate(
                        rank=float(rank[row]),
                        text=str(batch.texts[rows[row]])[:LONGEST],
                        file=batch.file,
                        row=batch.first + int(rows[row]),
                        label=label,
                        probability=float(chances[row, number]),
                        group=group,
                        period=periods[rows[row]] if periods else "",
                    )
                    for row in best[: 2 * size]
                ]
                if fresh:
                    self.lists[group, label, kind] = _merged(held, fresh, size)


def _merged(held: list[Candidate], fresh: list[Candidate], size: int) -> list[Candidate]:
    """Return the first ones by rank, each text once."""
    texts: dict[str, Candidate] = {}
    for candidate in sorted([*held, *fresh], key=lambda each: each.rank):
        texts.setdefault(candidate.text, candidate)
    return list(texts.values())[:size]
