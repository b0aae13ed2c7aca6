"""The first pass: which groups and periods there are, and what has none."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from nlpkit.analysis.cells import Plan
from nlpkit.analysis.passes import Passes
from nlpkit.analysis.scored_rows import Batch, ScoredRows
from nlpkit.data.dates import FORMATS, PERIODS, DateCount, Order, Period, period_of
from nlpkit.data.text_checks import counted
from nlpkit.errors import ConfigError
from nlpkit.tasks.reading import NOTHING
from nlpkit.trust.shares import FEWEST

MOST_VALUES = 200_000
"""Different values of a column that are counted at once; of more, those seen once are forgotten."""
MOST_GROUPS = 50
"""Groups of a column that get shares of their own, the largest ones."""
MOST_PERIODS = 1_000
SPANS: tuple[tuple[Period, int], ...] = (("day", 45), ("week", 420), ("month", 2_000))
"""Periods, each with the days between the first and the last date up to which it is chosen; else years."""


@dataclass(kw_only=True)
class Seen:
    """What the pass counts."""

    dates: DateCount
    texts: int = 0
    values: dict[str, Counter[str]]
    """Column -> how many rows each of its values has."""
    forgotten: set[str] = field(default_factory=set)
    """Columns with too many values."""

    @classmethod
    def of(cls, rows: ScoredRows, order: Order | None, today: date) -> Seen:
        """Return what is known before the first row."""
        return cls(dates=DateCount(today=today, order=order), values={name: Counter() for name in rows.by})

    def add(self, batch: Batch) -> None:
        """Count the rows of a batch."""
        self.texts += len(batch)
        self.dates.add(batch.dates)
        for column, (names, codes) in batch.groups.items():
            counter = self.values[column]
            counter.update(names[code] for code in codes.tolist())
            if len(counter) > MOST_VALUES:
                self.forgotten.add(column)
                self.values[column] = Counter({name: n for name, n in counter.items() if n > 1})


def survey(
    rows: ScoredRows, passes: Passes, *, every: Period | None, order: Order | None, today: date
) -> Plan:
    """Count the groups and the dates of a file.

    Raises:
        ConfigError: dates can be read in two ways, or there are too many periods.
    """
    seen = Seen.of(rows, order, today)

    def restore(before: Seen) -> None:
        vars(seen).update(vars(before))

    for batch in passes.over(rows, "survey", Seen, lambda: seen, restore, answers=False):
        seen.add(batch)
    return plan_of(seen, rows.time, every)


def plan_of(seen: Seen, time: str | None, every: Period | None) -> Plan:
    """Return the groups and periods that have texts enough.

    Raises:
        ConfigError: dates can be read in two ways, or there are too many periods.
    """
    dates, texts, today = seen.dates, seen.texts, seen.dates.today
    groups, notes = {}, []
    for column, counter in seen.values.items():
        large = {name: n for name, n in counter.most_common(MOST_GROUPS) if n >= FEWEST}
        notes += _group_notes(column, counter, large, texts, "at least " if column in seen.forgotten else "")
        if len(large) > 1:
            groups[column] = list(large)
    if not time or not texts:
        return Plan(groups=groups, today=today, notes=tuple(notes))
    settled = dates.settled(time)
    notes += _date_notes(dates, settled, time)
    chosen = _period(dates.days(settled), every)
    return Plan(groups=groups, every=chosen, order=settled, today=today, notes=tuple(notes))


def _group_notes(
    column: str, counter: Counter[str], large: dict[str, int], rows: int, least: str
) -> list[str]:
    if list(counter) == [NOTHING]:
        return [f"{column}: empty in all {rows:,} rows, so that it makes no groups."]
    if len(counter) == 1:
        return [f"{column}: {next(iter(counter))} in all {rows:,} rows, so that there is nothing to compare."]
    if len(large) == len(counter):
        return []
    why = f"the {MOST_GROUPS} largest" if len(large) == MOST_GROUPS else f"with at least {FEWEST} texts"
    return [
        f"{column}: {least}{counted(len(counter), 'different value')}; {len(large):,} of them ({why}) have "
        f"shares of their own, with {sum(large.values()):,} of {rows:,} texts. "
        "The others count in the whole alone."
    ]


def _date_notes(dates: DateCount, order: Order, time: str) -> list[str]:
    """Say how dates were read, and which were not."""
    notes = []
    if dates.missing:
        notes.append(f"{counted(dates.missing)} without a date. Counted in the whole alone.")
    if future := dates.future(order):
        notes.append(f"{counted(future, 'date')} after {dates.today}. Counted in the whole alone.")
    if failed := dates.unreadable(order):
        shown = ", ".join(repr(value) for value in dates.examples(order))
        notes.append(
            f"{counted(failed, 'value')} not read as a date, such as {shown}. Counted in the whole alone. "
            f"Read are: {FORMATS}."
        )
    if dates.slashed:
        first = "the day" if order == "day" else "the month"
        notes.append(f"dates such as 03/04/2026 are read with {first} first.")
    if dates.zoned:
        notes.append(
            f"{counted(dates.zoned, 'date')} with a time zone. Each counts for the day that is written, "
            "its own local one."
        )
    if not dates.days(order):
        notes.append("no row has a date that can be used, so that there is no series over time.")
    return [f"{time}: {note}" for note in notes]


def _period(days: Counter[int], asked: Period | None) -> Period | None:
    """Return the periods that suit the span of the dates; None without dates."""
    if not days:
        return None
    earliest, latest = min(days), max(days)
    fitting: list[Period] = [name for name, most in SPANS if latest - earliest <= most]
    chosen = asked or (fitting[0] if fitting else "year")
    count = {every: len({period_of(date.fromordinal(day), every) for day in days}) for every in PERIODS}
    if count[chosen] > MOST_PERIODS:
        fewer = next((every for every in PERIODS if count[every] <= MOST_PERIODS), "year")
        raise ConfigError(
            f"--every {chosen}: {count[chosen]:,} periods from {date.fromordinal(earliest)} to "
            f"{date.fromordinal(latest)}; expected at most {MOST_PERIODS:,}; hint: --every {fewer}"
        )
    return chosen
