"""The first pass: which groups and periods there are, and what has none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from nlpkit.analysis.scored_rows import Batch
from nlpkit.data.dates import FORMATS, DateCount, Order, Period, period_of
from nlpkit.errors import ConfigError
from nlpkit.tasks.reading import NOTHING
from nlpkit.trust.shares import FEWEST

MOST_VALUES = 200_000
"""Different values of a column that are counted at once; of more, those seen once are forgotten."""
MOST_GROUPS = 50
"""Groups of a column that get shares of their own, the largest ones."""
MOST_CROSSED = 400
"""Groups of all columns crossed."""
MOST_SERIES = 6
"""Groups of a column that get a series over time of their own."""
MOST_PERIODS = 1_000
SPANS: tuple[tuple[Period, int], ...] = (("day", 45), ("week", 420), ("month", 2_000))
"""Periods, each with the days between the first and the last date up to which it is chosen; else years."""


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups of a column."""

    column: str
    kept: Mapping[str, int]
    """Those that get shares of their own, with their texts, the largest first."""
    values: int
    """How many different ones there are; at least, where `is_least`."""
    is_least: bool = False

    def first(self, count: int) -> list[str]:
        """Return the largest groups."""
        return list(self.kept)[:count]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What the second pass counts."""

    groups: tuple[Groups, ...] = ()
    every: Period | None = None
    """None where there is no series over time."""
    order: Order = "day"
    today: date
    notes: tuple[str, ...] = ()
    """What was left out, and how dates were read, in sentences."""

    @property
    def crossed(self) -> dict[str, list[str]]:
        """The groups of each column that are crossed; empty with fewer than two columns."""
        if len(self.groups) < 2:
            return {}
        each = int(MOST_CROSSED ** (1 / len(self.groups)) + 1e-9)
        return {groups.column: groups.first(each) for groups in self.groups}


def survey(
    batches: Iterable[Batch],
    *,
    by: Sequence[str],
    time: str | None,
    every: Period | None,
    order: Order | None,
    today: date,
) -> Plan:
    """Count the groups and the dates of a file.

    Raises:
        ConfigError: dates can be read in two ways, or there are too many periods.
    """
    values: dict[str, Counter[str]] = {column: Counter() for column in by}
    forgotten: set[str] = set()
    dates = DateCount(today=today, order=order)
    rows = 0
    for batch in batches:
        rows += len(batch)
        dates.add(batch.dates)
        for column, (names, codes) in batch.groups.items():
            counter = values[column]
            counter.update(names[code] for code in codes.tolist())
            if len(counter) > MOST_VALUES:
                forgotten.add(column)
                values[column] = Counter({name: n for name, n in counter.items() if n > 1})
    groups, notes = [], []
    for column, counter in values.items():
        of_column = _groups(column, counter, is_least=column in forgotten)
        notes += _group_notes(of_column, counter, rows)
        groups += [of_column] if len(of_column.kept) > 1 else []
    if not time or not rows:
        return Plan(groups=tuple(groups), today=today, notes=tuple(notes))
    settled = dates.settled(time)
    chosen, date_notes = _periods(dates, settled, time, every)
    return Plan(
        groups=tuple(groups), every=chosen, order=settled, today=today, notes=(*notes, *date_notes)
    )  # fmt: skip


def _groups(column: str, counter: Counter[str], *, is_least: bool) -> Groups:
    large = [(name, texts) for name, texts in counter.most_common(MOST_GROUPS) if texts >= FEWEST]
    return Groups(column=column, kept=dict(large), values=len(counter), is_least=is_least)


def _group_notes(groups: Groups, counter: Counter[str], rows: int) -> list[str]:
    column, kept = groups.column, groups.kept
    if list(counter) == [NOTHING]:
        return [f"{column}: empty in all {rows:,} rows, so that it makes no groups."]
    if len(counter) == 1:
        return [f"{column}: {next(iter(counter))} in all {rows:,} rows, so that there is nothing to compare."]
    if len(kept) < len(counter):
        least = "at least " if groups.is_least else ""
        texts = sum(kept.values())
        why = f"the {MOST_GROUPS} largest" if len(kept) == MOST_GROUPS else f"with at least {FEWEST} texts"
        return [
            f"{column}: {least}{len(counter):,} different values; {len(kept):,} of them ({why}) have shares "
            f"of their own, with {texts:,} of {rows:,} texts. The others count in the whole alone."
        ]
    return []


def _periods(
    dates: DateCount, order: Order, time: str, asked: Period | None
) -> tuple[Period | None, list[str]]:
    """Return the periods that suit the span of the dates, and how dates were read."""
    days, notes = dates.days(order), []
    if dates.missing:
        notes.append(f"{time}: {dates.missing:,} rows have no date. They count in the whole alone.")
    if dates.future(order):
        notes.append(
            f"{time}: {dates.future(order):,} dates are after {dates.today}. They count in the whole alone."
        )
    if failed := dates.unreadable(order):
        shown = ", ".join(repr(value) for value in dates.examples(order))
        notes.append(
            f"{time}: {failed:,} values are no date, such as {shown}. They count in the whole alone. "
            f"Read are: {FORMATS}."
        )
    if dates.slashed:
        first = "the day" if order == "day" else "the month"
        notes.append(f"{time}: dates such as 03/04/2026 are read with {first} first.")
    if dates.zoned:
        notes.append(
            f"{time}: {dates.zoned:,} dates name a time zone. Each counts for the day that is written, "
            "its own local one."
        )
    if not days:
        notes.append(f"{time}: no row has a date that can be used, so that there is no series over time.")
        return None, notes
    earliest, latest = min(days), max(days)
    fitting: list[Period] = [name for name, most in SPANS if latest - earliest <= most]
    chosen = asked or (fitting[0] if fitting else "year")
    periods = len({period_of(date.fromordinal(day), chosen) for day in days})
    if periods > MOST_PERIODS:
        raise ConfigError(
            f"--every {chosen}: {periods:,} periods from {date.fromordinal(earliest)} to "
            f"{date.fromordinal(latest)}; expected at most {MOST_PERIODS:,}; hint: --every month"
        )
    return chosen, notes
