"""A text file that a user attaches to a conversation: read, kept in the store, shown to the chat model.

* read_text_file   refuses what is no text or too long
* start_of_file    what of it the chat model reads, within a share of its window
* with_file        the conversation with that text in its system prompt
* AttachedFiles    the files of a store
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from nlpkit.chat.chat_rows import ChatRows
from nlpkit.chat.database import Database
from nlpkit.chat.refusals import LimitError
from nlpkit.chat.text_limits import clean, is_visible, storable
from nlpkit.data.examples import Conversation
from nlpkit.data.rows import DataFile, unreadable_text
from nlpkit.data.text_files import detect_encoding, parsed_text
from nlpkit.errors import DataError
from nlpkit.generation.completion import ChatModel, CountsTokens

MAX_BYTES = 5_000_000
"""Bytes of a file, and characters of its text."""

MAX_NAME = 120
"""Characters of a file's name."""

WINDOW_SHARE = 0.4
"""Share of the chat model's window that a file may take; the rest is for the turns and the reply."""

UNCOUNTED_CHARACTERS = 40_000
"""Characters that are shown to a chat model that does not count tokens here, such as a server."""

CHARACTERS_A_TOKEN = 8
"""Characters of a file that are tried for each token that it may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttachedFile:
    """The text of a file."""

    name: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class FileStart:
    """What a chat model reads of a file."""

    text: str
    tokens: int | None
    """None where a server counts."""


def read_text_file(path: Path, name: str = "") -> AttachedFile:
    """Return the text of a file; its bytes say how they are read, as for data.

    Raises:
        DataError: it is no text, empty, or too long; the message has the file's name.
    """
    name = clean(Path(name or path.name).name, 1000, what="the file's name")[:MAX_NAME] or "file"
    if (size := path.stat().st_size) > MAX_BYTES:
        raise _too_long(f"{name}: {size:,} bytes")
    try:
        text = next(parsed_text(DataFile(path=path, name=name, format="plain"), _start))
        if len(text) > MAX_BYTES:
            raise _too_long(f"{name}: more than {MAX_BYTES:,} characters")
        if reason := unreadable_text(text):
            detect_encoding(path)  # says what it may be instead
            raise DataError(f"{name}: no text: {reason}")
    except LimitError:
        raise
    except DataError as error:
        reason = re.sub(r" \(if it is .*\)|; hint: .*", "", str(error).replace(str(path), name))
        raise DataError(f"{reason}; hint: attach a text file in UTF-8") from error
    text = clean(text, len(text), what=name)
    if not is_visible(text):
        raise DataError(f"{name}: nothing in it can be read; expected text")
    return AttachedFile(name=name, text=text)


def start_of_file(file: AttachedFile, chat_model: ChatModel) -> FileStart:
    """Return what a chat model reads of a file: all of it, or as many of its first lines as fit.

    Raises:
        DataError: the chat model's tokenizer cannot read it.
    """
    if not isinstance(chat_model, CountsTokens):
        return FileStart(text=file.text[:UNCOUNTED_CHARACTERS], tokens=None)
    budget = int(WINDOW_SHARE * chat_model.window)
    least, most = 0, min(len(file.text), CHARACTERS_A_TOKEN * budget)
    if chat_model.tokens(file.text[:most]) <= budget:
        least = most
    while most - least > 1:  # the longest start that fits
        middle = (least + most) // 2
        least, most = (middle, most) if chat_model.tokens(file.text[:middle]) <= budget else (least, middle)
    text = file.text[:least]
    if least < len(file.text):
        text = re.sub(r"\s\S*\Z", "", text)  # no half word
    return FileStart(text=text, tokens=chat_model.tokens(text))


def with_file(conversation: Conversation, file: AttachedFile, chat_model: ChatModel) -> Conversation:
    """Return the conversation with what the chat model reads of a file in its system prompt."""
    start = start_of_file(file, chat_model)
    is_cut = len(start.text) < len(file.text)
    part = "The beginning of the" if is_cut else "The"
    head = f'{part} file "{file.name}", which the user has attached:'
    words = f"{head}\n\n{start.text}\n\n({'the rest is not shown' if is_cut else 'end of the file'})"
    system = "\n\n".join(filter(None, (conversation.system.strip(), words)))
    return dataclasses.replace(conversation, system=system)


class AttachedFiles:
    """The files of a store's conversations: at most one each."""

    def __init__(self, database: Database, rows: ChatRows) -> None:
        self._database, self._rows = database, rows

    def read(self, chat: str, owner: str) -> AttachedFile | None:
        """Return the file of a conversation, if it has one."""
        with self._database.reading():
            number = self._rows.find_chat(chat, owner)["number"]
            rows = self._database.rows("SELECT name, text FROM files WHERE chat = ?", number)
        return AttachedFile(name=rows[0]["name"], text=rows[0]["text"]) if rows else None

    def attach(self, chat: str, owner: str, file: AttachedFile) -> None:
        """Keep a file with a conversation, in place of the one before."""
        name, text = storable(file.name, "the file's name"), storable(file.text, "the file")
        with self._database.writing():
            number = self._rows.find_chat(chat, owner)["number"]
            query = "INSERT OR REPLACE INTO files (chat, name, text) VALUES (?, ?, ?)"
            self._database.rows(query, number, name, text)

    def remove(self, chat: str, owner: str) -> None:
        """Remove the file of a conversation, so that no trace of it remains in any of the store's files."""
        with self._database.reading():
            number = self._rows.find_chat(chat, owner)["number"]
        self._database.erase("chat = ?", number, table="files")


def _start(stream: io.TextIOWrapper) -> Generator[str]:
    yield stream.read(MAX_BYTES + 1)


def _too_long(what: str) -> LimitError:
    return LimitError(f"{what}; expected at most {MAX_BYTES:,}; hint: attach the part that matters")
