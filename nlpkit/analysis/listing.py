"""Tables that list each row of a file, written while the rows pass by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.analysis.scored_rows import Batch

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

Values: TypeAlias = "Sequence[str] | tuple[list[str], NDArray[Any]]"
"""Of each row; or the different ones, and which of them each row holds."""


@contextmanager
def listing(path: Path, columns: Sequence[str]) -> Iterator[Callable[[Batch, Sequence[Values]], None]]:
    """Give what adds the rows of a batch to a Parquet file, which is there only when it is complete.

    Args:
        path: the file.
        columns: what it holds besides file and row.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema(
        [("file", pa.string()), ("row", pa.int64()), *((name, pa.string()) for name in columns)]
    )
    temporary = path.with_name(f".{path.name}.new")  # of a run that was killed it is written anew

    def write(batch: Batch, values: Sequence[Values]) -> None:
        numbers = range(batch.first, batch.first + len(batch))
        arrays = [pa.array([batch.file] * len(batch)), pa.array(numbers), *map(_array, values)]
        writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            yield write
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _array(values: Values) -> pa.Array:
    import pyarrow as pa

    if isinstance(values, tuple):
        return pa.array(values[0], pa.string()).take(pa.array(values[1]))
    return pa.array(values, pa.string())
