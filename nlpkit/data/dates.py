"""Dates as people and programs write them, and the periods that they fall into."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal, TypeAlias

from nlpkit.errors import ConfigError

Period: TypeAlias = Literal["day", "week", "month", "year"]
PERIODS: Mapping[Period, str] = {"day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m", "year": "%Y"}
"""How the period of a date is written, so that periods sort by time."""

Order: TypeAlias = Literal["day", "month"]
"""What comes first in a date such as 03/04/2026."""

FORMATS = (
    "2026-11-29, 2026-11-29T10:15+01:00, 20261129, 2026/11/29, 29.11.2026, 29/11/2026 or 11/29/2026, "
    "29 Nov 2026, Nov 29, 2026, Sun, 29 Nov 2026 10:15:00 +0100, or seconds since 1970"
)
"""What is read as a date, for messages."""

EXAMPLES = 3
"""Values that are no date, of which a message shows so many."""

_SLASHED = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})(?:$|[ T,])")
_UNIX = re.compile(r"-?(?:\d{9,10}|\d{13}|\d{16})(?:\.\d+)?")
_NAMED = (
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%b %d %Y", "%B %d %Y", "%d-%b-%Y",
    "%a %b %d %H:%M:%S %z %Y", "%a %b %d %H:%M:%S %Y",
)  # fmt: skip


def read_date(held: object, order: Order | None = None) -> datetime | None:
    """Return a date as it is written, with its zone if it names one; None where it is no date.

    Args:
        held: a text, a number of seconds, milliseconds or microseconds since 1970 (UTC), or a date.
        order: what comes first in 03/04/2026; None reads only those that can be one day alone.
    """
    if isinstance(held, datetime):
        return held
    if isinstance(held, date):
        return datetime(held.year, held.month, held.day)
    if isinstance(held, bool) or not isinstance(held, (str, int, float)):
        return None
    return _read(str(held).strip(), order)


@lru_cache(maxsize=100_000)
def _read(text: str, order: Order | None) -> datetime | None:
    if _UNIX.fullmatch(text):  # before ISO 8601, which reads 1706123400000 as a day of 1706
        whole = len(text.lstrip("-").partition(".")[0])
        seconds = float(text) / {13: 1e3, 16: 1e6}.get(whole, 1)
        return datetime.fromtimestamp(seconds, UTC)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    if slashed := _SLASHED.match(text):
        return _slashed(slashed, order)
    if re.match(r"\d{4}/\d{1,2}/\d{1,2}", text):
        text = re.sub(r"^(\d{4})/(\d{1,2})/(\d{1,2})", lambda at: f"{at[1]}-{at[2]:0>2}-{at[3]:0>2}", text)
        return _read(text, order) if "/" not in text else None
    for format in _NAMED:
        try:
            return datetime.strptime(text, format)  # as it is written
        except ValueError:
            continue
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None


def _slashed(match: re.Match[str], order: Order | None) -> datetime | None:
    first, mark, second, year = int(match[1]), match[2], int(match[3]), int(match[4])
    if mark == ".":  # 29.11.2026 is never written with the month first
        order = "day"
    orders: tuple[Order, ...] = (order,) if order else ("day", "month")
    days = {
        (second, first) if each == "day" else (first, second)
        for each in orders
        if (second if each == "day" else first) <= 12
    }
    if len(days) != 1:
        return None
    month, day = days.pop()
    try:
        return datetime(year, month, day)
    except ValueError:
        return None


def is_slashed(held: object) -> bool:
    """Return whether it depends on the order which day a value is, as in 03/04/2026 and 29/11/2026."""
    match = _SLASHED.match(held.strip()) if isinstance(held, str) else None
    return bool(match and match[2] != ".")


@dataclass(kw_only=True)
class DateCount:
    """Counts the dates of a column: all that must be known before periods are chosen, in constant memory.

    Args:
        today: dates after it are in the future.
        order: what comes first in 03/04/2026; None finds it out from the values.
    """

    today: date
    order: Order | None = None
    missing: int = 0
    zoned: int = 0
    """Dates that name a time zone."""
    slashed: Counter[str] = field(default_factory=Counter)
    """How many of the dates such as 03/04/2026 can be read with the day first only, the month first only, or
    either way ("either")."""
    _days: dict[Order, Counter[int]] = field(default_factory=lambda: {"day": Counter(), "month": Counter()})
    _unreadable: dict[Order, list[str]] = field(default_factory=lambda: {"day": [], "month": []})
    _failed: Counter[str] = field(default_factory=Counter)

    def add(self, values: Iterable[object]) -> None:
        """Add the values of a column."""
        for held in values:
            if held is None or held == "" or (isinstance(held, str) and not held.strip()):
                self.missing += 1
                continue
            known = {order: read_date(held, order) for order in self._days} if is_slashed(held) else None
            if known:
                fits = [order for order, day in known.items() if day]
                self.slashed["either" if len(fits) == 2 else fits[0] if fits else "none"] += 1
            else:
                day = read_date(held)
                self.zoned += day is not None and day.tzinfo is not None
                known = dict.fromkeys(self._days, day)
            for order, day in known.items():
                if day is not None:
                    self._days[order][day.toordinal()] += 1
                else:
                    self._failed[order] += 1
                    examples, value = self._unreadable[order], str(held)[:40]
                    if len(examples) < EXAMPLES and value not in examples:
                        examples.append(value)

    def settled(self, column: str) -> Order:
        """Return what comes first in a date such as 03/04/2026.

        Raises:
            ConfigError: no value shows it.
        """
        if self.order:
            return self.order
        day, month = self.slashed["day"], self.slashed["month"]
        if self.slashed["either"] and day == month:
            raise ConfigError(
                f"{column}: {self.slashed['either']:,} dates such as 03/04/2026 can be read in two ways, and "
                "no other date shows which comes first; hint: --date-order day, or --date-order month"
            )
        return "month" if month > day else "day"

    def days(self, order: Order) -> Counter[int]:
        """Return how many rows each day has, by its ordinal, the future left out."""
        return Counter({day: n for day, n in self._days[order].items() if day <= self.today.toordinal()})

    def future(self, order: Order) -> int:
        """Return how many dates are after today."""
        return sum(n for day, n in self._days[order].items() if day > self.today.toordinal())

    def unreadable(self, order: Order) -> int:
        """Return how many values are no date."""
        return self._failed[order]

    def examples(self, order: Order) -> list[str]:
        """Return some values that are no date."""
        return self._unreadable[order]


def period_of(day: date, every: Period) -> str:
    """Return the name of the period that a day falls into."""
    return day.strftime(PERIODS[every])
