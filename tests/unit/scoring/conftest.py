from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlpkit.scoring.job import ScoreSummary
from nlpkit.scoring.locations import plan_location
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.progress import Progress
from nlpkit.tasks.prediction import Prediction


class FakeEngine:
    """Answers from a hash of the text; remembers what it was asked, and breaks at a call of one's choice."""

    columns: ClassVar = {"label": "string", "score": "float", "p_negative": "float", "p_positive": "float"}

    def __init__(
        self, *, fingerprint: str = "fake-1", break_at: int | None = None, error: BaseException | None = None
    ) -> None:
        self.fingerprint = fingerprint
        self.asked: list[list[str]] = []
        self._break_at, self._error = break_at, error or RuntimeError("broken on purpose")

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        if self._break_at is not None and len(self.asked) == self._break_at:
            raise self._error
        self.asked.append(list(texts))
        return [self.answer(text) for text in texts]

    @staticmethod
    def answer(text: str) -> Prediction:
        p = int(hashlib.sha256(text.encode()).hexdigest()[:8], 16) / 2**32
        label = "positive" if p > 0.5 else "negative"
        return Prediction(
            label=label,
            score=2 * p - 1,
            probabilities={"negative": 1 - p, "positive": p},
            partial=len(text) > 1000,
        )


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def make_engine() -> type[FakeEngine]:
    return FakeEngine


def write_rows(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    """Rows in the format that the name tells, by other libraries than nlpkit's own writers."""
    name = path.name.removesuffix(".gz")
    if name.endswith((".csv", ".tsv")):
        text = io.StringIO(newline="")
        writer = csv.DictWriter(
            text,
            list(rows[0]),
            delimiter="\t" if name.endswith(".tsv") else ",",
            lineterminator="\n",
            quoting=csv.QUOTE_ALL,
        )
        writer.writeheader()
        writer.writerows(rows)
        data = text.getvalue().encode()
    elif name.endswith(".jsonl"):
        data = "".join(json.dumps(row) + "\n" for row in rows).encode()
    else:
        table = pa.Table.from_pylist(list(rows))
        if name.endswith(".parquet"):
            pq.write_table(table, path, row_group_size=7)
        else:
            with pa.ipc.new_file(str(path), table.schema) as file:
                file.write_table(table, max_chunksize=7)
        return path
    path.write_bytes(gzip.compress(data) if path.name.endswith(".gz") else data)
    return path


def read_rows(path: Path) -> list[dict[str, object]]:
    """The rows of a file, by other libraries than nlpkit's own readers."""
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        return pq.read_table(path).to_pylist()
    if name.endswith(".arrow"):
        with pa.ipc.open_file(str(path)) as file:
            return file.read_all().to_pylist()
    data = gzip.decompress(path.read_bytes()) if path.name.endswith(".gz") else path.read_bytes()
    text = data.decode()
    if name.endswith(".jsonl"):
        return [json.loads(line) for line in text.splitlines()]
    return list(
        csv.DictReader(io.StringIO(text, newline=""), delimiter="\t" if name.endswith(".tsv") else ",")
    )


def score_at(
    predictor: FakeEngine,
    source: str,
    target: str,
    *,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> ScoreSummary:
    """Plan and score, as the command line does."""
    return plan_location(source, target, ScoreOptions(**options)).score(predictor, progress=progress)


@pytest.fixture
def write() -> Callable[[Path, Sequence[dict[str, object]]], Path]:
    return write_rows


@pytest.fixture
def read() -> Callable[[Path], list[dict[str, object]]]:
    return read_rows
