"""Scorings that are killed for real, at random moments, until they are done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.reliability.record import Tally
from tests.tries import tries

CHUNKS, CHUNK_ROWS, KILLS = 120, 10, tries(50, 3)

SCRIPT = """
import sys, zlib
from nlpkit.scoring.score import score_file
from nlpkit.tasks.prediction import Prediction

class Predictor:
    fingerprint, columns = "fake", {"label": "string", "score": "float"}
    def predict(self, texts):
        return [Prediction(label="even", score=zlib.crc32(text.encode()) / 2**32) for text in texts]

print("ready", flush=True)
summary = score_file(Predictor(), sys.argv[1], sys.argv[2], on_error="skip", chunk_rows=int(sys.argv[3]))
print(summary.rows, summary.rejected)
"""


def start(source: Path, target: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SCRIPT, str(source), str(target), str(CHUNK_ROWS)]
    # Without coverage: a Ctrl-C at a bad moment leaves its tracer's lock locked, and the child never ends.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")
    }
    child = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("ending", [".csv", ".jsonl.gz", ".parquet"])
def test_killed_at_random_moments_it_makes_the_same_bytes(tmp_path: Path, ending: str, tally: Tally) -> None:
    source, whole, target = tmp_path / "in.csv", tmp_path / f"whole{ending}", tmp_path / f"out{ending}"
    rows = [f"{'' if n % 97 == 5 else f'text {n % 300}'},{n}" for n in range(CHUNKS * CHUNK_ROWS)]
    source.write_text("\n".join(["text,n", *rows]) + "\n")
    begin = time.perf_counter()
    answer, _ = start(source, whole).communicate(timeout=120)
    length = time.perf_counter() - begin
    rejected = sum(row.startswith(",") for row in rows)
    assert answer == f"{len(rows) - rejected} {rejected}\n"

    moments, kills, finished = random.Random(7), 0, 0
    state = tmp_path / f"out{ending}.nlpkit" / "state.json"
    rejects = tmp_path / f"out{ending}.rejects.jsonl"
    while kills < KILLS or not finished:
        child = start(source, target)
        while kills < KILLS and child.poll() is None and not state.exists():
            time.sleep(0.001)  # a kill before the work began says nothing
        try:
            # After the kills a run may end. A third of a completed run at most, so that several kills hit it.
            answer, _ = child.communicate(timeout=moments.uniform(0, length / 3) if kills < KILLS else 120)
        except subprocess.TimeoutExpired:
            kills += 1
            child.send_signal(moments.choice([signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
            child.communicate(timeout=120)
            if not target.exists():
                continue
        else:
            assert child.returncode == 0
            assert answer == f"{len(rows) - rejected} {rejected}\n"
        # Whoever looks sees the whole output or none, also when the kill came in the last step.
        finished += 1
        assert target.read_bytes() == whole.read_bytes()
        assert rejects.read_bytes() == (tmp_path / f"whole{ending}.rejects.jsonl").read_bytes()
        if child.returncode == 0:
            assert not (tmp_path / f"out{ending}.nlpkit").exists()
        target.unlink()
        rejects.unlink()
    tally(kills, "kills")
