"""Checkpoints of the passes over a file: a damaged one, the bytes of a list, and two commands at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlpkit.analysis import scored_rows
from nlpkit.analysis.passes import Listing, Passes
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.errors import NlpkitError
from nlpkit.files import only_writer
from tests.unit.analysis.test_about import analyzed, planted


class Rows:
    """Four batches, which are numbers."""

    def batches(self, *, answers: bool, skip: int = 0) -> Iterator[int]:
        return iter(range(skip, 4))


@pytest.mark.parametrize("damage", ["", "{", "null", "[]", '{"batches": 2}'])
def test_a_damaged_checkpoint_begins_the_pass_anew(tmp_path: Path, damage: str) -> None:
    restored: list[int] = []
    rows: Any = Rows()

    def counted() -> list[Any]:
        return list(Passes(tmp_path, file="a").over(rows, "counts", int, lambda: 4, restored.append))

    assert counted() == [0, 1, 2, 3]
    assert (counted(), restored) == ([], [4])
    (tmp_path / "counts.json").write_text(damage)
    assert (counted(), restored) == ([0, 1, 2, 3], [4])


def test_a_checkpoint_of_another_file_or_other_settings_is_not_used(tmp_path: Path) -> None:
    restored: list[int] = []
    rows: Any = Rows()

    def counted(file: str, **settings: str) -> list[Any]:
        passes = Passes(tmp_path, file=file)
        return list(passes.over(rows, "counts", int, lambda: 4, restored.append, **settings))

    for file, settings in (("a", {}), ("b", {}), ("b", {"by": "country"})):
        assert counted(file, **settings) == [0, 1, 2, 3]
    assert restored == []
    assert (counted("b", by="country"), restored) == ([], [4])


@dataclass
class Batch:
    file: str
    first: int

    def __len__(self) -> int:
        return 2


def test_a_part_of_a_list_is_on_the_disk_before_a_checkpoint_counts_it(
    tmp_path: Path, on_disk: Callable[[Path], bool]
) -> None:
    listing, batch = Listing(tmp_path / "rows.parquet", ["label"]), Batch("in.csv", 1)
    (tmp_path / "parts").mkdir()
    listing.start(tmp_path / "parts", 0)
    listing.write(batch, [["good", "bad"]])  # type: ignore[arg-type]
    listing.next_part(1)
    (part,) = (tmp_path / "parts").iterdir()
    assert on_disk(part)
    listing.finish()
    assert pq.read_table(tmp_path / "rows.parquet").to_pylist() == [
        {"file": "in.csv", "row": 1, "label": "good"},
        {"file": "in.csv", "row": 2, "label": "bad"},
    ]


def test_of_two_analyses_of_one_page_the_second_is_refused(tmp_path: Path) -> None:
    planted(tmp_path / "reviews.csv")
    page = tmp_path / "report.html"
    with (
        only_writer(page, tmp_path / "report.tables" / ".lock"),
        pytest.raises(NlpkitError, match=r"report.html: another process is writing it; hint: wait"),
    ):
        analyzed(tmp_path / "reviews.csv", page, "auto")
    assert not page.exists()


def test_memory_does_not_grow_with_a_parquet_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored_rows, "BATCH", 1_000)
    file, size, groups = tmp_path / "scored.parquet", 1 << 20, 24
    text = pa.array([os.urandom(512).hex() for _ in range(size // 1024)])
    answers = {"label": ["a"] * len(text), "p_a": [1.0] * len(text)}
    with pq.ParquetWriter(file, pa.table({"text": text, **answers}).schema) as writer:
        for _ in range(groups):
            writer.write_table(pa.table({"text": text, **answers}))
    rows = ScoredRows(path=file, source=file, labels=("a",), is_set=False)
    before = pa.total_allocated_bytes()
    held = [pa.total_allocated_bytes() - before for _ in rows.batches(answers=True)]
    assert max(held) < groups * size / 4


def test_a_damaged_parquet_file_is_refused_with_its_name(tmp_path: Path) -> None:
    file, many = tmp_path / "scored.parquet", 5_000
    text = [f"{number} {os.urandom(4).hex()}" for number in range(many)]
    table = pa.table({"text": text, "label": ["a"] * many, "p_a": [1.0] * many})
    pq.write_table(table, file, write_page_checksum=True)
    damaged = bytearray(file.read_bytes())
    damaged[20_000] ^= 255
    file.write_bytes(damaged)
    rows = ScoredRows(path=file, source=file, labels=("a",), is_set=False)
    with pytest.raises(NlpkitError, match=r"scored\.parquet: damaged, .*hint: score it again"):
        list(rows.batches(answers=True))
