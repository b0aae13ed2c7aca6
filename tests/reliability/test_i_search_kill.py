"""A search that is killed in the middle goes on: no trial is repeated, and it ends in the same run."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.forked import Forked
from tests.reliability.record import Tally
from tests.tries import tries

pytestmark = pytest.mark.integration

KILLS = tries(3, 1)

SEARCH = """
search:
  trials: 4
  space:
    training.lr: {low: 1.0e-3, high: 3.0e-2, log: true}
    lora.rank: [2, 4]
"""


def start(config: Path, output: Path) -> Forked:
    few = ("training.epochs=4", "training.evaluations=4")
    return Forked("-m", "nlpkit", "train", str(config), f"output={output}", *few)


def finish(config: Path, output: Path) -> tuple[bytes, list[list[Any]], str]:
    """Return the weights, the trials without their seconds, and what was said."""
    process = start(config, output)
    _, talk = process.communicate(timeout=600)
    assert process.returncode == 0, talk.decode()
    report = json.loads((output / "toy-search" / "report.json").read_text(encoding="utf-8"))
    trials = next(section for section in report["sections"] if section["id"] == "trials")["rows"]
    weights = (output / "toy" / "adapter" / "adapter_model.safetensors").read_bytes()
    return weights, [[*row[:4], *row[5:]] for row in trials], talk.decode()


def test_a_search_killed_in_a_trial_ends_as_one_that_was_not(
    toy_config: Path, tmp_path: Path, tally: Tally
) -> None:
    config = tmp_path / "search.yaml"
    config.write_text(toy_config.read_text(encoding="utf-8") + SEARCH, encoding="utf-8")
    weights, trials, _ = finish(config, tmp_path / "whole")
    output, begun = tmp_path / "killed", set[str]()
    for _ in range(KILLS):
        process = start(config, output)
        deadline = time.monotonic() + 300
        while process.poll() is None and time.monotonic() < deadline:
            # In a trial that was not begun before, after its first checkpoint
            fresh = {
                path.parts[-3] for path in output.glob("toy-search/trial-*/checkpoints/checkpoint-*")
            } - begun
            begun |= fresh
            if fresh and len(begun) > 1:
                break
            time.sleep(0.005)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    again, resumed, talk = finish(config, output)
    assert again == weights
    assert resumed == trials
    assert "trial 1 of 4" not in talk
    assert [path.name for path in (output / "toy-search").glob("trial-*")] == []
    tally(KILLS, "kills")
