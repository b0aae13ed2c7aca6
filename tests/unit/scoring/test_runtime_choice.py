"""J8: `--runtime auto` keeps the runtime that began the work, and exports only for an input that is long."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from nlpkit.classifiers import opening
from nlpkit.classifiers.export_record import MARKER
from nlpkit.errors import DataError
from nlpkit.scoring.locations import ScoringPlan, plan_location
from nlpkit.scoring.options import ScoreOptions
from tests.unit.scoring.conftest import FakeEngine

TORCH, ONNX = "torch 0a1b", "onnx 2c3d"
ROWS = [{"text": f"text {number} of some length"} for number in range(20)]


@pytest.fixture(autouse=True)
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Exports as this machine could make them: where, and those that were made."""
    known = SimpleNamespace(folder=tmp_path / "export", made=[], said=[])
    monkeypatch.setenv("NLPKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(opening, "_fast_export", lambda run: known.folder)
    monkeypatch.setattr(opening, "_has_gpu", lambda: False)
    monkeypatch.setattr(opening, "importlib", SimpleNamespace(util=SimpleNamespace(find_spec=lambda name: 1)))
    monkeypatch.setattr(opening, "cached_export", lambda run, form, talk: known.made.append(form))
    monkeypatch.setattr(opening, "WORTH_EXPORTING", 160)  # eight of the rows
    return known


def appear(folder: Path) -> None:
    folder.mkdir()
    (folder / MARKER).write_text("{}")


def chosen(plan: ScoringPlan, known: SimpleNamespace) -> str:
    return opening.resolve_runtime(
        None, "auto", is_long=plan.is_long, begun_with=plan.begun_with, talk=known.said.append
    )


@pytest.mark.parametrize("place", ["file", "folder", "store", "store folder"])
def test_j8_what_torch_began_torch_ends_though_an_export_appeared(
    place: str, tmp_path: Path, write, monkeypatch, exports: SimpleNamespace
) -> None:
    monkeypatch.setattr(MemoryFileSystem, "store", {})
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.csv", ROWS)
    write(tmp_path / "in" / "b.csv", ROWS)
    store = MemoryFileSystem()
    for name in ("a.csv", "b.csv"):
        store.pipe(f"/in/{name}", (tmp_path / "in" / name).read_bytes())
    source, target = {
        "file": (str(tmp_path / "in/a.csv"), str(tmp_path / "out.csv")),
        "folder": (str(tmp_path / "in"), str(tmp_path / "out")),
        "store": ("memory://in/a.csv", "memory://out.csv"),
        "store folder": ("memory://in", "memory://out"),
    }[place]
    options = ScoreOptions(chunk_rows=5)
    with pytest.raises(KeyboardInterrupt):
        plan_location(source, target, options).score(
            FakeEngine(fingerprint=TORCH, break_at=2, error=KeyboardInterrupt())
        )
    appear(exports.folder)
    plan = plan_location(source, target, options)
    assert chosen(plan, exports) == "torch"
    assert exports.said == ["runtime: torch, with which the work began"]
    assert plan.score(FakeEngine(fingerprint=TORCH)).resumed_from == 10
    # Anything else takes the export
    other = plan_location(source, str(tmp_path / "other.csv") if place == "file" else target + "2", options)
    assert chosen(other, exports) == "onnx"


def test_j8_files_of_a_folder_that_are_done_decide_too(
    tmp_path: Path, write, exports: SimpleNamespace
) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.csv", ROWS)
    plan_location(str(tmp_path / "in"), str(tmp_path / "out"), ScoreOptions()).score(
        FakeEngine(fingerprint=TORCH)
    )
    write(tmp_path / "in" / "b.csv", ROWS)
    appear(exports.folder)
    assert (
        chosen(plan_location(str(tmp_path / "in"), str(tmp_path / "out"), ScoreOptions()), exports) == "torch"
    )


def piped(monkeypatch: pytest.MonkeyPatch, rows: int, last: str = "") -> ScoringPlan:
    text = "text\n" + "".join(f"{row['text']}\n" for row in ROWS[:rows]) + last
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(text.encode())))
    return plan_location("-", "-", ScoreOptions(format="csv", chunk_rows=3))


@pytest.mark.parametrize(("rows", "runtime"), [(1, "torch"), (7, "torch"), (9, "onnx"), (20, "onnx")])
def test_j8_only_a_pipe_that_proves_long_is_exported_for(
    rows: int, runtime: str, tmp_path: Path, write, monkeypatch, exports: SimpleNamespace
) -> None:
    plan = piped(monkeypatch, rows)
    assert exports.made == []
    assert chosen(plan, exports) == runtime
    assert exports.made == (["onnx"] if runtime == "onnx" else [])
    # The same bytes as if nothing had been read ahead, in the same batches
    out, plain = SimpleNamespace(buffer=io.BytesIO()), SimpleNamespace(buffer=io.BytesIO())
    engine, other = FakeEngine(), FakeEngine()
    monkeypatch.setattr(sys, "stdout", out)
    plan.score(engine)
    again = piped(monkeypatch, rows)
    monkeypatch.setattr(sys, "stdout", plain)
    again.score(other)
    assert out.buffer.getvalue() == plain.buffer.getvalue()
    assert engine.asked == other.asked
    assert sum(map(len, engine.asked)) == rows


def test_j8_a_bad_row_of_a_pipe_comes_after_the_rows_before_it(monkeypatch, exports: SimpleNamespace) -> None:
    plan = piped(monkeypatch, 4, last="too,many\n")
    assert chosen(plan, exports) == "torch"
    out = SimpleNamespace(buffer=io.BytesIO())
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(DataError, match="row 5"):
        plan.score(FakeEngine())
    assert out.buffer.getvalue().count(b"\n") == 1 + 3


def test_j8_rows_that_come_slowly_are_not_waited_for(monkeypatch, exports: SimpleNamespace) -> None:
    plan = piped(monkeypatch, 20)
    now = iter(range(0, 100, 4))  # four seconds a batch
    monkeypatch.setattr("nlpkit.scoring.batches.time", SimpleNamespace(monotonic=lambda: next(now)))
    assert chosen(plan, exports) == "torch"
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=io.BytesIO()))
    assert plan.score(FakeEngine()).rows == 20
