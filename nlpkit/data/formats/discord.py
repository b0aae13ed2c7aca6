"""A channel that DiscordChatExporter wrote as JSON: a row a message."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import Any

from nlpkit.data.formats.json_text import EACH
from nlpkit.data.formats.spoken_rows import (
    CHAT,
    NO_TEXT,
    SERVICE,
    Names,
    Silences,
    Tally,
    header,
    in_order,
    objects,
    seconds_of,
    spoken,
)
from nlpkit.data.rows import BadRow, DataFile, Record, Stream
from nlpkit.data.text_files import parsed_text

_SAID = frozenset({"Default", "Reply", "ChatInputCommand", "ContextMenuCommand", "0", "19", "20", "23"})
"""Types of messages that someone, or a bot, wrote."""
_CHANNEL = (
    re.compile(r'\s*\{\s*"guild"\s*:\s*\{'),
    re.compile(r'"channel"\s*:\s*\{'),
    re.compile(r'"messages"\s*:\s*\['),
)


def fits(start: str) -> bool:
    """Return whether the document is a channel of a server."""
    return in_order(start, *_CHANNEL)


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each message."""
    return parsed_text(file, partial(_rows, file, columns))


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    yield header(file, columns, CHAT)
    tally, silences, names = Tally(file), Silences(), Names()
    channel = ""
    for _, value in objects(file, text, [("messages", EACH)], [("channel", "name")]):
        if isinstance(value, str):
            channel = value
        elif isinstance(value, BadRow):
            yield value
        elif str(value.fields.get("type")) not in _SAID:
            tally.add(SERVICE)
        elif not str(value.fields.get("content") or "").strip():
            tally.add(NO_TEXT)
        else:
            yield _row(value, f"#{channel}", silences, names)
    yield from tally.left_out()


def _row(record: Record, channel: str, silences: Silences, names: Names) -> Record | BadRow:
    sent, author = record.fields.get("timestamp"), record.fields.get("author")
    try:
        seconds = seconds_of(sent)
    except ValueError:
        reason = f"'timestamp': expected a time such as 2023-12-31T21:15:00+00:00, found {sent!r:.40}"
        return BadRow(file=record.file, row=record.row, reason=reason, raw=str(record.fields["content"]))
    person: Mapping[str, Any] = author if isinstance(author, Mapping) else {}
    fields = {
        "conversation": silences.conversation(channel, str(sent), seconds),
        "speaker": names.name(person.get("id"), person.get("name")),
        "time": sent,
        "text": record.fields["content"],
    }
    return spoken(fields, file=record.file, row=record.row)
