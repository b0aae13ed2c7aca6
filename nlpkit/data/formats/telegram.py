"""A chat, or all chats, that Telegram Desktop exported as JSON (`result.json`): a row a message."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Mapping
from functools import partial

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

_CHATS = ((), ("chats", "list", EACH), ("left_chats", "list", EACH))
"""Where a chat lies: it is the document, or one of a list."""
_KIND = re.compile(
    r'"type"\s*:\s*"(personal_chat|bot_chat|saved_messages|replies|verification_codes'
    r'|(private|public)_(group|supergroup|channel))"'
)
_ALL = (
    re.compile(r'\s*\{\s*"about"\s*:'),
    re.compile(r'"(personal_information|contacts|chats)"\s*:\s*\{'),
)


def fits(start: str) -> bool:
    """Return whether the document is one chat, or an account with its chats."""
    chat = start.partition('"messages"')
    return bool(chat[1] and _KIND.search(chat[0])) or in_order(start, *_ALL)


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each message."""
    return parsed_text(file, partial(_rows, file, columns))


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    yield header(file, columns, CHAT)
    tally, silences, names = Tally(file), Silences(), Names()
    chat, chats, titles_read = "", Names(), 0
    rows, titles = [(*at, "messages", EACH) for at in _CHATS], [(*at, "name") for at in _CHATS]
    for _, value in objects(file, text, rows, titles):
        if isinstance(value, str):
            titles_read += 1
            chat = chats.name(titles_read, value or f"chat {titles_read}")
        elif isinstance(value, BadRow):
            yield value
        elif message := _message(value, tally):
            yield _row(message, value, chat, silences, names)
    yield from tally.left_out()


def _message(record: Record, tally: Tally) -> str | None:
    """Return the text of a message; None where it is none, which is counted."""
    if record.fields.get("type") != "message":
        tally.add(SERVICE)
        return None
    text = _text(record.fields.get("text"))
    if not text.strip():
        tally.add(NO_TEXT)
        return None
    return text


def _text(value: object) -> str:
    """Return a text, or the texts of its parts: plain ones, and links, mentions and the like."""
    if isinstance(value, str):
        return value
    parts = value if isinstance(value, list) else ()
    return "".join(str(part.get("text", "")) if isinstance(part, Mapping) else str(part) for part in parts)


def _row(text: str, record: Record, chat: str, silences: Silences, names: Names) -> Record | BadRow:
    sent = record.fields.get("date")
    try:
        seconds = seconds_of(sent)
    except ValueError:
        reason = f"'date': expected a time such as 2023-12-31T21:15:00, found {sent!r:.40}"
        return BadRow(file=record.file, row=record.row, reason=reason, raw=text)
    speaker = names.name(record.fields.get("from_id"), record.fields.get("from") or "Deleted account")
    fields = {
        "conversation": silences.conversation(chat, str(sent), seconds),
        "speaker": speaker,
        "time": sent,
        "text": text,
    }
    return spoken(fields, file=record.file, row=record.row)
