"""Files and folders of an object store: fsspec's store in memory stands for all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nlpkit.errors import ConfigError, DataError, RunError, SourceError
from nlpkit.scoring.locations import plan_location
from nlpkit.scoring.options import ScoreOptions
from tests.unit.scoring.conftest import score_at


@pytest.fixture
def store(tmp_path, monkeypatch, write):
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    monkeypatch.setattr(MemoryFileSystem, "pseudo_dirs", [""])
    MemoryFileSystem.clear_instance_cache()
    fs = MemoryFileSystem()
    for name, rows in (("a.csv", 9), ("sub/b.jsonl", 5), ("sub/c.parquet", 6)):
        fs.pipe(
            f"/in/{name}",
            write(tmp_path / Path(name).name, [{"text": f"{name} {n}"} for n in range(rows)]).read_bytes(),
        )
    fs.pipe("/in/_SUCCESS", b"")
    return fs


def rows_of(store, path, tmp_path, read):
    (tmp_path / "read").mkdir(exist_ok=True)
    store.get_file(path, str(tmp_path / "read" / Path(path).name))
    return [row["text"] for row in read(tmp_path / "read" / Path(path).name)]


def unfinished(tmp_path) -> list[Path]:
    return list((tmp_path / "cache" / "scoring").glob("*"))


def test_a_file_goes_from_a_store_to_a_store(tmp_path, store, engine, read):
    plan_location("memory://in/a.csv", "memory://out/a.parquet", ScoreOptions())
    summary = score_at(engine, "memory://in/a.csv", "memory://out/a.parquet", chunk_rows=4)
    assert (summary.rows, summary.output) == (9, "memory://out/a.parquet")
    assert rows_of(store, "/out/a.parquet", tmp_path, read) == [f"a.csv {n}" for n in range(9)]
    assert unfinished(tmp_path) == []
    with pytest.raises(ConfigError, match=r"memory://out/a\.parquet: exists already"):
        plan_location("memory://in/a.csv", "memory://out/a.parquet", ScoreOptions())
    assert score_at(engine, "memory://in/a.csv", "memory://out/a.parquet", overwrite=True).rows == 9


def test_between_a_store_and_this_machine(tmp_path, store, engine, write, read):
    score_at(engine, "memory://in/a.csv", str(tmp_path / "here.jsonl"))
    assert [row["text"] for row in read(tmp_path / "here.jsonl")] == [f"a.csv {n}" for n in range(9)]
    score_at(engine, str(write(tmp_path / "local.csv", [{"text": "x"}])), "memory://out/there.csv")
    assert rows_of(store, "/out/there.csv", tmp_path, read) == ["x"]
    score_at(engine, f"file://{tmp_path}/local.csv", f"file://{tmp_path}/plain.csv")
    assert [row["text"] for row in read(tmp_path / "plain.csv")] == ["x"]


def test_a_broken_scoring_goes_on_and_makes_the_same_bytes(tmp_path, store, make_engine):
    score_at(make_engine(), "memory://in/a.csv", "memory://whole.csv", chunk_rows=2)
    with pytest.raises(RuntimeError):
        score_at(make_engine(break_at=3), "memory://in/a.csv", "memory://out/a.csv", chunk_rows=2)
    assert not store.exists("/out/a.csv")
    assert len(unfinished(tmp_path)) == 1
    assert score_at(make_engine(), "memory://in/a.csv", "memory://out/a.csv", chunk_rows=2).resumed_from == 6
    assert store.cat_file("/out/a.csv") == store.cat_file("/whole.csv")
    assert unfinished(tmp_path) == []


def test_what_was_whole_but_not_put_is_put_without_computing(tmp_path, store, make_engine, monkeypatch):
    def full(*_: object) -> None:
        raise OSError("the bucket is full")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryFileSystem, "put_file", full)
        with pytest.raises(SourceError, match="could not be written to the store: the bucket is full"):
            score_at(make_engine(), "memory://in/a.csv", "memory://out/a.csv")
    engine = make_engine()
    assert score_at(engine, "memory://in/a.csv", "memory://out/a.csv").rows == 9
    assert engine.asked == []
    assert store.exists("/out/a.csv")


@pytest.mark.parametrize("target", ["memory://out", "here"])
def test_a_folder_goes_file_by_file_and_passes_over_what_is_done(
    tmp_path, store, make_engine, target, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RuntimeError):
        score_at(make_engine(break_at=4), "memory://in", target, chunk_rows=4)  # a.csv, and 4 rows of b
    engine = make_engine()
    summary = score_at(engine, "memory://in", target, chunk_rows=4)
    assert (summary.rows, summary.resumed_from, len(engine.asked)) == (20, 13, 3)
    again = make_engine()
    assert score_at(again, "memory://in", target, chunk_rows=4).resumed_from == 20
    assert again.asked == []
    with pytest.raises(RunError, match=r"a\.csv: was scored with another model; hint"):
        score_at(make_engine(fingerprint="fake-2"), "memory://in", target, chunk_rows=4)
    for option in ({"row_per": "opinion"}, {"speaker": "who"}):
        with pytest.raises(RunError, match=rf"was scored with another {next(iter(option))}; hint"):
            score_at(make_engine(), "memory://in", target, chunk_rows=4, **option)
    store.pipe("/in/a.csv", b"text\nnew\n")
    with pytest.raises(RunError, match=r"a\.csv: was scored with another input; hint"):
        score_at(make_engine(), "memory://in", target, chunk_rows=4)
    engine = make_engine()
    assert score_at(engine, "memory://in", target, chunk_rows=4, overwrite=True).rows == 12
    assert engine.asked == [["new"]]


def test_rejected_rows_are_put_too(tmp_path, store, engine):
    store.pipe("/in/bad.csv", b"text,n\nx,1\n,2\n")
    summary = score_at(engine, "memory://in/bad.csv", "memory://out/bad.csv", on_error="skip")
    assert (summary.rows, summary.rejected, summary.rejects) == (1, 1, "memory://out/bad.csv.rejects.jsonl")
    assert b'"row": 2' in store.cat_file("/out/bad.csv.rejects.jsonl")
    summary = score_at(engine, "memory://in", "memory://all", on_error="skip")
    assert (summary.rejected, summary.rejects) == (1, "memory://all/_rejects")
    assert store.exists("/all/_rejects/bad.csv.rejects.jsonl")


@pytest.mark.parametrize(
    ("source", "target", "error", "found"),
    [
        ("memory://in/missing.csv", "memory://out.csv", DataError, "not found"),
        ("memory://empty", "memory://out", DataError, "not found"),
        ("memory://in", "memory://in/out", ConfigError, "lies in the folder"),
        ("memory://in/a.csv", "-", ConfigError, "do not go together"),
        ("nope://in/a.csv", "out.csv", ConfigError, "cannot be opened"),
    ],
)
def test_what_cannot_be_meant_is_refused(store, source, target, error, found):
    with pytest.raises(error, match=found):
        plan_location(source, target, ScoreOptions())
