"""The second pass: the answers of each group and period are summed, and each row is listed with its cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nlpkit.analysis.cells import ALL, Cell, Plan, cells_of
from nlpkit.analysis.passes import Listing, Passes
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.analysis.shortlists import Candidate, Kind, Shortlists
from nlpkit.errors import DataError
from nlpkit.trust.shares import FEWEST, Tally


@dataclass(frozen=True, kw_only=True)
class _State:
    tallies: list[tuple[Cell, dict[str, Any]]]
    lists: list[tuple[tuple[str, str] | None, str, Kind, list[Candidate]]]


@dataclass(kw_only=True)
class Counts:
    """What the second pass finds."""

    whole: Tally
    cells: dict[Cell, Tally] = field(default_factory=dict)
    shortlists: Shortlists

    def of(self, cell: Cell) -> Tally:
        """Return the sums of a cell."""
        return self.whole if cell == ALL else self.cells[cell]

    def state(self) -> _State:
        """Return all of it as plain values."""
        tallies = [(ALL, self.whole), *self.cells.items()]
        lists = [(*key, held) for key, held in self.shortlists.lists.items()]
        return _State(tallies=[(cell, tally.state()) for cell, tally in tallies], lists=lists)

    def restore(self, state: _State) -> None:
        """Go on from what was counted before."""
        tallies = {cell: Tally.of_state(held) for cell, held in state.tallies}
        self.whole, self.cells = tallies.pop(ALL), tallies
        self.shortlists.lists = {(group, label, kind): held for group, label, kind, held in state.lists}


def count(
    rows: ScoredRows, plan: Plan, passes: Passes, *, listed: Path, progress: Callable[[int], None], seed: int
) -> Counts:
    """Sum the answers, and write a table that lists each row with its label, groups and period.

    Args:
        rows: what is read.
        plan: which groups and periods there are.
        passes: keeps where the pass stands.
        listed: the Parquet file of that table.
        progress: gets how many rows are done.
        seed: draws samples.

    Raises:
        DataError: there are fewer than 10 texts, or a row is wrong.
    """
    import numpy as np

    labels = rows.labels
    counts = Counts(whole=Tally(len(labels), seed), shortlists=Shortlists(labels=labels, seed=seed))
    large = {cell for column in plan.groups for cell in plan.series(column)}
    columns = _distinct(["file", "row", rows.answer, *(["period"] if plan.every else []), *rows.by])
    table = Listing(listed, columns[2:])
    for batch in passes.over(rows, "counts", _State, counts.state, counts.restore, listing=table):
        periods = plan.periods(batch.dates)
        table.write(batch, [batch.names, *([periods] if plan.every else []), *batch.groups.values()])
        counts.whole.add(batch.probabilities, batch.given)
        for cell, chosen in cells_of(batch, plan, periods):
            tally = counts.cells.setdefault(cell, Tally(len(labels), sample=0))
            tally.add(batch.probabilities[chosen], batch.given[chosen])
            if cell in large:
                counts.shortlists.add(batch, chosen, cell.groups[0], periods)
        counts.shortlists.add(batch, np.arange(len(batch)), None, periods)
        progress(counts.whole.texts)
    if counts.whole.texts < FEWEST:
        raise DataError(
            f"{rows.source}: {counts.whole.texts} texts; expected at least {FEWEST} for a share with an "
            "interval; hint: read them all"
        )
    return counts


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, those of the user's columns with an underscore where another has it already."""
    known: list[str] = []
    for name in names:
        while name in known:
            name += "_"
        known.append(name)
    return known
