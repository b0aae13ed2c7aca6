"""The list of conversations as HTML."""

from __future__ import annotations

import datetime
import re

import pytest

from demo.list_page import group_of, list_page, when
from nlpkit.chat.summaries import ChatSummary

EVIL = '"><img src=x onerror=alert(1)>'
NOW = datetime.datetime(2026, 3, 10, 9, 30).astimezone()


def summary(id: str = "1", *, at: datetime.datetime = NOW, pinned: bool = False, **texts: str) -> ChatSummary:
    more = {"title": "a title", "line": "a line"} | texts
    return ChatSummary(id=id, updated=at.timestamp(), is_pinned=pinned, **more)


def test_a_list_is_escaped_and_marks_the_open_one() -> None:
    page = list_page([summary(title=EVIL, line=EVIL), summary("2")], "1", now=NOW)
    assert "<img" not in page
    assert re.findall(r'aria-current="true"', page) == ['aria-current="true"']
    assert "No conversation matches" in list_page([], "", "words")
    assert "None yet" in list_page([], "")


@pytest.mark.parametrize(
    ("at", "group", "short"),
    [
        (datetime.datetime(2026, 3, 10, 0, 0), "Today", "00:00"),
        (datetime.datetime(2026, 3, 11, 0, 0), "Today", "00:00"),  # another machine's clock is ahead
        (datetime.datetime(2026, 3, 9, 23, 59), "Yesterday", "Mon"),
        (datetime.datetime(2026, 3, 8, 23, 59), "Previous 7 days", "Sun"),
        (datetime.datetime(2026, 3, 3, 8, 0), "Previous 7 days", "Tue"),
        (datetime.datetime(2026, 3, 2, 8, 0), "Previous 30 days", "2 Mar"),
        (datetime.datetime(2026, 2, 8, 8, 0), "Previous 30 days", "8 Feb"),
        (datetime.datetime(2026, 2, 7, 8, 0), "February 2026", "7 Feb"),
        (datetime.datetime(2025, 12, 24, 8, 0), "December 2025", "24 Dec 2025"),
    ],
)
def test_d10_groups_by_time(at: datetime.datetime, group: str, short: str) -> None:
    local = at.astimezone()
    assert group_of(summary(at=local), NOW) == group
    assert when(local.timestamp(), NOW) == short
    assert group_of(summary(at=local, pinned=True), NOW) == "Pinned"


def test_d10_each_group_has_a_heading_and_the_pin_says_what_it_does() -> None:
    days = [NOW, NOW, NOW - datetime.timedelta(days=1)]
    rows = [summary("p", at=days[2], pinned=True)] + [summary(str(n), at=day) for n, day in enumerate(days)]
    page = list_page(rows, "", now=NOW)
    assert re.findall(r"<h2[^>]*>([^<]*)", page) == ["Pinned", "Today", "Yesterday"]
    assert re.findall(r'aria-label="((?:Unp|P)in) ', page) == ["Unpin", "Pin", "Pin", "Pin"]


def test_d6_the_list_is_one_stop_of_the_tab_key() -> None:
    rows = [summary(str(number)) for number in range(60)]
    for current, stop in (("3", "3"), ("", "0"), ("59", "0")):  # 59 is not among the first 50
        page = list_page(rows, current, limit=50, now=NOW)
        assert re.findall(r'data-chat="(\d+)"><button[^>]*tabindex="0"', page) == [stop]
        assert len(re.findall('tabindex="0"', page)) == 1
        assert len(re.findall("<button", page)) == len(re.findall("tabindex", page))


def test_d10_show_more_is_there_only_where_there_are_more() -> None:
    rows = [summary(str(number)) for number in range(51)]
    assert 'data-limit="100"' in list_page(rows, "", limit=50, now=NOW)
    assert len(re.findall("<li ", list_page(rows, "", limit=50, now=NOW))) == 50
    assert "Show more" not in list_page(rows[:50], "", limit=50, now=NOW)
    assert "Show more" not in list_page(rows, "", limit=100, now=NOW)


def test_d10_the_words_of_a_search_are_marked() -> None:
    page = list_page([summary(title="Lamp & lamps", line="a clamp, a LAMP")], "", "lamp", now=NOW)
    assert "<mark>Lamp</mark> &amp; <mark>lamps</mark>" in page
    assert "a clamp, a <mark>LAMP</mark>" in page
