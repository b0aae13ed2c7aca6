"""Conversations as a list shows them: each with a line of its last message, or of the one that was found."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass

from nlpkit.chat.database import Database
from nlpkit.chat.search import Search

MAX_LINE = 120
"""Characters of a message in a list."""

_READ = 4000
"""Characters of a message of which the line is made."""

_BEFORE = 30
"""Characters before the found word in a line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatSummary:
    """A row of a list of conversations."""

    id: str
    title: str
    updated: float
    """Seconds since 1970, UTC."""
    is_pinned: bool
    line: str
    """The beginning of the last message; of a search, the part of the found message with its words."""


def read_summaries(database: Database, owner: str, search: Search | None, limit: int) -> list[ChatSummary]:
    """Return the owner's conversations, pinned ones first, then the last changed; open a transaction first.

    Of a search, the line is of the newest message with its words; where only the title has them, of the last.
    """
    columns = f"chats.id, chats.title, chats.updated, chats.pinned, substr(text, 1, {_READ}) AS text"
    order = "ORDER BY chats.pinned DESC, chats.updated DESC, chats.number DESC LIMIT ?"
    if search is None:
        page = f"SELECT * FROM chats WHERE owner = ? {order}"  # noqa: S608
        rows = database.rows(
            f"SELECT {columns} FROM ({page}) chats LEFT JOIN messages m ON m.number = head {order}",  # noqa: S608
            owner, limit, limit,
        )  # fmt: skip
        return [_summary_of(row) for row in rows]
    newest = "SELECT max(m.number) FROM messages m WHERE m.chat = chats.number AND m.number IN hits"
    # From the top of the list, so that it ends where the page is full; the hits are looked up only once
    page = f"SELECT *, ({newest}) AS hit FROM chats WHERE owner = ?"  # noqa: S608
    rows = database.rows(
        f"WITH hits AS MATERIALIZED ({search.hits}) SELECT {columns} FROM ({page}) chats "  # noqa: S608
        "LEFT JOIN messages m ON m.number = coalesce(hit, head) "
        f"WHERE hit IS NOT NULL OR {search.in_title} {order}",
        *search.message_values, owner, *search.title_values, limit,
    )  # fmt: skip
    return [_summary_of(row, search.pattern) for row in rows]


def _summary_of(row: sqlite3.Row, pattern: re.Pattern[str] | None = None) -> ChatSummary:
    return ChatSummary(
        id=row["id"],
        title=row["title"],
        updated=row["updated"],
        is_pinned=bool(row["pinned"]),
        line=line_of(row["text"] or "", pattern),
    )


def line_of(text: str, pattern: re.Pattern[str] | None = None) -> str:
    """Return one line of a text: its beginning, or the part around the first match of the pattern."""
    line, at = " ".join(text.split()), 0
    if pattern and (match := pattern.search(line)) and match.start() > _BEFORE:
        at = line.find(" ", match.start() - _BEFORE, match.start()) + 1 or match.start() - _BEFORE
    return ("…" if at else "") + line[at : at + MAX_LINE]
