"""A training that is killed at any moment ends, once resumed, in the weights of one that was not."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest

from tests.forked import Forked
from tests.reliability.record import Tally
from tests.tries import tries

pytestmark = pytest.mark.integration

KILLS = tries(20, 2)


def start(config: Path, output: Path, *more: str) -> Forked:
    command = ["-m", "nlpkit", "train", str(config), f"output={output}", "training.evaluations=60", *more]
    command += ["evaluation.generate=0"] if "recipe: dialogue" in config.read_text(encoding="utf-8") else []
    # Without coverage: a Ctrl-C at a bad moment leaves its tracer's lock locked, and the child never ends.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")
    } | {"OMP_NUM_THREADS": "1"}
    return Forked(*command, environment=environment)


def finish(config: Path, output: Path, *more: str) -> bytes:
    process = start(config, output, *more)
    _, talk = process.communicate(timeout=300)
    assert process.returncode == 0, talk.decode()
    return (output / "toy" / "adapter" / "adapter_model.safetensors").read_bytes()


def newest(output: Path) -> int:
    """The step of the newest checkpoint, complete or not."""
    return max(
        (int(one.name.rpartition("-")[2]) for one in (output / "toy" / "checkpoints").glob("checkpoint-*")),
        default=0,
    )


def wait_beyond(step: int, process: Forked, output: Path) -> None:
    deadline = time.monotonic() + 300
    while process.poll() is None and newest(output) <= step and time.monotonic() < deadline:
        time.sleep(0.002)


@pytest.mark.parametrize(
    ("recipe", "more"),
    [("toy_config", ()), ("toy_config", ("training.preset=fast",)), ("chat_config", ("training.epochs=12",))],
    ids=["toy", "fast", "chat"],
)
def test_killed_at_random_moments_it_ends_in_the_same_weights(
    recipe: str, more: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest, tally: Tally
) -> None:
    config: Path = request.getfixturevalue(recipe)
    expected = finish(config, tmp_path / "whole", *more)
    draw, output, reached = random.Random(11), tmp_path / "killed", []
    for _ in range(KILLS):
        process = start(config, output, *more)
        # A checkpoint further than last time, then a random moment more: between the saves and within them.
        wait_beyond(newest(output), process, output)
        time.sleep(draw.uniform(0, 0.08))
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL  # it was not through before
        reached.append(newest(output))
    assert reached == sorted(reached)
    assert not (output / "toy" / "run.json").exists()
    assert finish(config, output, *more) == expected
    assert not (output / "toy" / "checkpoints").exists()
    tally(KILLS, "kills")


def test_a_polite_stop_says_how_to_go_on(toy_config: Path, tmp_path: Path) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        output = tmp_path / str(code)
        process = start(toy_config, output)
        wait_beyond(0, process, output)
        process.send_signal(number)
        _, talk = process.communicate(timeout=120)
        assert process.returncode == code, talk.decode()
        assert "the same command resumes from here: nlpkit train" in talk.decode()
        assert not (output / "toy" / "run.json").exists()
