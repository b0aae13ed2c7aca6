"""Examples from wherever they lie: source -> records -> examples of a task."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from nlpkit.data.records import Record, read_records
from nlpkit.errors import DataError
from nlpkit.settings import RowSource
from nlpkit.sources import resolve
from nlpkit.tasks.own_settings import HasSettings, source_for

Example = TypeVar("Example")
Read = TypeVar("Read", covariant=True)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading(Generic[Read]):
    """The examples of a source, in its order, and in words what was left out and why."""

    examples: tuple[Read, ...]
    skipped: tuple[str, ...] = ()
    origins: tuple[Hashable, ...] = ()
    """Where each example comes from, for examples of one origin that a limit keeps together; empty where
    each has its own."""


class _Readable(HasSettings, Protocol[Read]):
    """A task, as far as reading goes."""

    def read(self, path: Path, source: Any) -> Reading[Read]: ...


class _Parsing(Protocol[Read]):
    def parse(self, record: Record, source: Any) -> Read: ...


def read_examples(task: _Readable[Example], sources: Sequence[Any], *, seed: int) -> Reading[Example]:
    """Read every example of the sources, in order; of a source with a limit so many, chosen by the seed.

    Raises:
        ConfigError: a source has a key that means nothing to the task.
        DataError: a file or a row is wrong, or a source holds no examples.
    """
    examples: list[Example] = []
    skipped: list[str] = []
    for source in sources:
        reading = task.read(resolve(source.source, kind="data"), source_for(task, source))
        examples += _limited(reading, source.limit, seed)
        skipped += [f"{source.source}: {reason}" for reason in reading.skipped]
    return Reading(examples=tuple(examples), skipped=tuple(skipped))


def read_rows(
    task: _Parsing[Example], path: Path, source: RowSource, columns: Mapping[str | None, str]
) -> Reading[Example]:
    """Read a file in which each row is an example; it must have the columns that are named, by their keys.

    Raises:
        DataError: a column is missing, a row is wrong, or there are no rows.
    """
    records = read_records(
        path,
        format=source.format,
        encoding=source.encoding,
        columns={column: key for column, key in columns.items() if column},
    )
    examples = tuple(task.parse(record, source) for record in records)
    if not examples:
        raise DataError(f"{source.source}: no rows; expected labeled texts")
    return Reading(examples=examples)


def _limited(reading: Reading[Example], limit: int | None, seed: int) -> Sequence[Example]:
    """Choose so many origins by the seed, and keep their examples in order."""
    origins = reading.origins or tuple(range(len(reading.examples)))
    distinct = list(dict.fromkeys(origins))
    if limit is None or limit >= len(distinct):
        return reading.examples
    chosen = set(random.Random(seed).sample(distinct, limit))  # noqa: S311
    return [example for example, origin in zip(reading.examples, origins, strict=True) if origin in chosen]
