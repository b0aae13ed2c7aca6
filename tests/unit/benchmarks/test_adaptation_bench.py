"""The benchmark of adaptation trains on both bases, and compares them row by row."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.adaptation import Setup, bench, compare, way_of
from tests.conftest import make_base, sentences, write_csv


def test_the_gain_is_the_mean_over_seeds_by_hand() -> None:
    before = [np.array([True, False, False, False]), np.array([True, True, False, False])]
    after = [np.array([True, True, False, False]), np.array([True, True, True, False])]
    found = compare(before, after)
    assert found["before"]["value"] == pytest.approx(3 / 8)
    assert found["after"]["value"] == pytest.approx(5 / 8)
    assert found["gain"]["difference"] == pytest.approx(1 / 4)
    assert found["by_seed"] == [0.25, 0.25]


def test_both_bases_are_trained_on_the_same_labels(tmp_path: Path) -> None:
    base = make_base(tmp_path / "base", masks=True, head=True)
    rows = sentences(160)
    files = [
        str(write_csv(tmp_path / f"{name}.csv", part))
        for name, part in (("texts", rows[:60]), ("train", rows[60:120]), ("dev", rows[120:]))
    ]
    setup = Setup(
        base=str(base), method="masked", labels=[40, 0], seeds=[1], epochs=1, max_tokens=64,
        folder=tmp_path / "runs",
        adaptation={"data": {"near_duplicates": 1.0}, "training": {"max_steps": 2, "evaluations": 1}},
    )  # fmt: skip
    said: list[str] = []
    bench("toy", files, setup, results=tmp_path, talk=said.append)
    tasks = json.loads((tmp_path / "adaptation.json").read_text(encoding="utf-8"))["tasks"]
    (task,) = tasks.values()
    assert list(task["labels"]) == ["40", "all"]
    assert task["texts"] == 54
    assert task["train_rows"] == 60
    assert all(found["gain"]["count"] == 40 for found in task["labels"].values())
    assert f"toy, {base}, masked | all |" in said[0]


def test_self_training_labels_the_texts_on_the_base_as_it_was(tmp_path: Path) -> None:
    setup = Setup(
        base="minilm-l6", method="self_training", labels=[100], seeds=[1], epochs=1, max_tokens=64,
        folder=tmp_path, adaptation={"min_probability": 0.7},
    )  # fmt: skip
    way = way_of("tweets", "texts.csv", setup)
    assert (way.method, way.source, way.minutes) == ("self_training", "minilm-l6", 0.0)
    key = "unlabelled"  # an old name
    assert way.settings == {"self_training": {key: "texts.csv", "min_probability": 0.7}}
    assert not list(tmp_path.iterdir())  # no base is adapted
