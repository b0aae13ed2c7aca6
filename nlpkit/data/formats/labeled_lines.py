"""One text a line, with or without its label: fastText's form and others. They are read only by `--format`.

A row's number is its line's number; blank lines are skipped.
"""

from __future__ import annotations

import ast
import io
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import Any

from nlpkit.data.rows import BadRow, DataFile, Header, Record, Stream, require, unreadable_text
from nlpkit.data.text_files import count_lines, parsed_text

FASTTEXT = "__label__"

TRIPLETS = "####"
"""What stands between a text and its triplets."""

POLARITIES = {"POS": "positive", "NEG": "negative", "NEU": "neutral"}

Parse = Callable[[str], tuple[Any, ...]]
"""Line -> its text and, where it has one, its label.

Raises:
    ValueError: what the line lacks.
"""


def fasttext(line: str) -> tuple[str, ...]:
    """Read `__label__positive a lovely film`."""
    words = line.split(maxsplit=1)
    if not words[0].startswith(FASTTEXT) or len(words[0]) == len(FASTTEXT):
        raise ValueError(f"no label; expected {FASTTEXT}NAME and a text")
    text = words[1] if len(words) > 1 else ""
    if text.startswith(FASTTEXT):
        raise ValueError("several labels; hint: keep one")
    return text, words[0].removeprefix(FASTTEXT)


def text_at_label(line: str) -> tuple[str, ...]:
    """Read `a lovely film@positive`: the label follows the last @."""
    text, mark, label = line.rpartition("@")
    if not mark or not label.strip():
        raise ValueError("no label; expected TEXT@LABEL")
    return text, label.strip()


def label_text(line: str) -> tuple[str, ...]:
    """Read a label, a tab or else a space, and the text."""
    label, mark, text = line.partition("\t" if "\t" in line else " ")
    if not mark or not label.strip():
        raise ValueError("no label; expected LABEL, a tab or a space, and TEXT")
    return text, label.strip()


def aste(line: str) -> tuple[Any, ...]:
    """Read `the pizza is great####[([1], [3], 'POS')]`: tokens separated by blanks, and a list of triplets
    of token positions and a polarity (the form of ASTE-Data-V2).
    """
    text, mark, held = line.rpartition(TRIPLETS)
    try:
        triplets = ast.literal_eval(held) if mark else None
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        triplets = None
    if not isinstance(triplets, list):
        raise ValueError(f"no triplets; expected TEXT{TRIPLETS}[([1], [3], 'POS'), ...]")
    named = [
        (*triplet[:-1], POLARITIES.get(triplet[-1], triplet[-1]))
        if isinstance(triplet, tuple) and triplet and isinstance(triplet[-1], str)
        else triplet
        for triplet in triplets
    ]
    return text, named


def lines(line: str) -> tuple[str, ...]:
    """Read a line as a text."""
    return (line,)


def looks_like_aste(line: str) -> bool:
    """Return whether a line is a text with triplets."""
    return f"{TRIPLETS}[" in line


def looks_like_fasttext(line: str) -> bool:
    """Return whether a line begins with a label of fastText's."""
    return line.startswith(FASTTEXT)


def looks_like_label_text(line: str) -> bool:
    """Return whether a line is one word, a tab and more."""
    head, mark, _ = line.partition("\t")
    return bool(mark) and len(head.split()) == 1


def looks_like_text_at_label(line: str) -> bool:
    """Return whether a line ends with @ and one word."""
    text, mark, label = line.rpartition("@")
    return bool(mark) and label.strip().isalnum() and bool(text[-1:].strip())


FORMATS: dict[str, tuple[Parse, tuple[str, ...], Callable[[str], bool]]] = {
    "fasttext": (fasttext, ("text", "label"), looks_like_fasttext),
    "label-text": (label_text, ("text", "label"), looks_like_label_text),
    "text-at-label": (text_at_label, ("text", "label"), looks_like_text_at_label),
    "aste": (aste, ("text", "triplets"), looks_like_aste),
    "lines": (lines, ("text",), bool),
}
"""Format -> what reads a line of it, its columns, and whether a line looks like one of it."""


FOUND_IN: dict[str, tuple[str, ...]] = {"aste": (".txt",)}
"""Formats that a first line shows for certain, and the endings under which they are looked for."""


def fits(format: str, start: str) -> bool:
    """Return whether a file that starts with a text is certainly of the format."""
    return format in FOUND_IN and FORMATS[format][2](start.partition("\n")[0])


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header of a file, then its rows in order."""
    return parsed_text(file, partial(_rows, file, columns))


def count(file: DataFile) -> int | None:
    """Estimate the number of rows by the line ends; None for standard input."""
    return None if file.path is None else count_lines(file.path)


def _rows(file: DataFile, columns: Collection[str], text: io.TextIOWrapper) -> Stream:
    parse, names, _ = FORMATS[file.format]
    require(columns, names, file=file.name)
    yield Header(columns=names)
    yield from _records(file.name, text, parse, names)


def _records(
    name: str, text: io.TextIOWrapper, parse: Parse, names: tuple[str, ...]
) -> Iterator[Record | BadRow]:
    for row, ended in enumerate(text, 1):
        line = ended.rstrip("\r\n")
        if not line.strip():
            continue
        if reason := unreadable_text(line):
            yield BadRow(file=name, row=row, reason=reason, raw=line)
            continue
        try:
            values = parse(line)
        except ValueError as error:
            yield BadRow(file=name, row=row, reason=str(error), raw=line)
        else:
            yield Record(fields=dict(zip(names, values, strict=True)), file=name, row=row)
