"""What a file is about: its themes and aspects, and what drives the changes and differences of its shares."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Literal, TypeAlias

from nlpkit.analysis.aspects import AspectCounts, count_aspects
from nlpkit.analysis.counts import ALL, Cell, Counts
from nlpkit.analysis.drivers import Decomposition, Sums, corrected, decompose
from nlpkit.analysis.findings import Findings
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.analysis.survey import MOST_SERIES, Plan
from nlpkit.analysis.theme_counts import ThemeCounts, count_themes, sampled_texts
from nlpkit.analysis.themes import BASE, Themes, find_themes
from nlpkit.errors import ConfigError, DataError

ThemeChoice: TypeAlias = int | Literal["auto", "none"]
Kind: TypeAlias = Literal["change", "halves", "last period", "neighboring periods", "group"]

THEMES = "theme"
"""The parts of a change that are themes; others have the name of their column."""
ROWS = "theme_rows.parquet"
"""Lists the theme of each row."""
MOST_GROUPS = 3
"""Groups of each column whose difference is decomposed: those that differ most."""
FEWEST_PERIODS = 4
"""Periods below which halves of them are not compared."""
MOST_PAIRS = 60
"""Neighboring periods that the table decomposes, the last ones."""


@dataclass(frozen=True, kw_only=True)
class Driven:
    """A change or a difference, and what it is decomposed by."""

    by: str
    """THEMES, or a column."""
    kind: Kind
    split: Decomposition


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file is about."""

    themes: Themes | None = None
    theme_counts: ThemeCounts | None = None
    aspects: AspectCounts | None = None
    driven: tuple[Driven, ...] = ()
    """Corrected for many comparisons together."""
    neighbors: tuple[Driven, ...] = ()
    """Of each two neighboring periods; corrected together, apart from `driven`."""
    notes: tuple[str, ...] = field(default=())


def theme_choice(asked: str | int) -> ThemeChoice:
    """Return how many themes are asked for.

    Raises:
        ConfigError: it is neither `auto`, `none` nor a whole number above 1.
    """
    if asked == "auto":
        return "auto"
    if asked == "none":
        return "none"
    if not str(asked).isdecimal() or int(asked) < 2:
        raise ConfigError(f"--themes {asked}: expected auto, none or a whole number from 2, such as 12")
    return int(asked)


def what_it_is_about(
    rows: ScoredRows,
    plan: Plan,
    findings: Findings,
    *,
    label: str,
    themes: ThemeChoice = "none",
    base: str = BASE,
    aspects: str | None = None,
    folder: Path,
    seed: int = 1,
    progress: Callable[[str, int, int | None], None] = lambda what, done, total: None,
) -> About:
    """Find themes and aspects, and decompose changes and differences.

    Args:
        rows: the scored rows.
        plan: the groups and periods.
        findings: the changes and differences that are decomposed.
        label: the one that the page is about.
        themes: how many themes; `none` leaves them out.
        base: the encoder that themes are found with.
        aspects: an opinion reader's run; None leaves aspects out.
        folder: where the themes of the rows are listed.
        seed: draws the sample, bootstraps and intervals.
        progress: gets what is done, how many rows of it, and of how many.

    Raises:
        ConfigError: the run of `aspects` finds no opinions.
        SourceError: the base can't be fetched.
    """
    themes_in_it, counted, notes = None, None, []
    total = findings.counts.whole.texts
    if themes != "none":
        try:
            themes_in_it = find_themes(
                sampled_texts(rows, seed=seed), base=base, count=None if themes == "auto" else themes,
                seed=seed, progress=lambda done, of: progress("finding themes", done, of),
            )  # fmt: skip
        except DataError as error:
            notes.append(f"No themes: {error}.")
    if themes_in_it is not None:
        counted = count_themes(
            rows, plan, themes_in_it, listed=folder / ROWS,
            progress=lambda done: progress("assigning themes", done, total),
        )  # fmt: skip
    read = None
    if aspects is not None:
        read = count_aspects(rows, aspects, progress=lambda done: progress("reading aspects", done, total))
        if read.forgotten:
            notes.append(f"{read.forgotten:,} aspects that were named once are not counted.")
    parts = _Parts(findings, plan, themes_in_it, counted, seed)
    return About(
        themes=themes_in_it,
        theme_counts=counted,
        aspects=read,
        driven=_corrected(
            [*parts.of_changes(), *parts.of_halves(label), *parts.of_last(label), *parts.of_groups(label)]
        ),
        neighbors=_corrected(parts.of_neighbors(label)),
        notes=tuple(notes),
    )


def _corrected(driven: Sequence[Driven]) -> tuple[Driven, ...]:
    splits = corrected([each.split for each in driven])
    return tuple(
        Driven(by=each.by, kind=each.kind, split=split) for each, split in zip(driven, splits, strict=True)
    )


