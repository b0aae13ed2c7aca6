"""A Slack export: the unpacked folder with all channels, or one file of it: a row a message.

A thread is a conversation of its own, with the message that began it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nlpkit.data.formats.json_text import EACH
from nlpkit.data.formats.spoken_rows import (
    CHAT,
    DELETED,
    NO_TEXT,
    SERVICE,
    Names,
    Silences,
    Tally,
    header,
    objects,
)
from nlpkit.data.formats.spoken_rows import spoken as spoken_row
from nlpkit.data.rows import BadRow, DataFile, Record, Row, Stream
from nlpkit.data.text_files import parsed_text

_PEOPLE = "users.json"
_LISTS = ("channels.json", "groups.json", "dms.json", "mpims.json")
_SAID = frozenset({None, "bot_message", "me_message", "thread_broadcast", "file_share", "file_comment"})
"""Subtypes of messages that someone, or a bot, wrote."""
_MESSAGE = re.compile(r'"type"\s*:\s*"message"')
_TIME = re.compile(r'"ts"\s*:\s*"\d{9,11}\.\d{6}"')
_LINK = re.compile(r"<([@#!]?)([^<>|]+)(?:\|([^<>]*))?>")


def fits(start: str) -> bool:
    """Return whether the document is a list of messages."""
    is_list = start.lstrip().startswith("[")
    return is_list and _MESSAGE.search(start) is not None and _TIME.search(start) is not None


def fits_folder(folder: Path) -> bool:
    """Return whether a folder holds the lists of people and of channels."""
    return (folder / _PEOPLE).is_file() and any((folder / name).is_file() for name in _LISTS)


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each message, channel by channel and day by day."""
    yield header(file, columns, CHAT)
    tally = Tally(file)
    if file.path is None or not file.path.is_dir():
        folder = file.path.absolute().parent if file.path else None
        people = [folder.parent / _PEOPLE, folder / _PEOPLE] if folder else []
        chats = _Chats(tally=tally, people=_people(file, people), silences=Silences(), names=Names())
        yield from chats.rows(file, folder.name if folder else "")
    else:
        chats = _Chats(
            tally=tally, people=_people(file, [file.path / _PEOPLE]), silences=Silences(), names=Names()
        )
        for day in sorted(file.path.glob("*/*.json")):
            yield from chats.rows(replace(file, path=day, name=str(day)), day.parent.name)
    yield from tally.left_out()


def _people(file: DataFile, lists: Collection[Path]) -> dict[str, str]:
    """Return the names of people by their ids, from the first of some lists that is there."""
    path = next((path for path in lists if path.is_file()), None)
    if path is None:
        return {}
    listed = replace(file, path=path, name=str(path))
    people: dict[str, str] = {}
    for _, person in parsed_text(listed, lambda text: objects(listed, text, [(EACH,)])):
        if isinstance(person, Record):
            profile = person.fields.get("profile")
            shown: Mapping[str, Any] = profile if isinstance(profile, Mapping) else {}
            names = (shown.get("display_name"), person.fields.get("real_name"), shown.get("real_name"))
            name = next(filter(None, (*names, person.fields.get("name"))), None)
            people[str(person.fields.get("id"))] = str(name or person.fields.get("id"))
    return people


@dataclass(frozen=True, kw_only=True)
class _Chats:
    """The channels of an export."""

    tally: Tally
    people: Mapping[str, str]
    silences: Silences
    names: Names

    def rows(self, file: DataFile, channel: str) -> Iterator[Row]:
        """Yield the rows of a file of messages."""
        for _, value in parsed_text(file, lambda text: objects(file, text, [(EACH,)])):
            if isinstance(value, BadRow):
                yield value
            elif isinstance(value, Record) and self._is_said(value.fields):
                yield self._row(value, f"#{channel}")

    def _is_said(self, message: Mapping[str, Any]) -> bool:
        kind = message.get("subtype")
        if kind == "tombstone":
            self.tally.add(DELETED)
        elif message.get("type") != "message" or kind not in _SAID:
            self.tally.add(SERVICE)
        elif not str(message.get("text") or "").strip():
            self.tally.add(NO_TEXT)
        else:
            return True
        return False

    def _row(self, record: Record, channel: str) -> Record | BadRow:
        message: Mapping[str, Any] = record.fields
        try:
            seconds = float(message["ts"])
            stamp = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            reason = f"'ts': expected a time such as \"1704057300.000100\", found {message.get('ts')!r:.40}"
            return BadRow(file=record.file, row=record.row, reason=reason, raw=str(message["text"]))
        thread = message.get("thread_ts")
        conversation = (
            f"{channel}, thread {thread}" if thread else self.silences.conversation(channel, stamp, seconds)
        )
        fields = {
            "conversation": conversation,
            "speaker": self._speaker(message),
            "time": stamp,
            "text": self._plain(str(message["text"])),
        }
        return spoken_row(fields, file=record.file, row=record.row)

    def _speaker(self, message: Mapping[str, Any]) -> str:
        id = message.get("user") or message.get("bot_id")
        profile = message.get("user_profile") or message.get("bot_profile")
        shown: Mapping[str, Any] = profile if isinstance(profile, Mapping) else {}
        names = (self.people.get(str(id)), message.get("username"), shown.get("display_name"))
        name = next(filter(None, (*names, shown.get("real_name"), shown.get("name"), id)), None)
        return self.names.name(id, name)

    def _plain(self, text: str) -> str:
        """Return a text with names, channels and links as people see them."""
        return html.unescape(_LINK.sub(self._shown, text))

    def _shown(self, link: re.Match[str]) -> str:
        mark, target, label = link.groups()
        if mark == "@":
            return f"@{label or self.people.get(target, target)}"
        if mark == "!":
            return label or f"@{target.partition('^')[0]}"
        return f"{mark}{label or target}"
