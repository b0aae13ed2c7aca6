from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.scoring import journal
from nlpkit.scoring.score import score_file

HOLD_LOCK = """
import sys, time, filelock, pathlib
folder = pathlib.Path(sys.argv[1]); folder.mkdir(exist_ok=True)
lock = filelock.FileLock(folder / "lock"); lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def source(tmp_path, write):
    rows = [{"text": " " if n == 3 else f"text {n}", "n": n} for n in range(20)]
    return write(tmp_path / "in.csv", rows)


def test_a_second_process_is_refused_and_the_lock_of_a_dead_one_is_not(tmp_path, source, engine):
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD_LOCK, str(tmp_path / "out.csv.nlpkit")], stdout=subprocess.PIPE
    )
    try:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(NlpkitError, match=r"out\.csv: another process is writing it"):
            score_file(engine, source, tmp_path / "out.csv", on_error="skip")
        assert (tmp_path / "out.csv.nlpkit" / "lock").exists()
    finally:
        other.kill()
        other.wait()
        other.stdout.close()
    assert score_file(engine, source, tmp_path / "out.csv", on_error="skip").rows == 19


def test_s15_a_state_speaks_only_of_bytes_that_are_on_the_disk(
    tmp_path, source, engine, on_disk, monkeypatch
):
    placed = []
    real = os.replace

    def replace(old, new):
        old = Path(old)
        placed.append(old.name)
        assert on_disk(old), old
        for name in (journal.PARTIAL, journal.REJECTS):
            if old.name.startswith("state.json") and (old.parent / name).exists():
                assert on_disk(old.parent / name), f"{name} when {old.name} was placed"
        real(old, new)

    monkeypatch.setattr(os, "replace", replace)
    score_file(engine, source, tmp_path / "out.csv", chunk_rows=6, on_error="skip")
    assert placed.count("state.json.new") >= 4  # 20 rows in chunks of 6
    assert {"rejects.new", journal.PARTIAL} <= set(placed)


class _Cut(BaseException):
    """Stands for a kill: nothing catches it."""


STEPS = ["os.fsync", "os.replace", "shutil.copyfile", "pathlib.Path.unlink", "pathlib.Path.rmdir"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("step", STEPS)
def test_cut_off_at_any_step_it_goes_on_to_the_same_bytes(
    tmp_path, source, make_engine, monkeypatch, ending, before, step
):
    whole, target = tmp_path / f"whole{ending}", tmp_path / f"out{ending}"
    score_file(make_engine(), source, whole, chunk_rows=6, on_error="skip")
    times = 0
    while True:
        times += 1
        with monkeypatch.context() as patch:
            cut = _cut_at(patch, step, times, before=before)
            try:
                score_file(make_engine(), source, target, chunk_rows=6, on_error="skip")
            except _Cut:
                if target.exists():
                    assert target.read_bytes() == whole.read_bytes()
        if not cut.happened:
            break
        # A cut in the very last step leaves a whole output and nothing to go on from.
        if not target.exists() or (tmp_path / f"out{ending}.nlpkit" / "state.json").exists():
            score_file(make_engine(), source, target, chunk_rows=6, on_error="skip")
        rejects = tmp_path / f"out{ending}.rejects.jsonl"
        assert target.read_bytes() == whole.read_bytes()
        assert rejects.read_bytes() == (tmp_path / f"whole{ending}.rejects.jsonl").read_bytes()
        target.unlink()
        rejects.unlink()
    assert times > 1


def _cut_at(patch, step, times, *, before):
    module, name = step.rsplit(".", 1)
    real = getattr(_named(module), name)

    def call(*args, **kwargs):
        call.left -= 1
        if call.left == 0:
            call.happened = True
            if not before:
                real(*args, **kwargs)
            raise _Cut
        if call.happened:  # The dead do nothing.
            return None
        return real(*args, **kwargs)

    call.left, call.happened = times, False
    patch.setattr(step, call)
    return call


def _named(module):
    import importlib

    parent, _, child = module.rpartition(".")
    return getattr(importlib.import_module(parent), child) if parent else importlib.import_module(module)


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_a_full_disk_ends_in_a_message_and_can_go_on(tmp_path, source, make_engine, monkeypatch, ending):
    whole, target = tmp_path / f"whole{ending}", tmp_path / f"out{ending}"
    score_file(make_engine(), source, whole, chunk_rows=6, on_error="skip")
    real, failed = os.fsync, 0
    for good in range(16):
        left = [good]

        def full(number, left=left):
            left[0] -= 1
            if left[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(number)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            error = _error_of(make_engine, source, target)
        if error is not None:
            failed += 1
            assert error.exit_code == 1
            assert f"out{ending}.nlpkit: could not be written: No space left on device; " in str(error)
            assert "bytes are free there" in str(error)
            assert str(error).endswith("hint: free some space and run the same command again")
            assert not target.exists()
            score_file(make_engine(), source, target, chunk_rows=6, on_error="skip")
        assert target.read_bytes() == whole.read_bytes()
        target.unlink()
        (tmp_path / f"out{ending}.rejects.jsonl").unlink()
    assert failed >= 10


def _error_of(make_engine, source, target) -> NlpkitError | None:
    try:
        score_file(make_engine(), source, target, chunk_rows=6, on_error="skip")
    except NlpkitError as error:
        return error
    return None


def test_a_write_that_is_cut_short_is_a_full_disk_too(tmp_path, source):
    script = f"""