@dataclass(frozen=True)
class _Parts:
    """The sums that changes are decomposed from."""

    findings: Findings
    plan: Plan
    themes: Themes | None
    theme_counts: ThemeCounts | None
    seed: int

    def of_changes(self) -> list[Driven]:
        """Decompose each change point of all texts: what lies between it and the ones before and after."""
        driven = []
        periods = self.findings.periods(ALL)
        for label in self.findings.labels:
            changes = [each for each in self.findings.changes if (each.cell, each.label) == (ALL, label)]
            cuts = [0, *(periods.index(each.since) for each in changes), len(periods)]
            for start, middle, end in zip(cuts, cuts[1:], cuts[2:], strict=False):
                stretches = periods[start:middle], periods[middle:end]
                driven += self._between(stretches, label, "change")
        return driven

    def of_halves(self, label: str) -> list[Driven]:
        """Decompose what changed from the first half of the periods to the second, where no change point of
        the label does it better.
        """
        periods = self.findings.periods(ALL)
        changes = [each for each in self.findings.changes if (each.cell, each.label) == (ALL, label)]
        if changes or len(periods) < FEWEST_PERIODS:
            return []
        half = len(periods) // 2
        return self._between((periods[:half], periods[half:]), label, "halves")

    def of_last(self, label: str) -> list[Driven]:
        """Decompose what changed from the last period but one to the last."""
        periods = self.findings.periods(ALL)[-2:]
        return self._between((periods[:1], periods[1:]), label, "last period") if len(periods) == 2 else []

    def of_neighbors(self, label: str) -> list[Driven]:
        """Decompose what changed between all neighboring periods."""
        periods = self.findings.periods(ALL)[-MOST_PAIRS - 1 :]
        pairs = pairwise(periods)
        return [
            each
            for earlier, later in pairs
            for each in self._between(([earlier], [later]), label, "neighboring periods")
        ]

    def of_groups(self, label: str) -> list[Driven]:
        """Decompose how the groups that differ most differ from all other texts, by themes."""
        if self.theme_counts is None or self.themes is None:
            return []
        number = self.findings.labels.index(label)
        driven = []
        for groups in self.plan.groups:
            cells = {Cell(groups=((groups.column, value),)) for value in groups.first(MOST_SERIES)}
            apart = [
                each for each in self.findings.differences
                if each.label == label and each.is_shown and each.cell in cells
            ]  # fmt: skip
            for each in sorted(apart, key=lambda each: -abs(each.difference))[:MOST_GROUPS]:
                own = self.theme_counts.sums(each.cell, number)
                rest = _minus(self.theme_counts.sums(ALL, number), own)
                split = decompose(
                    rest, own, self.themes.names, label=label, names=("all others", each.cell.name),
                    seed=self.seed,
                )  # fmt: skip
                driven.append(Driven(by=THEMES, kind="group", split=split))
        return driven

    def _between(
        self,
        stretches: tuple[list[str], list[str]],
        label: str,
        kind: Kind,
    ) -> list[Driven]:
        number = self.findings.labels.index(label)
        names = _named(stretches[0]), _named(stretches[1])
        sources: list[tuple[str, tuple[str, ...], list[Sums]]] = []
        if self.theme_counts is not None and self.themes is not None:
            counted = self.theme_counts
            both = [_added([counted.sums(Cell(period=each), number) for each in side]) for side in stretches]
            sources.append((THEMES, self.themes.names, both))
        for groups in self.plan.groups:
            values = groups.first(MOST_SERIES)
            both = [
                _added(
                    [_column_sums(self.findings.counts, groups.column, values, each, number) for each in side]
                )
                for side in stretches
            ]
            sources.append((groups.column, (*values, "all other values"), both))
        return [
            Driven(
                by=by, kind=kind,
                split=decompose(before, after, parts, label=label, names=names, seed=self.seed),
            )
            for by, parts, (before, after) in sources
        ]  # fmt: skip


def _column_sums(counts: Counts, column: str, values: Sequence[str], period: str, label: int) -> Sums:
    """Return the sums of a label in a period for each value of a column, and for all other values."""
    import numpy as np

    whole = counts.of(Cell(period=period))
    cells = [Cell(groups=((column, value),), period=period) for value in values]
    known = [counts.cells.get(cell) for cell in cells]
    texts = np.array([0 if tally is None else tally.texts for tally in known])
    given = np.array([0.0 if tally is None else float(tally.given[label]) for tally in known])
    texts = np.append(texts, whole.texts - texts.sum())
    given = np.append(given, whole.given[label] - given.sum())
    return Sums(texts=texts, totals=given, squares=given)


def _added(sums: Sequence[Sums]) -> Sums:
    import numpy as np

    return Sums(
        texts=np.sum([each.texts for each in sums], axis=0),
        totals=np.sum([each.totals for each in sums], axis=0),
        squares=np.sum([each.squares for each in sums], axis=0),
    )


def _minus(whole: Sums, part: Sums) -> Sums:
    return Sums(
        texts=whole.texts - part.texts,
        totals=whole.totals - part.totals,
        squares=whole.squares - part.squares,
    )


def _named(periods: Sequence[str]) -> str:
    return periods[0] if len(periods) == 1 else f"{periods[0]} to {periods[-1]}"
