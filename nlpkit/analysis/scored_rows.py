"""The rows of a scored file or folder, in batches of arrays and in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.data.dataset_folders import data_files
from nlpkit.data.records import columns_of, read_records, text_of
from nlpkit.data.rows import require
from nlpkit.errors import DataError
from nlpkit.tasks.numbers import number_of
from nlpkit.tasks.prediction import OPINIONS, SEVERAL
from nlpkit.tasks.reading import NOTHING
from nlpkit.trust.answer_columns import labels_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 20_000
Held: TypeAlias = dict[str, Sequence[Any]]
"""Column -> the value of each row."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some rows that follow one another in a file; the last four are empty where no answers are asked for."""

    file: str
    first: int
    """The number of its first row in the file, counted from 1."""
    size: int
    groups: Mapping[str, tuple[list[str], NDArray[Any]]]
    """Column -> its values, and for each row which of them it holds."""
    dates: Sequence[object]
    """Of each row; empty where dates are not asked for."""
    probabilities: NDArray[Any]
    """(rows, labels)."""
    given: NDArray[Any]
    """(rows, labels): whether each label was given."""
    names: Sequence[str]
    """What was given to each row, as the file holds it."""
    texts: Sequence[str]

    def __len__(self) -> int:
        return self.size


@dataclass(frozen=True, kw_only=True)
class ScoredRows:
    """A file or a folder that holds answers, and the columns that are read of it."""

    path: Path
    source: Path
    """What messages and tables call it: the file that was scored, row by row."""
    labels: tuple[str, ...]
    is_set: bool
    text: str = "text"
    by: tuple[str, ...] = ()
    time: str | None = None
    format: str | None = None
    encoding: str | None = None
    prefix: str = ""
    """Before the names of the columns of answers."""

    @property
    def answer(self) -> str:
        """The column of what was given."""
        return self.prefix + (SEVERAL if self.is_set else "label")

    @property
    def chances(self) -> list[str]:
        """The columns of the probabilities."""
        return [f"{self.prefix}p_{label}" for label in self.labels]

    @property
    def files(self) -> list[Path]:
        """The files in their order."""
        return data_files(self.path) if self.path.is_dir() else [self.path]

    def batches(self, *, answers: bool, skip: int = 0) -> Iterator[Batch]:
        """Yield all rows in order, but for the first batches; with their answers and texts if asked for.

        Raises:
            DataError: a row lacks a column, or holds no number where there must be a probability.
        """
        columns = dict.fromkeys(self.by, "by") | ({self.time: "time"} if self.time else {})
        if answers:
            columns |= {self.text: "text"}
        if not columns:
            return
        for file in self.files:
            name = str(self.source / file.relative_to(self.path) if self.path.is_dir() else self.source)
            is_parquet = file.suffix in (".parquet", ".pq") and self.format is None
            first = 1
            for size, read in (self._columnar if is_parquet else self._records)(file, columns, answers):
                if skip:
                    skip -= 1
                else:
                    yield self._batch(name, first, size, read(), answers)
                first += size

    def _columnar(
        self, file: Path, columns: Mapping[str, str], answers: bool
    ) -> Iterator[tuple[int, Callable[[], Held]]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        numbers = self.chances if answers else []
        needed = [*columns, *([self.answer] if answers else []), *numbers]

        def of_arrow() -> Held:
            held = {name: rows.column(name).to_pylist() for name in needed if name not in numbers}
            return held | {name: rows.column(name).to_numpy(zero_copy_only=False) for name in numbers}

        try:
            # Buffering ahead, pyarrow keeps what was read until the end of the file
            with pq.ParquetFile(
                file, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20
            ) as parquet:
                require(needed, parquet.schema_arrow.names, file=str(file))
                for rows in parquet.iter_batches(batch_size=BATCH, columns=list(dict.fromkeys(needed))):
                    yield rows.num_rows, of_arrow
        except (OSError, pa.ArrowException) as error:
            raise DataError(
                f"{file}: damaged, or not Parquet at all: {error}; hint: score it again"
            ) from error

    def _records(
        self, file: Path, columns: Mapping[str, str], answers: bool
    ) -> Iterator[tuple[int, Callable[[], Held]]]:
        def of_records() -> Held:
            held: Held = {
                name: [record.fields.get(name) for record in records] for name in (*columns, self.answer)
            }
            if answers:
                held[self.text] = [text_of(record, self.text, empty="allow") for record in records]
                for name in self.chances:
                    held[name] = [number_of(record, name) for record in records]
            return held

        rest = read_records(file, format=self.format, encoding=self.encoding, columns=columns)
        while records := list(islice(rest, BATCH)):
            yield len(records), of_records

    def _batch(self, file: str, first: int, size: int, held: Held, answers: bool) -> Batch:
        import numpy as np

        names = [str(name or "") for name in held[self.answer]] if answers else []
        probabilities = np.zeros((0, len(self.labels)))
        if answers:
            probabilities = np.stack([np.asarray(held[name], dtype=float) for name in self.chances], axis=1)
        if len(bad := np.flatnonzero(~np.isfinite(probabilities).all(axis=1))):
            raise DataError(
                f"{file}, row {first + int(bad[0])}: a probability is missing; expected a number in each "
                "column p_LABEL; hint: score the texts again"
            )
        return Batch(
            file=file,
            first=first,
            size=size,
            groups={column: codes_of(held[column]) for column in self.by},
            dates=held[self.time] if self.time else (),
            probabilities=probabilities,
            given=self._given(names),
            names=names,
            texts=held[self.text] if answers else (),
        )

    def _given(self, names: Sequence[str]) -> NDArray[Any]:
        """Return (rows, labels): whether each label stands in the column of answers."""
        import numpy as np

        known: dict[str, list[bool]] = {}
        for name in set(names):
            labels = name.split(", ") if self.is_set else [name]
            known[name] = [label in labels for label in self.labels]
        return np.array([known[name] for name in names], dtype=bool).reshape(len(names), len(self.labels))


def codes_of(values: Sequence[object]) -> tuple[list[str], NDArray[Any]]:
    """Return the different values as names of groups, and which of them each row holds."""
    import numpy as np

    numbers: dict[str, int] = {}
    held = ("" if value is None else str(value).strip() for value in values)
    codes = np.array([numbers.setdefault(name, len(numbers)) for name in held], dtype=np.int64)
    return [name or NOTHING for name in numbers], codes


def answers_in(
    path: Path, *, format: str | None = None, encoding: str | None = None
) -> tuple[tuple[str, ...], bool] | None:
    """Return the labels that a file holds answers of, and whether a text has any number of them.

    None where it is not scored, or scored by a run whose answers are not labels.
    """
    columns = columns_of(path, format=format, encoding=encoding)
    labels = labels_in(columns)
    is_set = SEVERAL in columns
    fewest = 1 if is_set else 2  # p_value and label are no answers
    if len(labels) < fewest or OPINIONS in columns or not {"label", SEVERAL} & set(columns):
        return None
    return labels, is_set
