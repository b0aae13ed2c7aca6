"""Several readings in one pass: the same answers as alone, one file, and what cannot answer together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.readings import Readings
from nlpkit.classifiers.torch_runtime import TorchRuntime
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError
from nlpkit.scoring.score import score_file
from tests.conftest import make_base, sentences, train_toy, write_csv

CONFIG = """
recipe: sentiment
name: {name}
task: {task}
data:
  train: [{{source: {data}, label: {label}}}]
  validation: 0.25
  near_duplicates: 1.0
base: {{source: {base}}}
lora: {{rank: 4, alpha: 16}}
training: {{epochs: 1, batch_size: 16, lr: 0.01, evaluations: 1, freeze: {freeze}}}
output: {output}
"""

TASKS = {
    "polarity": ("{kind: polarity, labels: [negative, positive]}", "label", 2),
    "emotions": ("{kind: emotions}", "emotions", 2),
    "intents": ("{kind: intents}", "intent", 1),
    "intensity": ("{kind: intensity}", "stars", 0),
    "aspects": ("{kind: aspects, find: terms}", "opinions", 2),
}

TEXTS = ["the film was good", "awful", "", "a very lovely place and sad food " * 20]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("readings")
    base = make_base(folder / "base", layers=3)
    with (folder / "rows.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "label", "emotions", "intent", "stars", "opinions"))
        for text, label in sentences(80):
            is_good = label == "positive"
            emotions = "joy,love" if is_good else "grief"
            intent, stars = ("thank", 5) if is_good else ("complain", 1)
            word = {"start": 0, "end": text.index(" ")}
            opinions = json.dumps([{"aspect": word, "polarity": label}])
            writer.writerow((text, label, emotions, intent, stars, opinions))
    made = {}
    for name, (task, column, freeze) in TASKS.items():
        config = folder / f"{name}.yaml"
        config.write_text(
            CONFIG.format(
                name=name, task=task, label=column, freeze=freeze, data=folder / "rows.csv", base=base,
                output=folder / "runs",
            )
        )  # fmt: skip
        made[name] = train_toy(config)[0]
    return made


def test_each_answers_as_it_does_alone(runs: dict[str, Path]) -> None:
    readings = Readings.load(list(runs.values()))
    assert readings.shared == {"emotions": 2, "intents": 1, "intensity": 0, "aspects": 2}
    together = readings.predict(TEXTS)
    for name, path in runs.items():
        alone = Classifier.load(path, runtime="torch").predict(TEXTS)
        assert [answers.by_name[name] for answers in together] == alone


def test_shared_layers_compute_once(runs: dict[str, Path]) -> None:
    readings = Readings.load([runs["polarity"], runs["emotions"]])
    calls = []
    for name, classifier in readings.classifiers.items():
        runtime = classifier.model.runtime
        assert isinstance(runtime, TorchRuntime)
        for module in runtime.model.modules():
            if type(module).__name__ == "BertLayer":
                module.register_forward_hook(lambda *_, name=name: calls.append(name))
    readings.predict("the film was good")
    assert calls == ["polarity"] * 3 + ["emotions"]


def test_a_file_gains_the_columns_of_all(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nthe film was good\nawful\n")
    asked = f"{runs['polarity']},{runs['emotions']}"
    result = CliRunner().invoke(
        app, ["score", asked, str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv")]
    )
    assert result.exit_code == 0, result.output
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    alone = Classifier.load(runs["emotions"], runtime="torch").predict(["the film was good", "awful"])
    assert [row["emotions_labels"] for row in rows] == [answer.row()["labels"] for answer in alone]
    assert list(rows[0])[:3] == ["text", "polarity_label", "polarity_score"]


def test_runs_that_read_texts_differently_are_refused(
    runs: dict[str, Path], toy_run: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"toy: another base than that of .*polarity.*hint: nlpkit score"):
        Readings.load([runs["polarity"], toy_run])
    with pytest.raises(ConfigError, match="at least two runs of different names, found polarity, polarity"):
        Readings.load([runs["polarity"], runs["polarity"]])


def test_a_run_without_shared_layers_is_named(runs: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("text\nfine\n")
    asked = f"{runs['polarity']},{runs['intensity']}"
    result = CliRunner().invoke(
        app, ["score", asked, str(tmp_path / "in.csv"), "-o", str(tmp_path / "out.csv")]
    )
    assert "intensity shares no layers with polarity" in result.stderr


def test_a_scoring_that_breaks_off_resumes_to_the_same_bytes(
    runs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_csv(tmp_path / "in.csv", sentences(60, seed=8), ("text", "truth"))
    predictor = Readings.load([runs["polarity"], runs["emotions"]])
    score_file(predictor, source, tmp_path / "whole.csv", chunk_rows=20)
    real, calls = Readings.predict, []

    def breaking(self: Readings, texts: list[str]) -> object:
        calls.append(len(texts))
        if len(calls) == 2:
            raise RuntimeError("broken on purpose")
        return real(self, texts)

    monkeypatch.setattr(Readings, "predict", breaking)
    with pytest.raises(RuntimeError, match="on purpose"):
        score_file(predictor, source, tmp_path / "out.csv", chunk_rows=20)
    monkeypatch.undo()
    assert score_file(predictor, source, tmp_path / "out.csv", chunk_rows=20).resumed_from == 20
    assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
