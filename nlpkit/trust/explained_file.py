"""Explain the texts of a file, row by row: a column with the explanations next to those of the input."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal, TypeAlias

from nlpkit.data.examples import TextInput
from nlpkit.data.pictures import post_of
from nlpkit.data.records import BadRow, Record, columns_of, read_records, text_of
from nlpkit.data.spreadsheets import inert
from nlpkit.errors import ConfigError, DataError
from nlpkit.files import refuse_path
from nlpkit.trust.explained import Explained
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.posts import Asked

COLUMN = "explanations"
"""The column with a list of explanations as JSON: one for each label that is explained."""

WRITTEN = {".jsonl": "jsonl", ".csv": "csv"}
"""Endings of the files that can be written."""

BATCH = 100

OnError: TypeAlias = Literal["stop", "skip"]


@dataclass(frozen=True, kw_only=True)
class ExplainedRow:
    """A row, and the explanations of its text; or a conversation, and that of its last reply."""

    explanations: Sequence[Explained]
    record: Record = field(default_factory=lambda: Record(fields={}, file="", row=0))
    """Where they come from; of no file by default."""


def explained_rows(
    explainer: Explainer,
    file: Path | str,
    *,
    text: str = "text",
    image: str = "image",
    format: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "stop",
    skipped: Callable[[str], None] = lambda message: None,
) -> Iterator[ExplainedRow]:
    """Yield the rows of a file with their explanations, as they are done.

    Args:
        explainer: explains them.
        file: anything that `nlpkit score` reads, one row after the other.
        text: the column that holds the text.
        image: the column that holds the picture, for a run that reads pictures.
        format: as the name shows, by default.
        encoding: of a text file that is not UTF-8.
        on_error: `skip` passes over rows that cannot be read or explained.
        skipped: gets what is wrong with each of these.

    Raises:
        DataError: the file or a row is wrong.
    """

    def bad(row: BadRow) -> None:
        skipped(f"{row.where}: {row.reason}")

    def asked(record: Record) -> Asked:
        if not explainer.classifier.reads_pictures:
            return text_of(record, text)
        written, picture = post_of(record, text, image)
        return TextInput(text=written, picture=picture)

    needed = image if explainer.classifier.reads_pictures else text
    records = read_records(
        file, format=format, encoding=encoding, columns=(needed,), on_bad=bad if on_error == "skip" else None
    )
    usable = _usable(records, explainer, asked, skipped if on_error == "skip" else None)
    while batch := list(islice(usable, BATCH)):
        explained = explainer.explain([given for _, given in batch], [record.where for record, _ in batch])
        for (record, _), explanations in zip(batch, explained, strict=True):
            yield ExplainedRow(record=record, explanations=explanations)


def _usable(
    records: Iterator[Record],
    explainer: Explainer,
    asked: Callable[[Record], Asked],
    skipped: Callable[[str], None] | None,
) -> Iterator[tuple[Record, Asked]]:
    """Yield the rows that can be explained, each with what is explained of it; without `skipped` the first
    other one is an error.
    """
    for record in records:
        try:
            given = asked(record)
            explainer.check(given, record.where)
        except DataError as error:
            if skipped is None:
                raise
            skipped(str(error))
        else:
            yield record, given


class ExplainedFile:
    """A file of explanations: JSON Lines or CSV by its ending, there only when it is complete.

    Args:
        path: the file.
        source: the file that is explained.
        format: of the source, where its name does not say it.
        columns: what each row holds next to its explanations; default: the columns of the source.
        overwrite: whether it may replace a file.

    Raises:
        ConfigError: the file cannot be written, is there already, or has another ending.
        DataError: the input has a column of the same name.
    """

    def __init__(
        self,
        path: Path,
        source: str,
        *,
        format: str | None = None,
        columns: Sequence[str] = (),
        overwrite: bool = False,
    ) -> None:
        kind = WRITTEN.get(path.suffix.lower())
        if kind is None:
            raise ConfigError(
                f"{path}: expected a name that ends in .jsonl or .csv; hint: -o explained.jsonl"
            )
        used = {} if source == "-" else {"the input": Path(source)}
        refuse_path(path, used, hint="-o explained.jsonl")
        if path.exists() and not overwrite:
            raise ConfigError(f"{path}: is there already; hint: --overwrite, or another name")
        if not path.parent.is_dir():
            raise ConfigError(f"{path}: there is no folder {path.parent}; hint: mkdir -p {path.parent}")
        if kind == "csv" and source == "-" and not columns:
            raise ConfigError(
                "-o: the columns of standard input are not known before its end; hint: -o explained.jsonl"
            )
        columns = columns or (columns_of(source, format=format) if kind == "csv" else ())
        self._columns = [*columns, COLUMN] if kind == "csv" else []
        self._path, self._draft = path, path.with_name(f".{path.name}.{os.getpid()}")

    def __enter__(self) -> ExplainedFile:
        self._stream = self._draft.open("w", encoding="utf-8", newline="")
        if self._columns:
            self._stream.write(_line([inert(name) for name in self._columns]))
        return self

    def write(self, row: ExplainedRow) -> None:
        """Write a row.

        Raises:
            ConfigError: the input has a column of that name.
        """
        fields = row.record.fields
        if COLUMN in fields:
            raise ConfigError(
                f"{row.record.where}: has a column {COLUMN!r} already; hint: rename it in the input"
            )
        explained = [explanation.as_dict() for explanation in row.explanations]
        if self._columns:
            cells = [inert(_cell(fields.get(name))) for name in self._columns[:-1]]
            self._stream.write(_line([*cells, _json(explained)]))
        else:
            self._stream.write(_json({**fields, COLUMN: explained}) + "\n")

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._stream as stream:
            stream.flush()
            os.fsync(stream.fileno())
        if kind is None:
            self._draft.replace(self._path)
        else:
            self._draft.unlink()


def _json(value: list[dict[str, Any]] | Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)


def _cell(value: object) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, default=str)


def _line(cells: list[str]) -> str:
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerow(cells)
    return sink.getvalue()
