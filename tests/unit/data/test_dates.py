"""Dates: the formats that are read, which of day and month comes first, and what is counted."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from nlpkit.data.dates import DateCount, period_of, read_date
from nlpkit.errors import ConfigError

SUNDAY = date(2026, 11, 29)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-29",
        " 2026-11-29T10:15:00+01:00 ",
        "2026-11-29 10:15",
        "20261129",
        "2026/11/29 10:15",
        "29.11.2026",
        "29/11/2026",
        "11/29/2026",
        "29 Nov 2026",
        "November 29, 2026",
        "Sun, 29 Nov 2026 10:15:00 +0100",
        "Sun Nov 29 10:15:00 +0000 2026",
        "1795950000",  # 11:00 UTC
        "1795950000000",
        1_795_950_000,
        SUNDAY,
        datetime(2026, 11, 29, 23, tzinfo=UTC),
    ],
)
def test_one_day_in_many_formats(written: object) -> None:
    read = read_date(written)
    assert read is not None
    assert read.date() == SUNDAY


def test_milliseconds_are_no_day_of_the_eighteenth_century() -> None:
    assert read_date(1_706_123_400_000) == datetime(2024, 1, 24, 19, 10, tzinfo=UTC)
    assert read_date(1_706_123_400_000.0) == datetime(2024, 1, 24, 19, 10, tzinfo=UTC)  # a column with gaps


@pytest.mark.parametrize("written", ["last week", "12", "99/99/2026", "31/02/2026", "", None, True, [2026]])
def test_what_is_no_date(written: object) -> None:
    assert read_date(written) is None


def test_a_date_that_may_be_two_days_is_read_only_with_an_order() -> None:
    assert read_date("03/04/2026") is None
    assert read_date("03/04/2026", "day") == datetime(2026, 4, 3)
    assert read_date("03/04/2026", "month") == datetime(2026, 3, 4)
    assert read_date("29/11/2026", "month") is None
    assert read_date("04/04/2026") == datetime(2026, 4, 4)  # the same day in both orders
    assert read_date("03.04.2026") == datetime(2026, 4, 3)


def test_a_week_belongs_to_the_year_of_its_thursday() -> None:
    assert period_of(date(2024, 12, 30), "week") == "2025-W01"
    assert [period_of(SUNDAY, every) for every in ("day", "week", "month", "year")] == [
        "2026-11-29",
        "2026-W48",
        "2026-11",
        "2026",
    ]


def test_the_other_dates_show_what_comes_first() -> None:
    count = DateCount(today=SUNDAY)
    count.add(["03/04/2026", "05/06/2026", "13/04/2026", "2026-04-03", None, " ", "soon", "30/12/2026"])
    order = count.settled("date")
    assert order == "day"
    assert (count.missing, count.unreadable(order), count.examples(order)) == (2, 1, ["soon"])
    assert count.future(order) == 1
    days = {date.fromordinal(day).isoformat(): rows for day, rows in count.days(order).items()}
    assert days == {"2026-04-03": 2, "2026-06-05": 1, "2026-04-13": 1}


def test_dates_that_no_other_date_explains_are_refused() -> None:
    count = DateCount(today=SUNDAY)
    count.add(["03/04/2026", "05/06/2026"])
    with pytest.raises(ConfigError, match=r"date: 2 dates such as 03/04/2026 .*hint: --date-order day"):
        count.settled("date")
    assert DateCount(today=SUNDAY, order="month").settled("date") == "month"
