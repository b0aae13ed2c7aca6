"""The benchmark of searches, with the search itself left out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import search
from benchmarks.search import Setup, bench, config_of
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.parts import Baseline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Table
from nlpkit.search.space import search_of
from nlpkit.training.train import read_training

if TYPE_CHECKING:
    import pytest


def setup(folder: Path) -> Setup:
    return Setup(rows=600, choose=0.3, trials=3, freeze=5, base="minilm-l6", folder=folder)


def percent(value: float, low: float, high: float) -> Score:
    return Score(value=value, low=low, high=high, count=872, percent=True)


def test_the_space_is_valid_and_holds_the_shipped_defaults(tmp_path: Path) -> None:
    from nlpkit.search.space import own_values

    loaded = read_training(config_of("sst2", "train.jsonl", "dev.jsonl", setup(tmp_path)))
    own = own_values(loaded, search_of(loaded))
    assert own is not None
    assert (own["training.lr"], own["lora.rank"], own["training.epochs"]) == (5e-4, 16, 3)


def test_the_page_has_defaults_best_gain_and_optimism(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(config: dict[str, Any], talk: object) -> None:
        rows = (("1", "0.7", "completed", 3, "10", "0.1"), ("2", "0.6", "stopped", 1, "5", "0.2"))
        heads = ("trial", "accuracy", "outcome", "evaluations", "seconds", "training.lr")
        table = Table(
            id="trials", title="All trials", columns=tuple(Column(name=head) for head in heads), rows=rows
        )
        test = PairedTest(metric="accuracy", difference=0.05, low=0.01, high=0.09, count=872, resamples=1000)
        baseline = Baseline(
            name="own", scores={"accuracy": percent(0.7, 0.67, 0.73)}, tests={"accuracy": test}
        )
        scores = {
            "accuracy": percent(0.75, 0.72, 0.78),
            "searched": percent(0.8, 0.74, 0.86),
            "optimism": percent(0.05, -0.01, 0.11),
        }
        report = Report(
            run="sst2", data="search", task="intents", summary=("The best has lr 0.1.",), scores=scores,
            baselines=(baseline,), sections=(table,),
        )  # fmt: skip
        folder = Path(config["output"]) / "sst2-search"
        folder.mkdir(parents=True)
        (folder / "report.json").write_text(report.to_json())

    monkeypatch.setattr(search, "hyperparameter_search", found)
    said: list[str] = []
    tasks = bench("sst2", "train.jsonl", "dev.jsonl", setup(tmp_path), results=tmp_path, talk=said.append)
    assert tasks["sst2, minilm-l6"]["seconds"] == 15
    page = (tmp_path / "search.md").read_text()
    assert "| 2 | 70.0% (67.0% to 73.0%) | 75.0% (72.0% to 78.0%) | +5.0 (+1.0 to +9.0) | 872 |" in page
    assert "The best has lr 0.1. 1 trials were stopped early." in page
