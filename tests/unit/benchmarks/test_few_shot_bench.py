"""The benchmark of few rows adds what it measures to what it has, draw by draw."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import few_shot
from benchmarks.few_shot import Setup, bench
from nlpkit.settings.training import Base
from nlpkit.training.few_shot import FewShotData, FewShotTraining

if TYPE_CHECKING:
    import pytest


def test_ways_that_are_measured_later_join_those_of_before(
    toy_csv: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = Setup(
        data=FewShotData.model_validate({"train": str(toy_csv), "test": 0.2, "per_label": 4}),
        base=Base(source=str(tiny_base)),
        training=FewShotTraining(epochs=2),
        draws=2,
    )
    bench("toy", setup, ways=["probe"], results=tmp_path, talk=lambda line: None)
    monkeypatch.setattr(few_shot, "peer", lambda way, setup, rows, seed: {1: 0.5, 2: 0.6}[seed])
    tasks = bench("toy", setup, ways=["SetFit"], results=tmp_path, talk=lambda line: None)
    (measured,) = [task["measured"] for task in tasks.values()]
    assert [len(draws) for draws in measured.values()] == [2, 2]
    assert all(0 <= each["accuracy"] <= 1 for each in measured["probe"])
    saved = json.loads((tmp_path / "few-shot.json").read_text(encoding="utf-8"))
    assert saved["tasks"] == tasks
    # mean 55%; deviation of two: 10 points / sqrt(2)
    assert "| SetFit | 55.0% | 7.1 | 0 | 2 |" in (tmp_path / "few-shot.md").read_text(encoding="utf-8")
    assert next(iter(tasks.values()))["labels"] == 2