import resource, sys
sys.path.insert(0, {str(os.getcwd())!r})
from nlpkit.errors import NlpkitError
from nlpkit.scoring.score import score_file
from nlpkit.tasks.prediction import Prediction
class Predictor:
    fingerprint, columns = "fake", {{"label": "string"}}
    def predict(self, texts): return [Prediction(label="x" * 400) for _ in texts]
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), -1))
try:
    out = {str(tmp_path / "out.csv")!r}
    print(score_file(Predictor(), {str(source)!r}, out, on_error="skip", chunk_rows=2).rows)
except NlpkitError as error:
    print(error)
"""
    out = [
        subprocess.run([sys.executable, "-c", script, str(limit)], capture_output=True, text=True).stdout
        for limit in (3_000, 5_000, 100_000)
    ]
    assert "could not be written: File too large" in out[0]
    assert "could not be written: File too large" in out[1]
    assert out[2] == "19\n"
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 20


def test_a_state_speaks_only_of_bytes_that_are_on_the_disk(tmp_path, source, make_engine, monkeypatch):
    events: list[str] = []
    real_append, real_save = journal._append, journal.State.save
    monkeypatch.setattr(
        journal, "_append", lambda path, data, at: (events.append(path.name), real_append(path, data, at=at))
    )
    monkeypatch.setattr(
        journal.State, "save", lambda self, folder: (events.append("state"), real_save(self, folder))[1]
    )
    with pytest.raises(RuntimeError):
        score_file(make_engine(break_at=2), source, tmp_path / "out.csv", chunk_rows=6, on_error="skip")
    assert events == ["partial", "rejects", "state"] * 2
    folder = tmp_path / "out.csv.nlpkit"
    state = json.loads((folder / "state.json").read_text())
    assert (state["read"], state["rows"], state["rejected"]) == (12, 11, 1)
    assert state["size"] == (folder / "partial").stat().st_size
    assert state["rejects_size"] == (folder / "rejects").stat().st_size


def test_a_finished_output_is_cleaned_up_after_but_not_made_again(
    tmp_path, source, engine, make_engine, monkeypatch
):
    monkeypatch.setattr(journal, "remove", lambda folder: None)
    score_file(make_engine(), source, tmp_path / "out.parquet", on_error="skip")
    monkeypatch.undo()
    made = (tmp_path / "out.parquet").stat().st_mtime_ns
    summary = score_file(engine, source, tmp_path / "out.parquet", on_error="skip")
    assert (summary.rows, summary.rejected, engine.asked) == (19, 1, [])
    assert (tmp_path / "out.parquet").stat().st_mtime_ns == made
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 19
    assert not (tmp_path / "out.parquet.nlpkit").exists()
    with pytest.raises(ConfigError, match="exists already"):
        score_file(engine, source, tmp_path / "out.parquet", on_error="skip")


def test_an_output_that_was_taken_away_is_made_again(tmp_path, source, engine, monkeypatch):
    monkeypatch.setattr(journal, "remove", lambda folder: None)
    score_file(engine, source, tmp_path / "out.csv", on_error="skip")
    monkeypatch.undo()
    (tmp_path / "out.csv").unlink()
    assert score_file(engine, source, tmp_path / "out.csv", on_error="skip").resumed_from == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 20
