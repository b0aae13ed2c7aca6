"""Groups and periods: which of them are counted, and which rows belong to each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from nlpkit.analysis.scored_rows import Batch, codes_of
from nlpkit.data.dates import Order, Period, period_of, read_date

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_CROSSED = 400
"""Groups of all columns crossed."""
MOST_SERIES = 6
"""Groups of a column that get a series over time of their own."""
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


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is counted."""

    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Column -> the groups that get shares of their own, the largest first."""
    every: Period | None = None
    """None where there is no series over time."""
    order: Order = "day"
    today: date
    notes: tuple[str, ...] = ()
    """What was left out, and how dates were read, in sentences."""

    def cells(self, column: str) -> list[Cell]:
        """Return the groups of a column that get shares of their own, the largest first."""
        return [Cell(groups=((column, name),)) for name in self.groups[column]]

    def series(self, column: str) -> list[Cell]:
        """Return the groups of a column that get a series over time, the largest first."""
        return self.cells(column)[:MOST_SERIES]

    @property
    def families(self) -> list[dict[str, Sequence[str]]]:
        """The cells that are counted, as columns with their values; PERIOD has all values.

        Each column alone, all of them crossed, the periods, and the series of each column.
        """
        families = [{column: kept} for column, kept in self.groups.items()]
        if len(self.groups) > 1:
            each = int(MOST_CROSSED ** (1 / len(self.groups)) + 1e-9)
            families.append({column: kept[:each] for column, kept in self.groups.items()})
        if self.every:
            families.append({PERIOD: ()})
            families += [{column: kept[:MOST_SERIES], PERIOD: ()} for column, kept in self.groups.items()]
        return families

    def periods(self, dates: Sequence[object]) -> list[str]:
        """Return the period of each date; empty where it has none."""
        if self.every is None:
            return []
        names: dict[object, str] = {}
        for held in set(dates):
            day = None if held is None else read_date(held, self.order)
            names[held] = period_of(day, self.every) if day is not None and day.date() <= self.today else ""
        return [names[held] for held in dates]


def cells_of(batch: Batch, plan: Plan, periods: list[str]) -> Iterator[tuple[Cell, NDArray[Any]]]:
    """Yield each cell of the plan that has rows in a batch, with the numbers of these rows."""
    import numpy as np

    held = {**batch.groups, PERIOD: codes_of(periods)}
    named = sorted(set(periods) - {""})
    for family in plan.families:
        kept = [(column, named if column == PERIOD else values) for column, values in family.items()]
        codes = np.stack([_kept_codes(*held[column], values) for column, values in kept], axis=1)
        inside = np.flatnonzero((codes >= 0).all(axis=1))
        if not len(inside):
            continue
        combinations, where = np.unique(codes[inside], axis=0, return_inverse=True)
        order = np.argsort(where, kind="stable")
        cuts = np.cumsum(np.bincount(where.ravel(), minlength=len(combinations)))[:-1]
        for code, rows in zip(combinations.tolist(), np.split(inside[order], cuts), strict=True):
            pairs = {column: values[at] for (column, values), at in zip(kept, code, strict=True)}
            period = pairs.pop(PERIOD, "")
            yield Cell(groups=tuple(pairs.items()), period=period), rows


def _kept_codes(names: list[str], codes: NDArray[Any], kept: Sequence[str]) -> NDArray[Any]:
    """Return for each row which of the values that are kept it holds, -1 for none."""
    import numpy as np

    numbers = {name: number for number, name in enumerate(kept)}
    of_rows: NDArray[Any] = np.array([numbers.get(name, -1) for name in names], dtype=np.int64)[codes]
    return of_rows
