"""The second pass: the answers of each group and period are summed, and each row is listed with its cell."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from nlpkit.analysis.cells import ALL, Cell, Plan, cells_of
from nlpkit.analysis.listing import listing
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.analysis.shortlists import Shortlists
from nlpkit.errors import DataError
from nlpkit.trust.shares import FEWEST, Tally


@dataclass(kw_only=True)
class Counts:
    """What the second pass finds."""

    whole: Tally
    cells: dict[Cell, Tally] = field(default_factory=dict)
    shortlists: Shortlists

    def of(self, cell: Cell) -> Tally:
        """Return the sums of a cell."""
        return self.whole if cell == ALL else self.cells[cell]


def count(
    rows: ScoredRows, plan: Plan, *, listed: Path, progress: Callable[[int], None], seed: int
) -> Counts:
    """Sum the answers, and write a table that lists each row with its label, groups and period.

    Args:
        rows: what is read.
        plan: which groups and periods there are.
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
    with listing(listed, columns[2:]) as write:
        for batch in rows.batches(answers=True):
            periods = plan.periods(batch.dates)
            write(batch, [batch.names, *([periods] if plan.every else []), *batch.groups.values()])
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
