"""The second pass: the answers of each group and period are summed, and each row is listed with its cell."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.analysis.scored_rows import Batch, ScoredRows
from nlpkit.analysis.shortlists import Shortlists
from nlpkit.analysis.survey import MOST_SERIES, Plan
from nlpkit.data.dates import period_of, read_date
from nlpkit.errors import DataError
from nlpkit.trust.shares import FEWEST, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

PERIOD = ""
"""Stands for the column of dates among the columns that make a cell."""


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """Rows that share the values of some columns, a period, or both; all rows where there are neither."""

    groups: tuple[tuple[str, str], ...] = ()
    """Column and value."""
    period: str = ""

    @property
    def name(self) -> str:
        """The values in words."""
        return ", ".join([*(value for _, value in self.groups), *([self.period] if self.period else [])])


ALL = Cell()


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
    labels = rows.labels
    counts = Counts(whole=Tally(len(labels), seed), shortlists=Shortlists(labels=labels, seed=seed))
    for batch, periods in _listed(rows, plan, listed):
        if batch.probabilities is None or batch.given is None:
            continue
        counts.whole.add(batch.probabilities, batch.given)
        for cell, chosen in cells_of(batch, plan, periods):
            tally = counts.cells.setdefault(cell, Tally(len(labels), sample=0))
            tally.add(batch.probabilities[chosen], batch.given[chosen])
            if len(cell.groups) == 1 and not cell.period and _is_large(cell, plan):
                counts.shortlists.add(batch, chosen, cell.groups[0], periods)
        counts.shortlists.add(batch, _all(batch), None, periods)
        progress(counts.whole.texts)
    if counts.whole.texts < FEWEST:
        raise DataError(
            f"{rows.source}: {counts.whole.texts} texts; expected at least {FEWEST} for a share with an "
            "interval; hint: read them all"
        )
    return counts


def _all(batch: Batch) -> NDArray[Any]:
    import numpy as np

    return np.arange(len(batch))


def _is_large(cell: Cell, plan: Plan) -> bool:
    column, value = cell.groups[0]
    return any(groups.column == column and value in groups.first(MOST_SERIES) for groups in plan.groups)


def periods_of(batch: Batch, plan: Plan) -> list[str]:
    """Return the period of each row; empty where it has none."""
    if plan.every is None:
        return []
    names: dict[object, str] = {}
    for held in set(batch.dates):
        day = None if held is None else read_date(held, plan.order)
        names[held] = period_of(day, plan.every) if day is not None and day.date() <= plan.today else ""
    return [names[held] for held in batch.dates]


def _listed(rows: ScoredRows, plan: Plan, path: Path) -> Iterator[tuple[Batch, list[str]]]:
    """Yield the batches, each with the period of each of its rows, and list all rows in a file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = ["file", "row", rows.answer, *(["period"] if plan.every else []), *rows.by]
    columns = _distinct(names)
    schema = pa.schema([(name, pa.int64() if name == "row" else pa.string()) for name in columns])
    temporary = path.with_name(f".{path.name}.new")  # of a run that was killed it is written anew
    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            for batch in rows.batches(answers=True):
                periods = periods_of(batch, plan)
                values = [
                    pa.array([batch.file] * len(batch)),
                    pa.array(range(batch.first, batch.first + len(batch))),
                    pa.array(batch.names),
                    *([pa.array(periods)] if plan.every else []),
                    *(
                        pa.array(known).take(pa.array(codes))
                        for known, codes in (batch.groups[column] for column in rows.by)
                    ),
                ]
                writer.write_table(pa.Table.from_arrays(values, schema=schema))
                yield batch, periods
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return the names, those of the user's columns with an underscore where another has it already."""
    known: list[str] = []
    for name in names:
        while name in known:
            name += "_"
        known.append(name)
    return known


def cells_of(batch: Batch, plan: Plan, periods: list[str]) -> Iterable[tuple[Cell, NDArray[Any]]]:
    """Yield each cell of the plan that has rows in a batch, with these rows."""
    import numpy as np

    kept: dict[str, dict[str, list[str]]] = {"alone": {}, "crossed": plan.crossed, "series": {}}
    for groups in plan.groups:
        kept["alone"][groups.column] = list(groups.kept)
        kept["series"][groups.column] = groups.first(MOST_SERIES)
    names = sorted(set(periods) - {""})
    numbers = {name: number for number, name in enumerate(names)}
    of_period = np.array([numbers.get(name, -1) for name in periods], dtype=np.int64)
    families = [{column: kept["alone"][column]} for column in kept["alone"]]
    families += [kept["crossed"]] if kept["crossed"] else []
    if names:
        families += [{}] + [{column: kept["series"][column]} for column in kept["series"]]
    for number, family in enumerate(families):
        timed = bool(names) and number >= len(families) - 1 - len(kept["series"])
        known = [_kept_codes(*batch.groups[column], values) for column, values in family.items()]
        known += [of_period] if timed else []
        codes = np.stack(known, axis=1)
        inside = np.flatnonzero((codes >= 0).all(axis=1))
        if not len(inside):
            continue
        combinations, where = np.unique(codes[inside], axis=0, return_inverse=True)
        order = np.argsort(where, kind="stable")
        cuts = np.cumsum(np.bincount(where.ravel(), minlength=len(combinations)))[:-1]
        for code, chosen in zip(combinations.tolist(), np.split(inside[order], cuts), strict=True):
            pairs = tuple(
                (column, values[at])
                for (column, values), at in zip(family.items(), code[: len(family)], strict=True)
            )
            yield Cell(groups=pairs, period=names[code[-1]] if timed else ""), chosen


def _kept_codes(names: list[str], codes: NDArray[Any], kept: list[str]) -> NDArray[Any]:
    """Return for each row which of the values that are kept it holds, -1 for none."""
    import numpy as np

    numbers = {name: number for number, name in enumerate(kept)}
    of_rows: NDArray[Any] = np.array([numbers.get(name, -1) for name in names], dtype=np.int64)[codes]
    return of_rows
