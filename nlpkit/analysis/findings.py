"""What the counts say: shares of each cell, differences between groups, and changes over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from nlpkit.analysis.cells import ALL, Cell, Plan
from nlpkit.analysis.changes import FEWEST_PERIODS, LEVEL, steps_in
from nlpkit.analysis.counts import Counts
from nlpkit.trust.cell_shares import CellShares, Estimate
from nlpkit.trust.gaps import holm
from nlpkit.trust.shares import FEWEST, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How the share of a label in a group differs from that in all other texts."""

    cell: Cell
    label: str
    texts: int
    other_texts: int
    difference: float
    low: float
    high: float
    p: float
    """Of this comparison alone."""
    corrected_p: float = 1.0
    """Corrected for all comparisons (Holm 1979)."""

    @property
    def is_shown(self) -> bool:
        """Whether there is a difference, all comparisons considered."""
        return self.corrected_p < LEVEL


@dataclass(frozen=True, kw_only=True)
class Change:
    """A change of the share of a label over time."""

    cell: Cell
    """The group of the series; ALL for all texts."""
    label: str
    since: str
    """The first period after it."""
    earliest: str
    latest: str
    before: float
    after: float
    """The shares between this change and the ones before and after it, or the ends of the series."""
    low: float
    high: float
    """The ends of the 95% interval of the difference."""
    texts: int
    """Of both sides."""
    p: float

    @property
    def difference(self) -> float:
        """The share after it minus the one before."""
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Findings:
    """The figures of an analysis."""

    labels: tuple[str, ...]
    estimates: Mapping[Cell, Estimate]
    """Of the cells with texts enough."""
    counts: Counts
    few: Mapping[Cell, int]
    """Cells with too few texts, with how many each has."""
    differences: tuple[Difference, ...] = ()
    changes: tuple[Change, ...] = ()
    series: int = 0
    """How many series were tested for changes."""

    def changes_of(self, cell: Cell, label: str) -> list[Change]:
        """Return the changes of one series, in order."""
        return [each for each in self.changes if (each.cell, each.label) == (cell, label)]

    def periods(self, cell: Cell) -> list[str]:
        """Return the periods in which a group, or all texts, have shares, in order."""
        return sorted(each.period for each in self.estimates if each.period and each.groups == cell.groups)


def find(counts: Counts, plan: Plan, shares: CellShares, labels: tuple[str, ...], *, seed: int) -> Findings:
    """Estimate the shares of all cells, and test differences and changes."""
    few = {cell: tally.texts for cell, tally in counts.cells.items() if tally.texts < FEWEST}
    estimates = {
        cell: shares.estimate(tally) for cell, tally in sorted(counts.cells.items()) if cell not in few
    }
    estimates[ALL] = shares.estimate(counts.whole)
    findings = Findings(labels=labels, estimates=estimates, counts=counts, few=few)
    series = [ALL, *(cell for column in plan.groups for cell in plan.series(column))]
    tested = [cell for cell in series if len(findings.periods(cell)) >= FEWEST_PERIODS]
    level = LEVEL / max(1, len(tested) * len(labels))
    changes = [
        change
        for number, cell in enumerate(tested)
        for change in _changes(findings, cell, shares, level=level, seed=seed + number)
    ]
    cells = [cell for column in plan.groups for cell in plan.cells(column)]
    return replace(
        findings,
        differences=tuple(_differences(counts, cells, shares, labels)),
        changes=tuple(changes),
        series=len(tested) * len(labels),
    )


def _differences(
    counts: Counts, cells: Sequence[Cell], shares: CellShares, labels: tuple[str, ...]
) -> list[Difference]:
    """Compare each group with all other texts, corrected for all comparisons."""
    differences = []
    for cell in cells:
        tally = counts.cells[cell]
        rest = counts.whole.plus(tally, sign=-1)
        if rest.texts < FEWEST:
            continue
        gap = shares.estimate(tally).minus(shares.estimate(rest))
        for number, label in enumerate(labels):
            differences.append(
                Difference(
                    cell=cell, label=label, texts=tally.texts, other_texts=rest.texts,
                    difference=float(gap.share[number]), low=float(gap.low[number]),
                    high=float(gap.high[number]), p=float(gap.p[number]),
                )
            )  # fmt: skip
    p_values = holm([each.p for each in differences])
    return [replace(each, corrected_p=p) for each, p in zip(differences, p_values, strict=True)]


def _changes(findings: Findings, cell: Cell, shares: CellShares, *, level: float, seed: int) -> list[Change]:
    """Return the changes of all labels in the series of a group, or of all texts."""
    periods = findings.periods(cell)
    tallies = [findings.counts.cells[Cell(groups=cell.groups, period=period)] for period in periods]
    values, variances = _series(tallies, shares)
    texts = [tally.texts for tally in tallies]
    changes = []
    for number, steps in enumerate(steps_in(values, texts, variances, level=level, seed=seed)):
        ends = [0, *(step.at for step in steps), len(periods)]
        for index, step in enumerate(steps):
            parts = tallies[ends[index] : step.at], tallies[step.at : ends[index + 2]]
            before, after = (shares.estimate(reduce(Tally.plus, part)) for part in parts)
            gap = after.minus(before)
            changes.append(
                Change(
                    cell=cell, label=findings.labels[number], since=periods[step.at],
                    earliest=periods[step.earliest], latest=periods[step.latest],
                    before=float(before.share[number]), after=float(after.share[number]),
                    low=float(gap.low[number]), high=float(gap.high[number]),
                    texts=sum(texts[ends[index] : ends[index + 2]]), p=step.p,
                )
            )  # fmt: skip
    return changes


def _series(tallies: Sequence[Tally], shares: CellShares) -> tuple[NDArray[Any], list[float]]:
    """Return (labels, periods) shares that are a mean over the texts, and what a single text varies by."""
    import numpy as np

    whole = reduce(Tally.plus, tallies)
    if shares.weights is None:
        means = np.stack([tally.given / tally.texts for tally in tallies], axis=1)
        mean = whole.given / whole.texts
        return means, np.maximum(mean * (1 - mean), 1e-9).tolist()
    matrix, added = shares.weights
    means = matrix @ np.stack([tally.mean for tally in tallies], axis=1) + added[:, None]
    within = sum(tally.texts * tally.covariance for tally in tallies) / whole.texts
    return means, np.maximum(np.diag(matrix @ within @ matrix.T), 1e-9).tolist()
