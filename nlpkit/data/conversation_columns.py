"""What a row or a message holds besides its conversation: refused where it changes the meaning, else listed
as unused.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from nlpkit.data.preference_rows import DOWN, UP, rating_key
from nlpkit.data.records import Record, kind_of
from nlpkit.errors import DataError

SKIP = "`on_bad: skip` (nlpkit evaluate --on-error skip)"
LEAVE_OUT = f"hint: remove the conversation, or leave it out with {SKIP}"
OR_LEAVE_OUT = f", or leave the conversation out with {SKIP}"
_REFUSED = {
    **dict.fromkeys(
        ("image", "images", "video", "videos", "audio", "audios"),
        ("pictures, films or sound", f"pictures, films or sound, which cannot be read here; {LEAVE_OUT}"),
    ),
    **dict.fromkeys(
        ("tools", "functions"), ("tools", f"tools for the model, which cannot be learned here; {LEAVE_OUT}")
    ),
    "history": (
        "earlier turns in 'history'",
        "earlier turns, which this shape does not read; hint: write the conversation as messages",
    ),
}
"""Columns and keys without which a conversation means something else: the reason, and the message."""
_CALLS = ("tool_calls", "function_call")
_EMPTY = frozenset({"", "[]", "{}", "null"})


class RefusedError(DataError):
    """An invalid conversation; `kind` says why without where, to be counted."""

    def __init__(self, where: str, kind: str, detail: str = "") -> None:
        super().__init__(f"{where}: {detail or kind}")
        self.kind = kind


def unused_columns(record: Record, used: Collection[str | None], *, reply: str, is_turn: bool) -> list[str]:
    """Return the columns of a row that hold something and are not used.

    Args:
        record: the row.
        used: the columns that the conversation is made of.
        reply: the column that holds the reply, or the messages that end with it.
        is_turn: whether the row is a single turn.

    Raises:
        RefusedError: a column changes the meaning: it holds pictures, tools, earlier turns or a rating.
    """
    unused = [name for name in _filled(record.fields) if name not in used]
    for name in unused:
        column = name.casefold()
        if is_turn and column in ("history", "label"):
            continue
        where = f"{record.where}, column {name!r}"
        if column in _REFUSED:
            raise RefusedError(where, *_REFUSED[column])
        if column == "rating" or (column == "label" and _is_rating(record.fields[name])):
            hint = "remove the column" if is_turn else _rated_hint(name, record.fields, reply)
            detail = "a rating, but this recipe learns every reply, good or bad"
            raise RefusedError(where, f"a rating in {name!r}", f"{detail}; hint: {hint}")
    return unused


def unused_keys(message: Mapping[str, object], used: Collection[str], where: str) -> list[str]:
    """Return the keys of a message that hold something and are not used.

    Raises:
        RefusedError: a key changes the meaning: a call of a tool, pictures, or a weight of 0.
    """
    unused = [name for name in _filled(message) if name not in used]
    for name in unused:
        if name in _CALLS:
            detail = f"calls a tool ({name!r}), which cannot be learned here; {LEAVE_OUT}"
            raise RefusedError(where, "a call of a tool", detail)
        if name in _REFUSED:
            raise RefusedError(f"{where}, key {name!r}", *_REFUSED[name])
        if name == "weight" and message[name] in (0, "0"):
            detail = f"a message of weight 0, which is not to be learned; {LEAVE_OUT}"
            raise RefusedError(where, "a message of weight 0", detail)
    return unused


def in_words(value: object) -> str:
    """Say what a value that is not the expected one is."""
    if isinstance(value, str):
        return "text" if value.strip() else "nothing"
    return kind_of(value)


def _filled(fields: Mapping[str, object]) -> Iterator[str]:
    """Yield the names under which something stands. False and 0 are something."""
    for name, value in fields.items():
        if isinstance(value, str):
            empty = value.strip() in _EMPTY
        else:
            empty = not value and not isinstance(value, (bool, int, float))
        if not empty:
            yield name


def _is_rating(value: object) -> bool:
    return rating_key(value) in UP | DOWN | {"0"}


def _rated_hint(column: str, fields: Mapping[str, object], reply: str) -> str:
    """Return the settings with which the preference recipe reads the rating."""
    names = {"reply": "reply" if "reply" in fields else reply, "rating": column}
    keys = [f"`{key}: {name}`" for key, name in names.items() if key != name]
    key = rating_key(fields[column])
    if key in ("0", "1"):
        keys.append("`ratings: {1: up, 0: down}`")
    elif key not in UP | DOWN:
        keys.append("`ratings`, such as `ratings: {5: up, 1: down}`")
    settings = f" with {' and '.join(keys)} in its data.train" if keys else ""
    return f"use `recipe: preference`{settings}, or remove the column"
