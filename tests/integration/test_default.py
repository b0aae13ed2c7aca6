"""The built-in classifier: there, small, and no worse than VADER where accuracy is blind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpkit.classifiers.classifier import Classifier, default_run
from nlpkit.evaluation.behavior import SUITES, load_suite, run_suite
from nlpkit.tasks.prediction import Prediction

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load()


def vader(texts: list[str]) -> list[Prediction]:
    """Its authors' own thresholds."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    scores = [analyzer.polarity_scores(text)["compound"] for text in texts]
    return [
        Prediction(label="positive" if one >= 0.05 else "negative" if one <= -0.05 else "neutral", score=one)
        for one in scores
    ]


@pytest.mark.parametrize("name", SUITES)
@pytest.mark.parametrize("half", ["dev", "report"])
def test_it_fails_no_more_than_vader(classifier: Classifier, name: str, half: str) -> None:
    suite = load_suite(name, half=half)
    ours, theirs = run_suite(classifier.predict, suite), run_suite(vader, suite)
    assert ours.failed.of == theirs.failed.of >= 100
    assert ours.failed.count <= theirs.failed.count
    if ours.groups and theirs.groups:
        assert ours.groups.unequal.count <= theirs.groups.unequal.count


def test_it_answers_plain_words_as_people_do(classifier: Classifier) -> None:
    texts = [
        "What a wonderful day!",
        "This is the worst phone I ever had.",
        "The meeting is on Tuesday at ten.",
    ]
    assert [one.label for one in classifier.predict(texts)] == ["positive", "negative", "neutral"]


def test_it_is_a_few_megabytes_of_safetensors_and_says_what_it_is() -> None:
    run = default_run()
    files = [path for path in run.path.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8_000_000
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".yaml", ".md", ".txt"}
    assert run.card.is_file()
    assert "output: runs" in run.config.read_text().splitlines()
    assert (
        json.loads((run.adapter / "adapter_config.json").read_text())["base_model_name_or_path"]
        == "sentence-transformers/all-MiniLM-L6-v2"
    )


def test_score_without_a_run_uses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from nlpkit.cli.app import main

    source = tmp_path / "in.csv"
    source.write_text("text\nI love it\nIt arrived on Monday\n")
    monkeypatch.setattr(sys, "argv", ["nlpkit", "score", str(source), "-o", str(tmp_path / "out.jsonl")])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [row["label"] for row in rows] == ["positive", "neutral"]
