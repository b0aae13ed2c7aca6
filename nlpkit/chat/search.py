"""A search query as SQL conditions that SQLite cannot misread."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_QUERY = 200
"""Characters of a query that are used."""

_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff]")
"""Thai, Lao, Burmese, Khmer, Chinese, Japanese."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """Conditions that hold where every word of a query is found, or words that begin with them."""

    pattern: re.Pattern[str]
    """Matches the words in a text, with the letters that follow."""
    in_title: str
    """On rows of `chats`."""
    hits: str
    """Selects the numbers of the messages, as `hit`."""
    title_values: tuple[str, ...]
    message_values: tuple[str, ...]

    @property
    def values(self) -> tuple[str, ...]:
        """Return the values of `in_chat`."""
        return (*self.title_values, *self.message_values)

    @property
    def in_message(self) -> str:
        """Return a condition on rows of `messages`."""
        return f"messages.number IN ({self.hits})"

    @property
    def in_chat(self) -> str:
        """Return a condition on rows of `chats`: it holds for the title or for one message."""
        inside = f"SELECT chat FROM messages WHERE {self.in_message}"  # noqa: S608
        return f"({self.in_title} OR chats.number IN ({inside}))"


def search_of(query: str) -> Search | None:
    """Return the conditions of a query; None if it has no words, so that everything is meant.

    A query with words that FTS5 does not index (emoji, signs), or in a script without spaces, is compared as
    plain text.
    """
    words = tuple(query.replace("\0", " ")[:MAX_QUERY].encode("utf-8", "ignore").decode().split())
    if not words:
        return None
    patterns = tuple(_like(word) for word in words)
    hits, start = f"SELECT number AS hit FROM messages WHERE {_all_like('text', words)}", ""  # noqa: S608
    message_values = patterns
    if all(re.search(r"\w", word) and not _NO_SPACES.search(word) for word in words):
        hits, start = "SELECT rowid AS hit FROM found WHERE found MATCH ?", r"(?<!\w)"
        # Inside quotes nothing is FTS5 syntax; the star matches words that begin so
        message_values = (" ".join('"' + word.replace('"', '""') + '"*' for word in words),)
    either = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
    return Search(
        pattern=re.compile(rf"{start}(?:{either})\w*", re.IGNORECASE),
        in_title=_all_like("chats.title", words),
        hits=hits,
        title_values=patterns,
        message_values=message_values,
    )


def _all_like(column: str, words: tuple[str, ...]) -> str:
    return "(" + " AND ".join(rf"{column} LIKE ? ESCAPE '\'" for _ in words) + ")"


def _like(word: str) -> str:
    return "%" + re.sub(r"([\\%_])", r"\\\1", word) + "%"
