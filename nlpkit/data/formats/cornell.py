"""Cornell's corpus of film dialogues: a row a line. Its two files lie in one folder."""

from __future__ import annotations

import io
import re
from collections.abc import Collection, Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

from nlpkit.data.formats.spoken_rows import header, spoken
from nlpkit.data.rows import BadRow, DataFile, Record, Stream, unreadable_text
from nlpkit.data.text_files import parsed_text
from nlpkit.errors import DataError

LINES, CONVERSATIONS = "movie_lines.txt", "movie_conversations.txt"

_MARK = " +++$+++ "
_LINE = re.compile(r"L\d+")


class _Line(NamedTuple):
    speaker: str
    name: str
    text: str


def fits(start: str) -> bool:
    """Return whether the first line has the mark between its fields."""
    return _MARK in start.partition("\n")[0]


def fits_folder(folder: Path) -> bool:
    """Return whether a folder holds both files."""
    return (folder / LINES).is_file() and (folder / CONVERSATIONS).is_file()


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then a row for each line, conversation by conversation.

    Raises:
        DataError: one of the two files is not there.
    """
    folder = file.path if file.path and file.path.is_dir() else file.path and file.path.parent
    if folder is None or not fits_folder(folder):
        raise DataError(
            f"{file.name}: Cornell's film dialogues are two files, {LINES} and {CONVERSATIONS}; "
            "hint: put both into one folder, and name the folder"
        )
    yield header(file, columns)
    lines_file = replace(file, path=folder / LINES, name=str(folder / LINES))
    talks_file = replace(file, path=folder / CONVERSATIONS, name=str(folder / CONVERSATIONS))
    lines: dict[str, _Line] = {}
    for line in parsed_text(lines_file, partial(_lines, lines_file.name)):
        if isinstance(line, BadRow):
            yield line
        else:
            lines[line[0]] = line[1]
    yield from parsed_text(talks_file, partial(_rows, talks_file.name, lines))


def _lines(name: str, text: io.TextIOWrapper) -> Generator[tuple[str, _Line] | BadRow]:
    """Yield the lines of films by their ids. A conversation that lacks a bad one is a bad row too."""
    for number, ended in enumerate(text, 1):
        line = ended.rstrip("\r\n")
        fields = [field.strip() for field in line.split(_MARK.rstrip(), 4)]
        if not line.strip():
            continue
        reason = unreadable_text(line)
        if reason is None and len(fields) != 5:
            reason = f"expected 5 fields between{_MARK}, found {len(fields)}"
        if reason:
            yield BadRow(file=name, row=number, reason=reason, raw=line, is_conversation=True)
        else:
            id, speaker, _, character, utterance = fields
            yield id, _Line(speaker, character, utterance)


def _rows(name: str, lines: dict[str, _Line], text: io.TextIOWrapper) -> Generator[Record | BadRow]:
    for number, row in enumerate(text, 1):
        if row.strip():
            ids = _LINE.findall(row.rpartition(_MARK.strip())[2])
            yield from _conversation(ids, lines, name, number)


def _conversation(ids: list[str], lines: dict[str, _Line], name: str, row: int) -> Iterator[Record | BadRow]:
    if not ids or not all(id in lines for id in ids):
        lacking = next((id for id in ids if id not in lines), "")
        reason = f"no line {lacking} in {LINES}" if lacking else "no lines; expected such as ['L1', 'L2']"
        yield BadRow(file=name, row=row, reason=reason, raw=" ".join(ids), is_conversation=True)
        return
    spoken_lines = [lines[id] for id in ids]
    people = {line.speaker: line.name for line in spoken_lines}
    for line in spoken_lines:
        is_double = list(people.values()).count(line.name) > 1
        fields = {
            "conversation": ids[0],
            "speaker": f"{line.name} ({line.speaker})" if is_double else line.name,
            "text": line.text,
        }
        yield spoken(fields, file=name, row=row)
