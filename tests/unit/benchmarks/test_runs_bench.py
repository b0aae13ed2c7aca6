"""The table of trained runs: one run with its intervals, several as mean and standard deviation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import runs

if TYPE_CHECKING:
    import pytest


def _facts(value: float) -> dict[str, Any]:
    score = {"value": value, "low": value - 0.01, "high": value + 0.01, "count": 50}
    settings = {"seed": 1}
    return {
        "kind": "emotions",
        "base": "b",
        "settings": settings,
        "train_seconds": 60 * value,
        "scores": {"f1": score},
    }


def test_seeds_are_a_mean_and_one_run_has_its_interval(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_run = {"a": _facts(0.5), "b": _facts(0.7)}
    monkeypatch.setattr(runs.Run, "open", staticmethod(lambda path: path.name))
    monkeypatch.setattr(runs, "facts", of_run.__getitem__)
    runs.bench({"both": "a,b", "first": "a"}, results=tmp_path, talk=lambda line: None)
    page = (tmp_path / "runs.md").read_text(encoding="utf-8")
    assert "f1 0.600 (sd 0.141: 0.500, 0.700)" in page  # |0.7 - 0.5| / sqrt(2)
    assert "f1 0.500 (0.490 to 0.510)" in page
