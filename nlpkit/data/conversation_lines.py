"""Lines of conversations: what each row or each message of a list holds, with the place it came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlpkit.data.conversation_columns import RefusedError, in_words, unused_keys
from nlpkit.data.records import Record
from nlpkit.errors import nearest
from nlpkit.settings.data import ConversationSource

_SPEAKERS = {"role": True, "from": True, "sender": False, "speaker": False}
"""Keys of a message that name its speaker, and whether they hold a role (else a name)."""
_TEXTS = ("content", "value", "text")


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """What one row or message holds, as it stands there."""

    speaker: object
    text: object
    where: str
    label: object = None
    """What stands in the column of labels, where there is one."""


def row_lines(
    rows: Sequence[Record], source: ConversationSource, where: str, label: str | None
) -> list[Line]:
    """Return the lines of a conversation's rows, each a turn."""
    lines = []
    for turn, row in enumerate(rows, start=1):
        line = f"{where}, turn {turn} (row {row.row})"
        speaker, text = (held(row.fields, name, line) for name in (source.speaker, source.text))
        lines.append(Line(speaker=speaker, text=text, where=line, label=row.fields.get(label or "")))
    return lines


def message_lines(
    record: Record, column: str, preferred: str, label: str | None
) -> tuple[list[Line], bool, list[str]]:
    """Return the lines of a list of messages, whether their speakers are roles, and the unused keys."""
    where = record.where
    listed = _listed(held(record.fields, column, where), f"{where}, column {column!r}")
    messages: list[Mapping[str, object]] = []
    for turn, message in enumerate(listed, start=1):
        if not isinstance(message, Mapping):
            detail = f"expected an object such as {{'role': ..., 'content': ...}}, found {in_words(message)}"
            raise RefusedError(f"{where}, turn {turn}", "a message that is no object", detail)
        messages.append(message)
    names = (preferred, *(name for name in _SPEAKERS if name != preferred))
    speaker = _used(messages, names)
    text = _used(messages, ("value", "content", "text") if preferred == "from" else _TEXTS)
    lines: list[Line] = []
    unused: list[str] = []
    for turn, message in enumerate(messages, start=1):
        line = f"{where}, turn {turn}"
        unused += unused_keys(message, (speaker, text, label or ""), line)
        speaks, says = held(message, speaker, line), held(message, text, line)
        lines.append(Line(speaker=speaks, text=says, where=line, label=message.get(label or "")))
    return lines, _SPEAKERS[speaker], unused


def _listed(value: object, where: str) -> Sequence[object]:
    """Return the list, read from its JSON where it stands in a cell."""
    if isinstance(value, str):
        import orjson

        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise RefusedError(
                where,
                "messages that are no JSON",
                f"expected a list of messages as JSON, found text: {error}",
            ) from error
    if not isinstance(value, (list, tuple)):
        raise RefusedError(
            where, "no list of messages", f"expected a list of messages, found {in_words(value)}"
        )
    return value


def _used(messages: Sequence[Mapping[str, object]], names: Sequence[str]) -> str:
    """Return the name that the messages use; the first where they use none."""
    # In Parquet every message has every key, and those that it does not use are null.
    return next(
        (name for name in names if any(message.get(name) is not None for message in messages)), names[0]
    )


def held(fields: Mapping[str, object], name: str, where: str) -> object:
    """Return what stands under the name, null too."""
    if name not in fields:
        raise RefusedError(where, f"a turn without {name!r}", f"no {name!r}{nearest(name, fields)}")
    return fields[name]
