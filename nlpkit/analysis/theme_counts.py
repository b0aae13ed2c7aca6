"""The passes over a file that themes need: a random sample of its texts, then the theme of each text."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.analysis.counts import ALL, Cell, cells_of, periods_of
from nlpkit.analysis.drivers import Sums
from nlpkit.analysis.scored_rows import Batch, ScoredRows
from nlpkit.analysis.survey import Plan

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.analysis.themes import Themes

SAMPLE = 5_000
"""Texts that themes are found in."""


@dataclass(kw_only=True)
class ThemeCounts:
    """How many texts of each theme, and of each label in it, there are in a file, in its groups and in its
    periods.
    """

    cells: dict[Cell, tuple[NDArray[Any], NDArray[Any]]] = field(default_factory=dict)
    """Cell -> (themes,) texts, and (themes, labels) how many have each label. The last theme is none."""

    def add(self, cell: Cell, themes: NDArray[Any], given: NDArray[Any], count: int) -> None:
        """Add texts of a cell: (texts,) the number of each one's theme, and (texts, labels) its labels."""
        import numpy as np

        texts, having = self.cells.setdefault(
            cell, (np.zeros(count, dtype=np.int64), np.zeros((count, given.shape[1]), dtype=np.int64))
        )
        texts += np.bincount(themes, minlength=count)
        np.add.at(having, themes, given)

    def sums(self, cell: Cell, label: int) -> Sums:
        """Return the sums of a label in a cell, for each theme; zeros where the cell has no texts."""
        import numpy as np

        texts, having = self.cells.get(cell, (0 * self.cells[ALL][0], 0 * self.cells[ALL][1]))
        return Sums(texts=texts, totals=having[:, label].astype(float), squares=np.array(having[:, label]))


def sampled_texts(rows: ScoredRows, *, seed: int, size: int = SAMPLE) -> list[str]:
    """Return a random sample of the texts of a file that are not empty, in constant memory."""
    import numpy as np

    random = np.random.default_rng(seed)
    keys, kept = np.zeros(0), np.zeros(0, dtype=object)
    for batch in rows.batches(answers=True):
        texts = [text for text in batch.texts if text and text.strip()]
        both = np.concatenate([kept, np.array([*texts, None], dtype=object)[:-1]])
        keys = np.concatenate([keys, random.random(len(texts))])
        chosen = np.argsort(keys, kind="stable")[:size]
        keys, kept = keys[chosen], both[chosen]
    return [str(text) for text in kept]


def count_themes(
    rows: ScoredRows, plan: Plan, themes: Themes, *, listed: Path, progress: Callable[[int], None]
) -> ThemeCounts:
    """Give each text of a file the nearest theme, and write a table that lists it for each row.

    Args:
        rows: what is read.
        plan: which groups and periods there are.
        themes: which themes.
        listed: the Parquet file of that table.
        progress: gets how many rows are done.
    """
    import numpy as np

    counts, done = ThemeCounts(), 0
    names = np.array(themes.names, dtype=object)
    with _listing(listed) as write:
        for batch in rows.batches(answers=True):
            if batch.given is None:
                continue
            numbers = themes.assign([text or "" for text in batch.texts])
            counts.add(ALL, numbers, batch.given, len(names))
            for cell, chosen in cells_of(batch, plan, periods_of(batch, plan)):
                if len(cell.groups) + bool(cell.period) == 1:
                    counts.add(cell, numbers[chosen], batch.given[chosen], len(names))
            write(batch, names[numbers].tolist())
            done += len(batch)
            progress(done)
    return counts


@contextmanager
def _listing(path: Path) -> Iterator[Callable[[Batch, list[str]], None]]:
    """Write rows with their themes to a file that is there only when it is complete."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("file", pa.string()), ("row", pa.int64()), ("theme", pa.string())])
    temporary = path.with_name(f".{path.name}.{os.getpid()}")

    def write(batch: Batch, themes: list[str]) -> None:
        numbers = range(batch.first, batch.first + len(batch))
        columns = [pa.array([batch.file] * len(batch)), pa.array(numbers), pa.array(themes)]
        writer.write_table(pa.Table.from_arrays(columns, schema=schema))

    try:
        with pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
            yield write
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
