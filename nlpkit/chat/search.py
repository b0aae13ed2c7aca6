"""A search query as an SQL condition that SQLite cannot misread."""

from __future__ import annotations

import re

MAX_QUERY = 200
"""Characters of a query that are used."""

_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese."""


def search_condition(query: str) -> tuple[str, tuple[str, ...]]:
    """Return a condition on rows of `chats`, and its values.

    It holds if the title or one message contains every word of the query, or words that begin with them. A
    query with words that FTS5 does not index (emoji, signs), or in a script without spaces, is compared as
    plain text.
    """
    words = query.replace("\0", " ")[:MAX_QUERY].encode("utf-8", "ignore").decode().split()
    if not words:
        return "1", ()
    title = " AND ".join(r"title LIKE ? ESCAPE '\'" for _ in words)
    patterns = tuple(_like(word) for word in words)
    if any(not re.search(r"\w", word) or _NO_SPACES.search(word) for word in words):
        same = title.replace("title LIKE", "text LIKE")
        return f"(({title}) OR number IN (SELECT chat FROM messages WHERE {same}))", (*patterns, *patterns)  # noqa: S608
    # Inside quotes nothing is FTS5 syntax; the star matches words that begin so
    phrase = " ".join('"' + word.replace('"', '""') + '"*' for word in words)
    inside = "SELECT m.chat FROM found JOIN messages m ON m.number = found.rowid WHERE found MATCH ?"
    return f"(({title}) OR number IN ({inside}))", (*patterns, phrase)


def _like(word: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", word) + "%"
