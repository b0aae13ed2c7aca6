"""Queries on the messages of a conversation.

A tree, of which the path to the last current message is shown.
"""

from __future__ import annotations

import re

_ID = re.compile(r"[0-9a-f]{24}")

_SIBLINGS = (
    "SELECT count(*) FROM messages s WHERE s.chat = m.chat AND s.parent IS m.parent AND s.role = m.role"
)

_MESSAGE = f"""SELECT m.*, (SELECT p.id FROM messages p WHERE p.number = m.parent) AS parent_id,
    ({_SIBLINGS} AND s.number <= m.number) AS version, ({_SIBLINGS}) AS versions"""  # noqa: S608

ADD = """INSERT INTO messages (id, chat, parent, role, text, created, system, bot, finish, mood, context)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING number"""

PATH = f"""WITH RECURSIVE path (number, parent, depth) AS (
    SELECT number, parent, 0 FROM messages WHERE number = ?
    UNION ALL SELECT m.number, m.parent, depth + 1 FROM messages m JOIN path ON m.number = path.parent
) {_MESSAGE} FROM path JOIN messages m ON m.number = path.number ORDER BY depth DESC"""  # noqa: S608
"""The messages up to a given one, from the first."""

ONE = f"{_MESSAGE} FROM messages m WHERE m.number = ?"

SIBLINGS = f"{_MESSAGE} FROM messages m WHERE m.chat = ? AND m.parent IS ? AND m.role = ? ORDER BY m.number"
"""Messages of one role that follow the same message."""

LAST_AFTER = """WITH RECURSIVE after (number) AS (
    SELECT ?
    UNION ALL SELECT m.number FROM messages m JOIN after ON m.parent = after.number
) SELECT max(number) AS number FROM after"""
"""The newest message that follows a message, on whatever path: the end of where one went on last."""

ALL = "SELECT * FROM messages WHERE chat = ? ORDER BY number"

CHOICES = "SELECT * FROM choices WHERE chat = ? ORDER BY number"

IS_RATED = """(
    number IN (SELECT chat FROM choices) OR number IN (SELECT chat FROM messages WHERE rating IS NOT NULL)
)"""
"""A condition on rows of `chats`: some reply in it was rated or chosen."""


def is_id(text: str) -> bool:
    """Return whether the text has the form of the store's ids."""
    return _ID.fullmatch(text) is not None
