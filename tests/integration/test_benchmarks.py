"""The benchmark scripts run whole on a tiny model, and what they write holds what a reader needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def results(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    subprocess.run(
        [sys.executable, "-m", "benchmarks", "--quick", "--results", str(folder)],
        cwd=ROOT,
        check=True,
        timeout=1500,
    )
    return folder


def read(results: Path, name: str) -> dict:
    return json.loads((results / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.integration
def test_scoring_and_the_pipeline_answer_alike(results):
    found = {one["method"]: one for one in read(results, "scoring")["agreement"]}
    for runtime in ("torch", "onnx"):
        assert found[f"nlpkit score, {runtime}"]["texts"] == 200
        assert found[f"nlpkit score, {runtime}"]["different_labels"] == 0
        # nlpkit writes six decimals
        assert found[f"nlpkit score, {runtime}"]["largest_difference"] < 2e-6
    assert found["nlpkit score, onnx-int8"]["largest_difference"] < 0.2


@pytest.mark.integration
def test_scoring_names_each_turn_and_its_cost(results):
    found = read(results, "scoring")
    turns = {turn["method"]: turn for turn in found["turns"]}
    assert {f"nlpkit score, {one}" for one in ("torch", "onnx", "openvino", "onnx-int8")} | {
        "transformers.pipeline, batch 32"
    } <= turns.keys()
    for turn in found["turns"]:
        assert turn["texts_per_second"] == pytest.approx(200 / turn["seconds"])
        assert turn["process_seconds"] > turn["seconds"] > 0
        assert turn["cpu_seconds"] > 0
        assert turn["peak_mb"] > 50
    ours, theirs = turns["nlpkit score, onnx"], turns["transformers.pipeline, batch 32"]
    by_onnx = next(
        one for one in found["ratios"] if (one["method"], one["peer"]) == (ours["method"], theirs["method"])
    )
    assert by_onnx["median"] == pytest.approx(theirs["seconds"] / ours["seconds"])
    assert {"processor", "cores", "versions", "load"} <= found["machine"].keys()
    assert found["rates"]["1"]["limit"] > 1
    assert found["gflop"] > 0


@pytest.mark.integration
def test_a_start_by_onnx_needs_less_than_one_by_torch(results):
    found = {one["command"]: one for one in read(results, "startup")["starts"]}
    assert found["nlpkit predict, onnx"]["peak_mb"] < found["nlpkit predict, torch"]["peak_mb"]
    assert found["nlpkit predict, onnx"]["cpu_seconds"] < found["transformers.pipeline"]["cpu_seconds"]


@pytest.mark.integration
def test_memory_names_rows_and_peak(results):
    found = read(results, "memory")
    assert [(point["runtime"], point["rows"]) for point in found["points"]] == [
        ("onnx", 1_000), ("onnx", 3_000),
    ]  # fmt: skip
    assert all(point["peak_mb"] > 50 and point["rows_per_second"] > 0 for point in found["points"])
    assert found["grown"]["onnx"] == pytest.approx(
        found["points"][1]["peak_mb"] / found["points"][0]["peak_mb"] - 1
    )


@pytest.mark.integration
def test_pages_hold_a_table_and_lie_beside_a_picture(results):
    for name in ("scoring", "startup", "memory"):
        assert "| ---: |" in (results / f"{name}.md").read_text(encoding="utf-8")
        assert (results / f"{name}.png").read_bytes().startswith(b"\x89PNG")
