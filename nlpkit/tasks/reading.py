"""Examples from wherever they lie: source -> records -> examples of a task."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from nlpkit.data.good_rows import hint_of
from nlpkit.data.records import BadRow, Record, read_records
from nlpkit.data.rows import LeftOut
from nlpkit.errors import DataError
from nlpkit.settings.data import RowSource
from nlpkit.sources import resolve
from nlpkit.tasks.own_settings import HasSettings, source_for

Example = TypeVar("Example")
Read = TypeVar("Read", covariant=True)

SHOWN_REASONS = 10
"""Reasons for leaving something out that a preflight or an evaluation lists."""
_SHOWN = 10
"""Bad rows that a message lists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading(Generic[Read]):
    """The examples of a source, in its order, and in words what was left out and why."""

    examples: tuple[Read, ...]
    skipped: tuple[str, ...] = ()
    left_out: int = 0
    """How many were left out."""
    unused: tuple[str, ...] = ()
    """Columns that hold something and are not used; of several sources, each with its name."""
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
    left_out = 0
    skipped: list[str] = []
    unused: list[str] = []
    for source in sources:
        reading = task.read(resolve(source.source, kind="data"), source_for(task, source))
        examples += _limited(reading, source.limit, seed)
        skipped += [f"{source.source}: {reason}" for reason in reading.skipped]
        left_out += reading.left_out
        unused += [f"{', '.join(reading.unused)} in {source.source}"] if reading.unused else []
    return Reading(examples=tuple(examples), skipped=tuple(skipped), left_out=left_out, unused=tuple(unused))


def read_rows(
    task: _Parsing[Example], path: Path, source: RowSource, columns: Mapping[str | None, str]
) -> Reading[Example]:
    """Read a file in which each row is an example; it must have the columns that are named, by their keys.

    Raises:
        DataError: a column is missing, there are no rows, or rows are wrong and the source does not say to
            skip them; it lists the first ones.
    """
    bad: list[BadRow] = []
    left_out: list[LeftOut] = []
    records = read_records(
        path,
        format=source.format,
        encoding=source.encoding,
        columns={column: key for column, key in {**columns, source.by: "by"}.items() if column},
        on_bad=bad.append,
        on_left_out=left_out.append,
    )
    examples = []
    for record in records:
        try:
            example = task.parse(record, source)
            if source.by:
                group = group_of(record, source.by)
                example = dataclasses.replace(example, group=group)  # type: ignore[type-var]  # all examples are
            examples.append(example)
        except DataError as error:
            if not str(error).startswith(record.where):  # not about this row
                raise
            reason = str(error).removeprefix(record.where)
            bad.append(BadRow(file=record.file, row=record.row, reason=reason.lstrip(": ,"), raw=""))
    if bad and (source.on_bad == "stop" or not examples):
        raise _refused(bad, source)
    if not examples:
        raise DataError(f"{source.source}: no rows; expected labeled texts")
    skipped = [f"{len(bad):,} rows left out; {_listed(bad, source)}"] if bad else []
    skipped += [row.words for row in left_out]
    return Reading(examples=tuple(examples), skipped=tuple(skipped), left_out=len(bad))


NOTHING = "(empty)"
"""The name of the group of rows whose column holds nothing."""


def group_of(record: Record, column: str) -> str:
    """Return what a column holds as the name of a group."""
    held = record.fields.get(column)
    return NOTHING if held is None or not str(held).strip() else str(held).strip()


def _refused(bad: Sequence[BadRow], source: RowSource) -> DataError:
    """Return the error that lists the rows that cannot be used; of a single one, with its own hint."""
    hint = hint_of(bad[0], source.encoding)
    if len(bad) == 1 or hint:
        return DataError(f"{bad[0].where}: {bad[0].reason}{hint}")
    return DataError(
        f"{source.source}: {len(bad):,} rows cannot be used; {_listed(bad, source)}; "
        "hint: correct them, or leave them out with --on-error skip "
        "(in a config, `on_bad: skip` below the source)"
    )


def _listed(bad: Sequence[BadRow], source: RowSource) -> str:
    """List rows with what is wrong with each, without hints."""
    rows = []
    for row in bad[:_SHOWN]:
        where = f"row {row.row}" if row.file == source.source else row.where
        rows.append(f"{where}: {row.reason.split('; hint: ')[0]}")
    more = f"; and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
    return f"{'; '.join(rows)}{more}"


def _limited(reading: Reading[Example], limit: int | None, seed: int) -> Sequence[Example]:
    """Choose so many origins by the seed, and keep their examples in order."""
    origins = reading.origins or tuple(range(len(reading.examples)))
    distinct = list(dict.fromkeys(origins))
    if limit is None or limit >= len(distinct):
        return reading.examples
    chosen = set(random.Random(seed).sample(distinct, limit))  # noqa: S311
    return [example for example, origin in zip(reading.examples, origins, strict=True) if origin in chosen]
