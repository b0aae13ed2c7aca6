"""The suites: nlpkit's own by name, and files of the user's own."""

from __future__ import annotations

import functools
import itertools
import string
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nlpkit.data.file_format import suffix_of
from nlpkit.data.suite_file import Case, read_suite
from nlpkit.errors import DataError, first_problem, nearest
from nlpkit.sources.resolution import SUITES as FOLDERS
from nlpkit.sources.resolution import suite_folder

SUITES = ("neutrality", "negation", "named-groups", "emoji")
GROUP = "group"
"""The slot of a template that names a group of people: what stands there may not change the answer."""

BEHAVIOR, DEV = FOLDERS
"""The suite of many phenomena, in YAML, and its half to develop on."""

Half = Literal["dev", "report"]
Line = TypeVar("Line", bound=BaseModel)


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """The cases of one half of a suite."""

    name: str
    half: Half | None
    cases: tuple[Case, ...]


class _Row(BaseModel):
    """A line of a suite: a sentence, or a template with what its slots may hold."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")
    text: str = Field(min_length=1)
    expect: tuple[str, ...] = Field(min_length=1)
    topic: str = ""
    half: Half | None = None
    fill: dict[str, tuple[str, ...]] = {}


class _Word(BaseModel):
    """A line of groups.jsonl."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")
    word: str
    kind: str
    half: Half


def load_suite(source: str | Path, *, half: Half | None = "report") -> Suite:
    """Load the cases of a suite of nlpkit's, by name, or of your own file; `half=None` takes all of them.

    A file in YAML, or a folder of such files, is described in docs/behavior.md; it has no halves. A line of a
    JSONL file is `{"text": "The {thing} was not bad.", "expect": ["neutral", "positive"], "fill":
    {"thing": ["meal", "trip"]}}`. Rows without a `half` belong to both.

    Raises:
        ConfigError: a YAML file has an unknown or a wrong key.
        DataError: no such suite or file, or a row of it is wrong.
    """
    if str(source) in FOLDERS:
        if source == DEV:
            half = "dev"
        halves = FOLDERS if half is None else [BEHAVIOR if half == "report" else DEV]
        every = tuple(case for name in halves for case in _half(name))
        return Suite(name=BEHAVIOR, half=half, cases=every)
    path = Path(source)
    if str(source) not in SUITES and (path.is_dir() or suffix_of(path) in (".yaml", ".yml")):
        return Suite(name=path.name, half=None, cases=read_suite(_existing(path)))
    name, lines = _read(source)
    words = [
        _parse(_Word, line, f"groups.jsonl, row {number}")
        for number, line in enumerate(_shipped("groups"), start=1)
    ]
    cases: list[Case] = []
    for number, line in enumerate(lines, start=1):
        where = f"{name}, row {number}"
        row = _parse(_Row, line, where)
        if half is None or row.half in (None, half):
            named = tuple(word.word for word in words if row.half in (None, word.half))
            cases += _expand(row, {GROUP: named} | row.fill, where)
    if not cases:
        raise DataError(f"{name}: no cases in the half {half!r}; expected at least one row")
    return Suite(name=name, half=half, cases=tuple(cases))


@functools.cache
def _half(name: str) -> tuple[Case, ...]:
    return read_suite(suite_folder(name))


def _existing(path: Path) -> Path:
    if not path.exists():
        raise DataError(f"{path}: no such suite; hint: name a YAML file, or one of nlpkit's: {BEHAVIOR}")
    return path


def _shipped(name: str) -> list[str]:
    return (
        (resources.files("nlpkit.data") / "suites" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    )


def _read(source: str | Path) -> tuple[str, list[str]]:
    if source in SUITES:
        return str(source), _shipped(str(source))
    path = Path(source)
    if not path.is_file():
        raise DataError(
            f"no suite {str(source)!r}; expected a file or one of nlpkit's "
            f"suites{nearest(str(source), (*SUITES, BEHAVIOR))}"
        )
    return path.name, path.read_text(encoding="utf-8").splitlines()


def _parse(model: type[Line], line: str, where: str) -> Line:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        problem = first_problem(error, "the line")
        raise DataError(
            f"{where}: {problem}; expected text, expect, and optionally topic, half, fill"
        ) from error


def _expand(row: _Row, fill: Mapping[str, Sequence[str]], where: str) -> Iterator[Case]:
    """One case for each way to fill the slots, the last slot changing fastest."""
    try:
        slots = [slot for _, slot, _, _ in string.Formatter().parse(row.text) if slot is not None]
    except ValueError as error:
        raise DataError(f"{where}: {row.text!r}: {error}; expected slots such as {{thing}}") from error
    for slot in slots:
        if not fill.get(slot):
            raise DataError(
                f"{where}: nothing to fill the slot {slot!r} with; expected it under "
                f"fill{nearest(slot, row.fill)}"
            )
    for words in itertools.product(*(fill[slot] for slot in slots)):
        filled = dict(zip(slots, words, strict=True))
        text = row.text.format(**filled)
        text = text[0].upper() + text[1:]
        yield Case(
            text=text,
            expect=row.expect,
            topic=row.topic,
            template=row.text,
            group=filled.get(GROUP),
            phenomenon=row.topic,
            where=where,
        )
