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
    subprocess.run([sys.executable, "-m", "benchmarks", "--quick", "--results", str(folder)], cwd=ROOT, check=True, timeout=500)
    return folder


def read(results: Path, name: str) -> dict:
    return json.loads((results / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.integration
def test_scoring_and_the_pipeline_answer_alike(results):
    found = read(results, "scoring")
    assert found["agreement"]["texts"] == 200
    assert found["agreement"]["different_labels"] == 0
    # nlpkit writes six decimals
    assert found["agreement"]["largest_difference"] < 2e-6


@pytest.mark.integration
def test_scoring_names_each_turn_and_its_cost(results):
    found = read(results, "scoring")
    assert [turn["method"] for turn in found["turns"]] == ["nlpkit score", "transformers.pipeline, batch 32"]
    for turn in found["turns"]:
        assert turn["texts_per_second"] == pytest.approx(200 / turn["seconds"])
        assert turn["process_seconds"] > turn["seconds"] > 0
        assert turn["cpu_seconds"] > 0
        assert turn["peak_mb"] > 50
    ours, theirs = found["turns"]
    assert found["ratios"][0]["median"] == pytest.approx(theirs["seconds"] / ours["seconds"])
    assert {"processor", "cores", "versions", "load"} <= found["machine"].keys()


@pytest.mark.integration
def test_memory_names_rows_and_peak(results):
    found = read(results, "memory")
    assert [point["rows"] for point in found["points"]] == [1_000, 3_000]
    assert all(point["peak_mb"] > 50 and point["rows_per_second"] > 0 for point in found["points"])
    assert found["grown_mb"] == pytest.approx(found["points"][1]["peak_mb"] - found["points"][0]["peak_mb"])


@pytest.mark.integration
def test_pages_hold_a_table(results):
    for name in ("scoring", "memory"):
        assert "| ---: |" in (results / f"{name}.md").read_text(encoding="utf-8")
