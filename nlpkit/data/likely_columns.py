"""Guess which column holds what, and whether the first row of a file is a header: only for hints."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence

from nlpkit.errors import close_match, nearest

NAMES: dict[str, tuple[str, ...]] = {
    "text": (
        *("text", "review", "comment", "message", "body", "content", "sentence", "tweet", "post", "title"),
        *("description", "utterance", "question", "phrase"),
    ),
    "label": (
        *(
            "label",
            "sentiment",
            "class",
            "category",
            "target",
            "rating",
            "stars",
            "star",
            "score",
            "polarity",
        ),
        *("emotion", "intent", "feedback", "labels", "emotions", "tags"),
    ),
}
"""What columns of a role are often called; the likeliest first."""

Values = Mapping[str, Sequence[str]]
"""Column -> what it holds in the first rows; empty lists where nothing was read."""

_CLOSE = 0.75
"""From which similarity a name is taken for a misspelling of another."""
_NUMBER = re.compile(r"[-+]?\d+(\.\d+)?")


def columns_as(values: Sequence[Mapping[str, object]], names: Sequence[str]) -> Values:
    """Return the first rows by column."""
    return {name: [str(row[name]) for row in values if row.get(name) is not None] for name in names}


def named(words: Iterable[str], columns: Collection[str]) -> str | None:
    """Return the column whose name holds one of the words; the likeliest word stands first."""
    for word in words:
        for name in columns:
            if word in re.split(r"[\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).casefold()):
                return name
    return None


def likely(role: str, values: Values) -> str | None:
    """Return the column that most likely holds the text or the label, by its name, else by its values."""
    if name := named(NAMES.get(role, ()), values):
        return name
    held = {name: texts for name, texts in values.items() if texts}
    if not held or role not in NAMES:
        return None
    longest = max(held, key=lambda name: sum(map(len, held[name])) / len(held[name]))
    if role == "text":
        return longest
    few = {name: len(set(texts)) for name, texts in held.items() if 1 < len(set(texts)) <= len(texts) * 0.7}
    few.pop(longest, None)
    return min(few, key=lambda name: few[name], default=None)


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")


def missing(column: str, columns: Collection[str], values: Values) -> str:
    """Say which column may be meant instead of one that is not there, as the end of a message.

    Args:
        column: What is not there.
        columns: All that are asked for, where known with their roles, which are the names of options.
        values: The columns that there are.
    """
    role = columns[column] if isinstance(columns, Mapping) else None
    if role is None:
        return nearest(column, values)
    close = close_match(column, values, cutoff=_CLOSE)
    asked = columns if role == "text" else ()
    if name := close or likely(role, {name: held for name, held in values.items() if name not in asked}):
        known = f"; did you mean {close!r}" if close else f"; known: {_listed(values)}"
        key = f"{role}: {json.dumps(name, ensure_ascii=False)}"
        return f"{known}; hint: --{role} {shlex.quote(name)} (in a config, {key})"
    return f"; known: {_listed(values)}; hint: name it with --{role} (in a config, {role}:)"


def without_header(
    names: Sequence[str], rows: Sequence[Sequence[str]], columns: Collection[str]
) -> str | None:
    """Return the options that read a file whose first row looks like data; None where it looks like a header.

    Data is a name that its own column holds again, or a number over numbers.
    """
    known = {word for words in NAMES.values() for word in words}
    if not columns or not rows or any(name.casefold() in known for name in names):
        return None
    table = list(zip(*rows, strict=False))
    by_name = dict(zip(names, table, strict=False))
    numbers = {name for name, held in by_name.items() if all(map(_NUMBER.fullmatch, (name, *held)))}
    lacking = any(column not in names for column in columns)
    counted = [str(number) for number in range(len(names) + 1)]
    data = {name for name, held in by_name.items() if name in held}
    if not set(names) & numbers <= set(counted):
        data |= numbers if lacking else numbers & set(columns)
    if not data or list(names) in [list(row) for row in rows]:
        return None
    values = {str(number): [name, *held] for number, (name, held) in enumerate(by_name.items(), 1)}
    roles = columns.values() if isinstance(columns, Mapping) else ()
    guesses = {role: likely(role, values) for role in roles}
    return "".join(f" --{role} {number}" for role, number in guesses.items() if number)
