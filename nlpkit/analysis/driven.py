"""Which changes and differences are decomposed, and into what parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.analysis.cells import ALL, MOST_SERIES, Cell, Plan
from nlpkit.analysis.counts import Counts
from nlpkit.analysis.drivers import Decomposition, corrected, decompose
from nlpkit.analysis.findings import Findings

if TYPE_CHECKING:
    from numpy.typing import NDArray

THEMES = "theme"
"""The parts of a change that are themes; others have the name of their column."""
MOST_GROUPS = 3
"""Groups of each column whose difference is decomposed: those that differ most."""
FEWEST_PERIODS = 4
"""Periods below which halves of them are not compared."""
MOST_PAIRS = 60
"""Neighboring periods that the table decomposes, the last ones."""

Sums: TypeAlias = "Callable[[Cell, int], NDArray[Any]]"
"""Gives (2, parts) for a cell and the number of a label: the texts of each part, and how many have it."""


class Drivers:
    """Decomposes the changes of a file by its themes and the groups of its columns.

    Args:
        findings: the changes and differences.
        plan: the groups and periods.
        themes: the names of themes; empty for none.
        counts: of each cell (themes, 1 + labels), the texts and how many have each label.
        seed: draws intervals.
    """

    def __init__(
        self,
        findings: Findings,
        plan: Plan,
        themes: Sequence[str],
        counts: Mapping[Cell, NDArray[Any]],
        seed: int,
    ) -> None:
        self._findings, self._plan, self._seed = findings, plan, seed
        self._sources: dict[str, tuple[Sequence[str], Sums]] = {}
        if themes:
            self._sources[THEMES] = themes, partial(_of_themes, counts)
        for column, kept in plan.groups.items():
            parts = (*kept[:MOST_SERIES], "all other values")
            self._sources[column] = parts, partial(_of_column, findings.counts, column, parts[:-1])

    def of_changes(self, label: str) -> list[Decomposition]:
        """Decompose the change points of all labels, and how the halves of the periods, the last two periods
        and the groups that differ most differ in a label; corrected together.
        """
        compared = [*self._change_points(), *self._stretches(label)]
        return corrected([*self._decomposed(compared), *self._groups(label)])

    def of_neighbors(self, label: str) -> list[Decomposition]:
        """Decompose what changed between all neighboring periods, corrected together."""
        periods = self._findings.periods(ALL)[-MOST_PAIRS - 1 :]
        pairs = [("neighboring periods", label, [earlier], [later]) for earlier, later in pairwise(periods)]
        return corrected(list(self._decomposed(pairs)))

    def _change_points(self) -> Iterator[tuple[str, str, list[str], list[str]]]:
        """Yield for each change point the periods since the one before, and those up to the next one."""
        periods = self._findings.periods(ALL)
        for label in self._findings.labels:
            since = [periods.index(each.since) for each in self._findings.changes_of(ALL, label)]
            cuts = [0, *since, len(periods)]
            for start, middle, end in zip(cuts, cuts[1:], cuts[2:], strict=False):
                yield "change", label, periods[start:middle], periods[middle:end]

    def _stretches(self, label: str) -> Iterator[tuple[str, str, list[str], list[str]]]:
        """Yield the halves of the periods, where no change point does it better, and the last two periods."""
        periods = self._findings.periods(ALL)
        if not self._findings.changes_of(ALL, label) and len(periods) >= FEWEST_PERIODS:
            half = len(periods) // 2
            yield "halves", label, periods[:half], periods[half:]
        if len(periods) > 1:
            yield "last period", label, periods[-2:-1], periods[-1:]

    def _decomposed(
        self, compared: Sequence[tuple[str, str, list[str], list[str]]]
    ) -> Iterator[Decomposition]:
        import numpy as np

        for kind, label, *stretches in compared:
            number = self._findings.labels.index(label)
            before, after = (each[0] if len(each) == 1 else f"{each[0]} to {each[-1]}" for each in stretches)
            for by, (parts, sums) in self._sources.items():
                first, second = (
                    np.sum([sums(Cell(period=period), number) for period in periods], axis=0)
                    for periods in stretches
                )
                yield decompose(
                    first, second, parts, label=label, names=(before, after), kind=kind, by=by,
                    seed=self._seed,
                )  # fmt: skip

    def _groups(self, label: str) -> Iterator[Decomposition]:
        """Decompose how the groups that differ most differ from all other texts, by themes."""
        if THEMES not in self._sources:
            return
        parts, sums = self._sources[THEMES]
        number = self._findings.labels.index(label)
        for column in self._plan.groups:
            cells = self._plan.series(column)
            apart = [
                each for each in self._findings.differences
                if each.label == label and each.is_shown and each.cell in cells
            ]  # fmt: skip
            for each in sorted(apart, key=lambda each: -abs(each.difference))[:MOST_GROUPS]:
                own = sums(each.cell, number)
                yield decompose(
                    sums(ALL, number) - own, own, parts, label=label, names=("all others", each.cell.name),
                    kind="group", by=THEMES, seed=self._seed,
                )  # fmt: skip


def _of_themes(counts: Mapping[Cell, NDArray[Any]], cell: Cell, label: int) -> NDArray[Any]:
    sums: NDArray[Any] = counts.get(cell, 0 * counts[ALL])[:, [0, 1 + label]].T
    return sums


def _of_column(counts: Counts, column: str, values: Sequence[str], cell: Cell, label: int) -> NDArray[Any]:
    """Return the sums of a period for each value of a column, and for all other values."""
    import numpy as np

    known = [counts.cells.get(Cell(groups=((column, value),), period=cell.period)) for value in values]
    sums = np.array([(0, 0) if tally is None else (tally.texts, tally.given[label]) for tally in known]).T
    whole = counts.of(cell)
    rest = np.array([whole.texts, whole.given[label]]) - sums.sum(axis=1)
    return np.column_stack([sums, rest])
