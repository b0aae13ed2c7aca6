"""What people type into a search box, as a condition that SQLite cannot misread."""

from __future__ import annotations

import re

MOST = 200
"""Characters of a query that are looked at."""

_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese."""


def where_found(query: str) -> tuple[str, tuple[str, ...]]:
    """A condition on rows of `chats`, and its values: all words of the query, or their beginnings, stand in one message or in the title.

    A query in which FTS5 knows no word (emoji, signs), or in whose script words have no spaces, is looked for as it stands.
    """
    words = query.replace("\0", " ")[:MOST].encode("utf-8", "ignore").decode().split()
    if not words:
        return "1", ()
    title = " AND ".join(r"title LIKE ? ESCAPE '\'" for _ in words)
    titles = tuple(_like(one) for one in words)
    if any(not re.search(r"\w", one) or _NO_SPACES.search(one) for one in words):
        same = title.replace("title LIKE", "text LIKE")
        return f"(({title}) OR number IN (SELECT chat FROM messages WHERE {same}))", (*titles, *titles)  # noqa: S608
    # Quoted, nothing in a word is FTS5's syntax; the star asks for words that begin so
    phrase = " ".join('"' + one.replace('"', '""') + '"*' for one in words)
    inside = "SELECT m.chat FROM found JOIN messages m ON m.number = found.rowid WHERE found MATCH ?"
    return f"(({title}) OR number IN ({inside}))", (*titles, phrase)


def _like(word: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", word) + "%"
