"""A training that is killed at any moment ends, once resumed, in the weights of one that was not."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def start(config: Path, output: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "nlpkit", "train", str(config), f"output={output}", "training.evaluations=12"]
    # Not measured: coverage's tracer takes a lock that a Ctrl-C in the wrong moment leaves locked, and the child never ends.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS")} | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=environment)


def finish(config: Path, output: Path) -> tuple[bytes, float]:
    began = time.monotonic()
    process = start(config, output)
    _, talk = process.communicate(timeout=300)
    assert process.returncode == 0, talk.decode()
    return (output / "toy" / "adapter" / "adapter_model.safetensors").read_bytes(), time.monotonic() - began


def checkpoints(output: Path) -> list[Path]:
    return list((output / "toy" / "checkpoints").glob("checkpoint-*"))


def test_five_kills_at_random_moments_and_the_same_weights(toy_config: Path, tmp_path: Path) -> None:
    expected, _ = finish(toy_config, tmp_path / "whole")
    draw = random.Random(11)
    output = tmp_path / "killed"
    for number in range(5):
        process = start(toy_config, output)
        seen = len(checkpoints(output))
        deadline = time.monotonic() + 120
        # Wait for work to be under way, then a random moment more: between and within the saves.
        while process.poll() is None and len(checkpoints(output)) <= seen % 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(draw.uniform(0, 0.5))
        process.kill()
        process.wait()
        if (output / "toy" / "run.json").is_file():
            break
        assert number < 5
    weights, _ = finish(toy_config, output)
    assert weights == expected


def test_a_polite_stop_says_how_to_go_on(toy_config: Path, tmp_path: Path) -> None:
    for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        output = tmp_path / str(code)
        process = start(toy_config, output)
        deadline = time.monotonic() + 120
        while process.poll() is None and not checkpoints(output) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(number)
        _, talk = process.communicate(timeout=120)
        assert process.returncode == code, talk.decode()
        assert "the same command goes on from here: nlpkit train" in talk.decode()
        assert not (output / "toy" / "run.json").exists()
