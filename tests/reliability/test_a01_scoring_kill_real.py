"""Scoring with a real model, killed or stopped at random moments: the bytes of one that was not."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import sentences, write_csv
from tests.forked import Forked
from tests.reliability.record import Tally
from tests.tries import tries

pytestmark = pytest.mark.integration

ROWS, KILLS = tries(120_000, 20_000), tries(30, 3)
ENDINGS = ((signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130))
"""Signals, and the exit codes that follow."""


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = sentences(ROWS, seed=3)
    return write_csv(tmp_path_factory.mktemp("in") / "in.csv", rows, ("text", "truth"))


def start(run: Path, source: Path, target: Path) -> Forked:
    words = ("-m", "nlpkit", "score", str(run), str(source), "-o", str(target), "--budget", "512")
    return Forked(*words, environment={**os.environ, "OMP_NUM_THREADS": "1"})


def rows_done(target: Path) -> str:
    try:
        return (target.with_name(target.name + ".nlpkit") / "state.json").read_text()
    except OSError:
        return ""


def test_killed_at_random_moments_it_makes_the_same_bytes(
    toy_run: Path, texts: Path, tmp_path: Path, tally: Tally
) -> None:
    whole = start(toy_run, texts, tmp_path / "whole.csv")
    _, talk = whole.communicate(timeout=300)
    assert whole.returncode == 0, talk.decode()
    expected = (tmp_path / "whole.csv").read_bytes()
    assert expected.count(b"\n") == ROWS + 1

    draw, target, killed = random.Random(5), tmp_path / "killed.csv", 0
    while killed < KILLS:
        process = start(toy_run, texts, target)
        before, deadline = rows_done(target), time.monotonic() + 120
        # one chunk or two further than the last kill, then a random moment more
        while process.poll() is None and rows_done(target) == before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.05))
        number, code = ENDINGS[killed % len(ENDINGS)]
        process.send_signal(number)
        _, talk = process.communicate(timeout=120)
        assert process.returncode == code, talk.decode()
        assert not target.exists()  # each kill comes before its end
        if code > 0:
            assert b"the same command resumes from here: nlpkit score" in talk
        killed += 1
    assert killed == KILLS
    last = start(toy_run, texts, target)
    _, talk = last.communicate(timeout=300)
    assert last.returncode == 0, talk.decode()
    assert b"of them" in talk  # it went on, it did not start again
    assert target.read_bytes() == expected
    assert not target.with_name(target.name + ".nlpkit").exists()
    tally(killed, "kills")
