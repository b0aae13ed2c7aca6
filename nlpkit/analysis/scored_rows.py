"""The rows of a scored file or folder, in batches of arrays and in constant memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.data.dataset_folders import data_files
from nlpkit.data.records import columns_of, read_records, text_of
from nlpkit.errors import DataError, nearest
from nlpkit.tasks.numbers import number_of
from nlpkit.tasks.prediction import OPINIONS, SEVERAL
from nlpkit.tasks.reading import NOTHING, group_of
from nlpkit.trust.answer_columns import labels_in

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

BATCH = 20_000


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some rows that follow one another in a file."""

    file: str
    first: int
    """The number of its first row in the file, counted from 1."""
    groups: Mapping[str, tuple[list[str], NDArray[Any]]]
    """Column -> its values, and for each row which of them it holds."""
    dates: Sequence[object]
    """Of each row; empty where dates are not asked for."""
    probabilities: NDArray[Any] | None = None
    """(rows, labels); None where answers are not asked for."""
    given: NDArray[Any] | None = None
    """(rows, labels): whether each label was given."""
    names: Sequence[str] = ()
    """What was given to each row, as the file holds it."""
    texts: Sequence[str] = ()

    def __len__(self) -> int:
        held = [len(codes) for _, codes in self.groups.values()]
        return max([len(self.dates), *held, 0 if self.given is None else len(self.given)])


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

    def batches(self, *, answers: bool) -> Iterator[Batch]:
        """Yield all rows in order; with their answers and texts if asked for.

        Raises:
            DataError: a row lacks a column, or holds no number where there must be a probability.
        """
        if not answers and not self.by and not self.time:
            return
        for file in data_files(self.path) if self.path.is_dir() else [self.path]:
            name = str(self.source / file.relative_to(self.path) if self.path.is_dir() else self.source)
            if file.suffix in (".parquet", ".pq") and self.format is None:
                yield from self._columnar(file, name, answers)
            else:
                yield from self._records(file, name, answers)

    def _columnar(self, file: Path, name: str, answers: bool) -> Iterator[Batch]:
        import pyarrow.parquet as pq

        columns = [*self.by, *([self.time] if self.time else [])]
        if answers:
            columns += [self.text, self.answer, *self.chances]
        with pq.ParquetFile(file) as parquet:
            _require(columns, parquet.schema_arrow.names, str(file))
            first = 1
            for rows in parquet.iter_batches(batch_size=BATCH, columns=list(dict.fromkeys(columns))):
                yield self._of_arrow(rows, name, first, answers)
                first += rows.num_rows

    def _of_arrow(self, rows: pa.RecordBatch, file: str, first: int, answers: bool) -> Batch:
        import numpy as np

        probabilities = None
        if answers:
            held = [rows.column(name).to_numpy(zero_copy_only=False) for name in self.chances]
            probabilities = np.stack(held, axis=1).astype(float)
            _refuse_no_number(probabilities, file, first)
        names = [str(name or "") for name in rows.column(self.answer).to_pylist()] if answers else []
        return Batch(
            file=file,
            first=first,
            groups={column: _codes(rows.column(column).to_pylist()) for column in self.by},
            dates=rows.column(self.time).to_pylist() if self.time else (),
            probabilities=probabilities,
            given=self._given(names) if answers else None,
            names=names,
            texts=rows.column(self.text).to_pylist() if answers else (),
        )

    def _records(self, file: Path, name: str, answers: bool) -> Iterator[Batch]:
        import numpy as np

        columns = dict.fromkeys(self.by, "by") | ({self.time: "time"} if self.time else {})
        needed = {**columns, **({self.text: "text"} if answers else {})}
        rest = read_records(file, format=self.format, encoding=self.encoding, columns=needed)
        first = 1
        while records := list(islice(rest, BATCH)):
            names, texts, probabilities = [], [], None
            if answers:
                names = [str(record.fields.get(self.answer) or "") for record in records]
                texts = [text_of(record, self.text, empty="allow") for record in records]
                probabilities = np.array(
                    [[number_of(record, name) for name in self.chances] for record in records]
                )
            yield Batch(
                file=name,
                first=first,
                groups={
                    column: _codes([group_of(record, column) for record in records]) for column in self.by
                },
                dates=[record.fields.get(self.time) for record in records] if self.time else (),
                probabilities=probabilities,
                given=self._given(names) if answers else None,
                names=names,
                texts=texts,
            )
            first += len(records)

    def _given(self, names: Sequence[str]) -> NDArray[Any]:
        """Return (rows, labels): whether each label stands in the column of answers."""
        import numpy as np

        known: dict[str, list[bool]] = {}
        for name in set(names):
            labels = name.split(", ") if self.is_set else [name]
            known[name] = [label in labels for label in self.labels]
        return np.array([known[name] for name in names]).reshape(len(names), len(self.labels))


def _codes(values: Sequence[object]) -> tuple[list[str], NDArray[Any]]:
    """Return the different values as names of groups, and which of them each row holds."""
    import numpy as np

    numbers: dict[str, int] = {}
    held = ("" if value is None else str(value).strip() for value in values)
    codes = np.array([numbers.setdefault(name, len(numbers)) for name in held], dtype=np.int64)
    return [name or NOTHING for name in numbers], codes


def _refuse_no_number(probabilities: NDArray[Any], file: str, first: int) -> None:
    import numpy as np

    if len(bad := np.flatnonzero(~np.isfinite(probabilities).all(axis=1))):
        raise DataError(
            f"{file}, row {first + int(bad[0])}: a probability is missing; expected a number in each column "
            "p_LABEL; hint: score the texts again"
        )


def _require(columns: Sequence[str], known: Sequence[str], file: str) -> None:
    for column in columns:
        if column not in known:
            raise DataError(f"{file}: no column {column!r}{nearest(column, known)}")


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
