"""The benchmark of the fast preset goes on from what it has, and its tables say what its pieces do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import fast_training
from benchmarks.fast_training import Plan, Speed, Trained, bench, lines
from benchmarks.machine import Child
from benchmarks.training_steps import WARM, Clock, EnoughError


def one(method: str, seed: int, accuracy: float, cpu: float) -> Trained:
    return Trained(
        method=method,
        seed=seed,
        accuracy=accuracy,
        seconds=2 * cpu,
        cpu_seconds=cpu,
        peak_mb=1000 + seed,
        load=1.0,
    )


def test_the_tables_hold_means_and_ratios_within_rounds() -> None:
    trainings = [
        one("plain", 1, 0.88, 900),
        one("plain", 2, 0.89, 1100),
        one("fast", 1, 0.87, 200),
        one("fast", 2, 0.89, 300),
    ]
    # the machine was twice as busy in the second round: ratios 3 and 4; a ratio of medians would differ
    speeds = [
        Speed(method=method, round=number, samples_per_second=cpu / 2, samples_per_cpu_second=cpu)
        for number, values in enumerate([(40, 120, 60, 40), (20, 80, 30, 20)])
        for method, cpu in zip(("plain", "fast", "fast in fp32", "peer"), values, strict=True)
    ]
    page = lines(trainings, speeds)
    assert "| plain | 88.0%, 89.0% | 88.50% | 1000 | 2000 | 1.00 | 1002 |" in page
    assert "| fast | 87.0%, 89.0% | 88.00% | 250 | 500 | 0.25 | 1002 |" in page
    assert "| fast | 50 | 100 | 3.50 |" in page
    assert "| peer | 15 | 30 | 1.00 |" in page


def test_what_was_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(
        data=Path("data"),
        work=tmp_path / "work",
        seeds=[1],
        rounds=1,
        methods=["plain", "fast"],
        overrides=["training.lr=1"],
    )
    commands: list[list[str]] = []

    def run_child(arguments: list[str], *, threads: int) -> Child:
        commands.append(arguments)
        assert threads == 1
        if arguments[1] == "nlpkit":
            name = next(word for word in arguments if word.startswith("name=")).removeprefix("name=")
            report = plan.work / name / "evaluation" / "validation.json"
            report.parent.mkdir(parents=True)
            report.write_text(json.dumps({"scores": {"accuracy": {"value": 0.9}}}))
        said = json.dumps({"samples_per_second": 10.0, "samples_per_cpu_second": 20.0})
        return Child(output=f"talk\n{said}\n", seconds=3.0, cpu_seconds=2.0, peak_mb=500.0)

    monkeypatch.setattr(fast_training, "run_child", run_child)
    said: list[str] = []
    page = bench(plan, results=tmp_path / "results", talk=said.append)
    assert [command[1] for command in commands] == ["benchmarks.training_steps"] * 4 + ["nlpkit"] * 2
    assert all(
        "training.lr=1" in command and "data.train.0.source=data/train.jsonl" in command
        for command in commands
    )
    assert [("training.precision=fp32" in command) for command in commands] == [
        True,
        False,
        True,
        False,
        True,
        False,
    ]
    commands.clear()
    assert (
        bench(plan, results=tmp_path / "results", talk=said.append).splitlines()[-1] == page.splitlines()[-1]
    )
    assert commands == []
    found: dict[str, Any] = json.loads((tmp_path / "results" / "fast-training.json").read_text())
    assert [one["accuracy"] for one in found["trainings"]] == [0.9, 0.9]


def test_the_clock_leaves_the_first_steps_out_and_stops() -> None:
    clock = Clock(2)
    for _ in range(WARM + 1):
        clock.step()
    with pytest.raises(EnoughError):
        clock.step()
    assert set(clock.rates) == {"samples_per_second", "samples_per_cpu_second"}
