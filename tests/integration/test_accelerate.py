"""Two processes that train together write one run, with the log and the weights of a single process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.browser.conftest import free_port
from tests.forked import Forked

pytestmark = pytest.mark.integration

ALONE = {"OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}


def train(config: Path, output: Path, *overrides: str, processes: int) -> list[dict[str, Any]]:
    """The log of a training, by processes with the environment that torch's launcher gives."""
    words = ("-m", "nlpkit", "train", str(config), f"output={output}", *overrides)
    world = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    ranks = [world | {"RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    started = [
        Forked(*words, environment={**os.environ, **ALONE, **rank})
        for rank in (ranks if processes > 1 else [{}])
    ]
    said = [process.communicate(timeout=300)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * processes, said
    return read_log(output)


def read_log(output: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (output / "toy" / "log.jsonl").read_text().splitlines()]


def weights(output: Path) -> dict[str, torch.Tensor]:
    """What a training saved: its adapter, and a classifier's head."""
    return load_file(output / "toy" / "adapter" / "adapter_model.safetensors")


def moved(output: Path) -> dict[str, torch.Tensor]:
    """The weights that are not those that LoRA starts from: it starts with B at zero."""
    return {name: weight for name, weight in weights(output).items() if weight.abs().max() > 0}


SAME = ("training.group_by_length=false", "training.max_steps=20", "training.evaluations=1", "lora.dropout=0")
"""Halves of a batch differ in their rows, and each process has its own dropout."""


SENTIMENT = ("base.dropout=0",)
DIALOGUE = ("evaluation.items=2", "evaluation.generate=0")


@pytest.mark.parametrize(
    ("recipe", "more"),
    [("toy_config", SENTIMENT), ("toy_config", (*SENTIMENT, "training.freeze=1")), ("chat_config", DIALOGUE)],
    ids=["sentiment", "frozen", "dialogue"],
)
def test_two_processes_learn_the_weights_of_one(
    recipe: str, more: tuple[str, ...], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    for name, processes, batch in (("one", 1, 8), ("two", 2, 4)):
        train(
            request.getfixturevalue(recipe),
            tmp_path / name,
            *SAME,
            *more,
            f"training.batch_size={batch}",
            processes=processes,
        )
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys() == moved(tmp_path / "one").keys()
    for name, weight in one.items():
        assert torch.allclose(two[name], weight, rtol=0, atol=1e-4), (
            f"{name}: {(two[name] - weight).abs().max():.2g}"
        )


def test_two_processes_make_one_run(toy_config: Path, tmp_path: Path) -> None:
    # accelerate starts processes on CPUs only through MPI; torch's launcher starts them as it does on GPUs
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m"]
    settings = [f"output={tmp_path}", "training.batch_size=8", "training.epochs=5"]
    subprocess.run(
        [*launch, "nlpkit", "train", str(toy_config), *settings],
        check=True,
        timeout=300,
        env={**os.environ, **ALONE},
    )
    log = read_log(tmp_path)
    record = json.loads((tmp_path / "toy" / "run.json").read_text())
    assert record["data"]["rows"] == {"train": 144, "validation": 48, "test": 48}
    assert max(entry["step"] for entry in log) == 45  # 144 rows in batches of 2 x 8, five times
    report = json.loads((tmp_path / "toy" / "evaluation" / "test.json").read_text())
    assert report["scores"]["accuracy"]["value"] > 0.8


def test_two_processes_learn_conversations_as_one_does(chat_config: Path, tmp_path: Path) -> None:
    same = (
        "training.group_by_length=false",
        "training.max_steps=6",
        "lora.dropout=0",
        "evaluation.items=2",
        "evaluation.generate=0",
    )
    one = train(chat_config, tmp_path / "one", *same, "training.batch_size=8", processes=1)
    two = train(chat_config, tmp_path / "two", *same, "training.batch_size=4", processes=2)
    for kind in ("loss", "eval_loss", "eval_perplexity"):
        alone, together = ([entry[kind] for entry in log if kind in entry] for log in (one, two))
        assert len(alone) > 2
        assert together == pytest.approx(alone, rel=1e-4)
