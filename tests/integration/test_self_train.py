"""A run that labels texts for itself learns from them, says so, and goes on where it was killed."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, DataError
from nlpkit.run import Run
from nlpkit.training.runs import Progress, TrainOptions
from nlpkit.training.train import read_training
from tests.conftest import sentences, train_toy, write_csv
from tests.outputs import has_shape, output

pytestmark = pytest.mark.integration

CONFIG = """
recipe: sentiment
name: own
task: {{kind: polarity, labels: [negative, positive]}}
data: {{train: {train}, validation: {held}, test: {test}, near_duplicates: 1.0}}
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 4, alpha: 16}}
training: {{epochs: 4, batch_size: 16, lr: 0.01, evaluations: 1}}
self_training:
  unlabelled: {texts}
  rounds: 1
  share: 0.5
  min_probability: 0.51
  near_held_out: 1.0
output: {output}
"""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    folder = tmp_path_factory.mktemp("self")
    pairs = sentences(240, seed=5)
    parts = {"train": pairs[:16], "held": pairs[16:76], "test": pairs[76:136]}
    files = {name: write_csv(folder / f"{name}.csv", rows) for name, rows in parts.items()}
    texts = folder / "texts.csv"
    with texts.open("w", newline="", encoding="utf-8") as stream:
        # A held-out text and a labeled one are among them
        unlabeled = [pairs[20][0].upper() + "!", pairs[0][0], *(text for text, _ in pairs[136:])]
        csv.writer(stream).writerows([["text"], *([text] for text in unlabeled)])
    path = folder / "own.yaml"
    path.write_text(
        CONFIG.format(**files, texts=texts, base=tiny_base, output=folder / "runs"), encoding="utf-8"
    )
    return path


@pytest.fixture(scope="module")
def trained(config: Path) -> tuple[Run, list[str]]:
    said: list[str] = []
    return Run(train_toy(config, said=said)[0]), said


def test_it_learns_from_its_own_labels_and_reports_each_round(trained: tuple[Run, list[str]]) -> None:
    run, said = trained
    record, texts = run.read().data["self_training"], run.read().data["unlabelled"]  # an old name
    assert (texts["rows"], texts["near_held_out_dropped"], texts["repeated_dropped"]) == (104, 1, 1)
    first, second = record["rounds"]
    assert first["score"]["count"] == second["score"]["count"] == 60
    assert record["kept"] == int(second["score"]["value"] > first["score"]["value"])
    assert all(0 < label["taken"] <= label["most"] == 26 for label in second["labels"].values())
    assert run.read().data["rows"] == {"train": 16, "validation": 60, "test": 60}
    lines = "\n".join(said)
    assert has_shape(lines, output("docs/adaptation.md", 0)), lines
    assert "1 texts without labels that stand, nearly equal, in the held-out ones; 1 that repeat" in lines
    assert "rows       16 to train on, 60 to choose on" in lines
    assert f"rows       {16 + sum(each['taken'] for each in second['labels'].values())} to train on" in lines
    assert f"Round {record['kept']} is kept, which learned" in lines
    taken = record["kept"] * sum(each["taken"] for each in second["labels"].values())
    assert ("labeled by the run" in run.card.read_text(encoding="utf-8")) == bool(taken)
    page = (run.evaluation / "test.md").read_text(encoding="utf-8")
    assert "Self-training" in page
    assert "Texts that the run labeled" in page
    assert not run.checkpoints.exists()
    report = json.loads((run.evaluation / "validation.json").read_text(encoding="utf-8"))
    assert report["scores"]["macro_f1"]["value"] == pytest.approx(
        record["rounds"][record["kept"]]["score"]["value"]
    )
    assert Classifier.load(run).predict("a good film")[0].label in ("negative", "positive")


def test_killed_in_a_round_it_trains_no_round_that_is_completed_again(
    config: Path, trained: tuple[Run, list[str]], tmp_path: Path
) -> None:
    begun: list[int] = []

    def stop(step: Progress) -> None:
        begun.append(step.done)
        if begun.count(2) == 2:  # the second step of round 1
            raise KeyboardInterrupt

    def train(*more: str, progress: Callable[[Progress], None] = lambda step: None) -> list[str]:
        said: list[str] = []
        options = TrainOptions(talk=said.append, progress=progress, report=False)
        read_training(config, [f"output={tmp_path}", *more]).train(options)
        return said

    with pytest.raises(KeyboardInterrupt):
        train(progress=stop)
    run = Run(tmp_path / "own")
    assert Run(run.checkpoints / "round-0").is_completed
    assert not Run(run.checkpoints / "round-1").is_completed
    with pytest.raises(ConfigError, match="an unfinished training with other data, settings"):
        train("self_training.share=0.3")
    said = train()
    assert said.count("round 0: trained already") == 1
    assert "104 of 104 texts are labeled already" in said
    weights = [each.adapter / "adapter_model.safetensors" for each in (run, trained[0])]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert train() == [f"{run.path}: trained already"]


def test_nothing_to_learn_from_is_refused(config: Path, tmp_path: Path) -> None:
    given = [f"output={tmp_path}", "training.max_steps=1"]
    with pytest.raises(DataError, match=r"none of 104 texts has a label .* hint: .*min_probability=0"):
        train_toy(config, *given, "self_training.min_probability=0.999")
    held = config.parent / "held.csv"
    with pytest.raises(DataError, match="all 60 texts are equal or near-equal"):
        train_toy(config, *given, f"self_training.unlabelled={held}")
    train = config.parent / "train.csv"
    with pytest.raises(DataError, match="all 16 texts stand among the labeled"):
        train_toy(config, *given, f"self_training.unlabelled={train}")


def test_check_reports_the_plan_and_writes_nothing(config: Path, tmp_path: Path) -> None:
    said: list[str] = []
    assert train_toy(config, f"output={tmp_path / 'none'}", check=True, said=said) == []
    assert any("104 texts: round 1 takes up to 50% of them, round 2 twice as many" in line for line in said)
    assert any("16 to train on, 60 to choose on" in line for line in said)
    assert not (tmp_path / "none").exists()
