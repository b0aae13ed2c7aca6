"""How often a scored file is opened: twice before the model is known, once to hash it, once to read it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.score import plan_file, score_file

_OPENED: list[str] = []
_WATCHED: list[str] = []


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if _WATCHED and event == "open" and str(arguments[0]) in _WATCHED:
        _OPENED.append(str(arguments[0]))


sys.addaudithook(_note)  # It cannot be removed: outside these tests it compares with an empty list.


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[list[str]]:
    """The input's path, once for each time it was opened."""
    _OPENED.clear()
    _WATCHED[:] = [str(tmp_path / f"in{ending}") for ending in (".csv", ".jsonl", ".csv.gz", ".tsv")]
    yield _OPENED
    _WATCHED.clear()


@pytest.mark.parametrize(
    ("ending", "target", "before", "times"),
    [
        # what it begins with shows whether it is an export of a tool or a chat, then its header is read
        (".csv", "out.csv", 2, 4),
        (".csv", "out.parquet", 2, 4),
        (".csv.gz", "out.csv", 2, 4),
        (".tsv", "out.jsonl", 2, 4),
        (".jsonl", "out.jsonl", 2, 4),
        (".jsonl", "out.parquet", 2, 5),  # the kinds of its columns are known only when all rows were read
    ],
)
def test_only_the_start_of_a_file_is_looked_at_before_the_model_is_known(
    tmp_path, engine, write, opened, ending, target, before, times
):
    source = write(tmp_path / f"in{ending}", [{"text": f"text {number}"} for number in range(20)])
    opened.clear()
    plan = plan_file(source, tmp_path / target, ScoreOptions(chunk_rows=5))
    assert opened == [str(source)] * before
    assert plan.file.header.columns == ("text",)
    assert plan.score(engine).rows == 20
    assert len(opened) == times


def test_a_table_is_opened_once_for_its_header_and_once_for_its_rows(tmp_path, engine, write, monkeypatch):
    source = write(tmp_path / "in.parquet", [{"text": f"text {number}"} for number in range(20)])
    opened = []

    class Counted(pq.ParquetFile):
        def __init__(self, *arguments, **options):
            opened.append(arguments[0])
            super().__init__(*arguments, **options)

    monkeypatch.setattr(pq, "ParquetFile", Counted)
    assert score_file(engine, source, tmp_path / "out.parquet").rows == 20
    assert opened == [source, source]


def test_measuring_the_budget_reads_no_row_twice(tmp_path, make_engine, write, opened, monkeypatch):
    class Tuned(make_engine):
        budget = 512

        def tune(self, texts):
            self.tuned = list(texts)
            return self.budget

    monkeypatch.setattr("nlpkit.scoring.job.WORTH_TUNING", 5)
    source = write(tmp_path / "in.csv", [{"text": f"text {number}"} for number in range(20)])
    opened.clear()
    engine = Tuned()
    assert score_file(engine, source, tmp_path / "out.csv", chunk_rows=5).rows == 20
    assert engine.tuned == engine.asked[0]
    assert len(opened) == 4


def test_the_former_name_of_the_text_column_is_still_taken(tmp_path, engine, write, read):
    source = write(tmp_path / "in.csv", [{"review": "fine"}])
    with pytest.warns(DeprecationWarning, match="text_column= is now text="):
        score_file(engine, source, tmp_path / "out.csv", text_column="review")
    assert read(tmp_path / "out.csv")[0]["label"] == engine.answer("fine").label
