"""Python's hash seed, which differs from process to process, changes nothing of a training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.reliability.record import Tally


@pytest.mark.reliability
def test_trainings_with_other_hash_seeds_are_equal(toy_config: Path, tmp_path: Path, tally: Tally) -> None:
    made: list[tuple[bytes, Any]] = []
    for seed in ("0", "1", "2"):
        words = [sys.executable, "-m", "nlpkit", "train", str(toy_config), f"output={tmp_path / seed}"]
        subprocess.run(words, check=True, env=os.environ | {"PYTHONHASHSEED": seed, "OMP_NUM_THREADS": "1"})
        run = tmp_path / seed / "toy"
        weights = (run / "adapter" / "adapter_model.safetensors").read_bytes()
        made.append((weights, json.loads((run / "evaluation" / "test.json").read_text())["scores"]))
    assert made[0] == made[1] == made[2]
    tally(len(made), "trainings")
