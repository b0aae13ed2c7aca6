from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpkit.files import write_whole
from nlpkit.metrics.score import Score
from nlpkit.reports.report import Report
from nlpkit.reports.seeds import summarize
from nlpkit.run import Run
from tests.dialogue_sample import SCORES, context, findings, sample, score


def test_a_dialogue_run_is_summed_up_with_its_baseline(tmp_path: Path) -> None:
    for seed, (perplexity, gain) in enumerate([(20.0, 0.4), (22.0, 0.5), (24.0, 0.6)]):
        scores = {**SCORES, "perplexity": score("perplexity", perplexity)}
        found = findings(scores=scores, context=context(("shuffled", gain, None, None)))
        report = sample(found)
        write_whole(tmp_path / f"seed-{seed}" / "evaluation" / "test.json", report.to_json())
    text = summarize(tmp_path, [Run(tmp_path / f"seed-{seed}") for seed in range(3)])
    table = json.loads((tmp_path / "seeds.json").read_text())["test"]
    assert table["perplexity"] == {"mean": 22.0, "sd": 2.0, "seeds": [20.0, 22.0, 24.0]}
    assert table["perplexity (baseline)"]["mean"] == pytest.approx(28.84)
    assert table["loss gain over shuffled"]["mean"] == pytest.approx(0.5)
    assert table["loss gain over shuffled"]["sd"] == pytest.approx(0.1)
    assert table["loss gain over shuffled (baseline)"]["seeds"] == [0.021] * 3
    assert {"hits@1", "distinct-2", "hits@1 (baseline)", "hits@1 gain over shuffled"} <= set(table)
    assert "hostile" not in table  # it has no value
    assert "| test | perplexity | 22.0000 | 2.0000 | 20.0000, 22.0000, 24.0000 |" in text
    assert (tmp_path / "seeds.md").read_text().endswith(text + "\n")


def test_a_run_of_labels_is_summed_up_as_before(tmp_path: Path) -> None:
    report = Report(
        run="r",
        data="d",
        task="polarity",
        scores={"accuracy": Score(value=0.5, count=1), "auroc": Score(value=None, count=1)},
    )
    write_whole(tmp_path / "one" / "evaluation" / "d.json", report.to_json())
    summarize(tmp_path, [Run(tmp_path / "one")])
    assert json.loads((tmp_path / "seeds.json").read_text()) == {
        "d": {"accuracy": {"mean": 0.5, "sd": 0.0, "seeds": [0.5]}}
    }
