"""Two processes that train together leave one run, and the same log of the same steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.integration


def test_two_processes_make_one_run(toy_config: Path, tmp_path: Path) -> None:
    # accelerate starts processes on CPUs only through MPI; torch's own launcher starts them as accelerate does on GPUs
    launch = ["torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    train = ["nlpkit", "train", str(toy_config), f"output={tmp_path}", "training.batch_size=8"]
    command = [sys.executable, "-m", *launch, "-m", *train]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((tmp_path / "toy" / "run.json").read_text())
    assert record["data"]["rows"] == {"train": 144, "validation": 48, "test": 48}
    steps = [json.loads(line)["step"] for line in (tmp_path / "toy" / "log.jsonl").read_text().splitlines()]
    assert max(steps) == 90  # 144 rows in batches of 2 x 8, ten times
    report = json.loads((tmp_path / "toy" / "evaluation" / "test.json").read_text())
    assert report["scores"]["accuracy"]["value"] > 0.8
