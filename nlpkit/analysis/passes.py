"""Passes over the rows of a file: one that was killed goes on where it stood."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from nlpkit.analysis.scored_rows import Batch, ScoredRows
from nlpkit.files import fingerprint, write_whole

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

SECONDS = 10.0
"""Between two checkpoints, at least; there is one after a batch only."""

State = TypeVar("State")
Values: TypeAlias = "Sequence[str] | tuple[list[str], NDArray[Any]]"
"""Of each row; or the different ones, and which of them each row holds."""


class Passes:
    """Checkpoints of the passes over a file. They are used for the same file and settings only.

    Args:
        folder: holds the checkpoints, while there are any.
        settings: all that decides what is counted, the content of the file included.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._folder, self._settings = folder, settings

    def over(
        self,
        rows: ScoredRows,
        name: str,
        kind: type[State],
        state: Callable[[], State],
        restore: Callable[[State], None],
        *,
        answers: bool = True,
        listing: Listing | None = None,
        **settings: Any,
    ) -> Iterator[Batch]:
        """Yield the rows that are not counted yet; none where the pass was completed.

        Args:
            rows: what is read.
            name: of the pass.
            kind: of the state: plain values, or a dataclass of them.
            state: gives what is counted, to be kept after some of the batches.
            restore: gets what was counted before, if anything.
            answers: whether answers are read.
            listing: the table that lists the rows.
            settings: what decides the counts besides those of all passes.
        """
        from pydantic import TypeAdapter

        adapter, path = TypeAdapter(kind), self._folder / f"{name}.json"
        key = fingerprint(self._settings | settings)
        held = _held(path, key)
        done = held["batches"] if held else 0
        if done:
            restore(adapter.validate_python(held["state"]))
            if held["is_complete"]:
                return

        def keep(*, is_complete: bool) -> None:
            values = adapter.dump_python(state(), mode="json")
            held = {"key": key, "batches": done, "is_complete": is_complete, "state": values}
            write_whole(path, json.dumps(held))

        self._folder.mkdir(parents=True, exist_ok=True)
        if listing:
            listing.start(self._folder, done)
        kept = time.monotonic()
        for batch in rows.batches(answers=answers, skip=done):
            yield batch
            done += 1
            if time.monotonic() - kept > SECONDS:
                if listing:
                    listing.next_part(done)
                keep(is_complete=False)
                kept = time.monotonic()
        if listing:
            listing.finish()
        keep(is_complete=True)

    def remove(self) -> None:
        """Remove the checkpoints."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _held(path: Path, key: str) -> dict[str, Any]:
    """Return a checkpoint of these settings; empty where there is none, or it is damaged."""
    try:
        held: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return held if held["key"] == key else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


class Listing:
    """A Parquet table of the rows of a file. It is written in parts, and is there only when it is complete.

    Args:
        path: the table.
        columns: what it holds besides file and row.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        import pyarrow as pa

        names = [(name, pa.string()) for name in columns]
        self._path = path
        self._schema = pa.schema([("file", pa.string()), ("row", pa.int64()), *names])
        self._writer: Any = None

    def start(self, folder: Path, batches: int) -> None:
        """Go on after so many batches, whose parts lie in a folder."""
        self._folder, self._batches = folder, batches
        if not batches:
            for part in self._parts:
                part.unlink()

    @property
    def _parts(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._path.name}.*"))

    def write(self, batch: Batch, values: Sequence[Values]) -> None:
        """List the rows of a batch, with the values of each column."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:  # a part that was not completed has this name, and is replaced
            self._part = self._folder / f"{self._path.name}.{self._batches:09}"
            self._writer = pq.ParquetWriter(self._part, self._schema, compression="zstd")
        numbers = range(batch.first, batch.first + len(batch))
        arrays = [pa.array([batch.file] * len(batch)), pa.array(numbers), *map(_array, values)]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))

    def next_part(self, batches: int) -> None:
        """Complete a part after so many batches; when this returns, it is on the disk."""
        self._writer.close()
        with self._part.open("r+b") as stream:
            os.fsync(stream.fileno())
        self._writer, self._batches = None, batches

    def finish(self) -> None:
        """Write the table from its parts, batch by batch, so that it does not depend on where they end."""
        import pyarrow.parquet as pq

        if self._writer is not None:
            self._writer.close()
        whole = self._folder / f"whole.{self._path.name}"
        with pq.ParquetWriter(whole, self._schema, compression="zstd") as writer:
            for part in self._parts:
                with pq.ParquetFile(part, pre_buffer=False) as held:
                    for number in range(held.num_row_groups):
                        writer.write_table(held.read_row_group(number))
        whole.replace(self._path)


def _array(values: Values) -> pa.Array:
    import pyarrow as pa

    if isinstance(values, tuple):
        return pa.array(values[0], pa.string()).take(pa.array(values[1]))
    return pa.array(values, pa.string())
