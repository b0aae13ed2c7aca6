"""Aspect polarity: a text and an aspect are read together, in training, scoring, evaluation and export."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nlpkit.chat.sentiment import has_sentiment
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.export import export_run
from nlpkit.classifiers.export_record import ExportRecord
from nlpkit.classifiers.parity import held_out
from nlpkit.data.examples import TextInput
from nlpkit.data.records import Record
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.evaluation.held_out import evaluate
from nlpkit.run import Run
from nlpkit.scoring.score import score_file
from nlpkit.settings.data import DataSource
from nlpkit.tasks.aspect_polarity import AspectPolarity
from nlpkit.trust.calibration_rows import calibration_rows
from tests.conftest import make_base, train_toy

TASK = AspectPolarity(labels=("negative", "neutral", "positive"))
GOOD, BAD = ("pizza", "staff"), ("story", "place")
TEXT = "the pizza and the story"


def parse(**fields: object) -> object:
    record = Record(fields={"text": TEXT, "label": "positive", **fields}, file="a.csv", row=7)
    return TASK.parse(record, DataSource(source="a.csv"))


def test_a_row_is_a_text_with_its_aspect() -> None:
    example = parse(aspect=" pizza ")
    assert TASK.input(example) == TextInput(text=TEXT, about="pizza")
    assert TASK.input(parse(aspect=3)).about == "3"  # a category may be a number
    for fields, message in (
        ({}, "column 'aspect': expected a name or a number, found nothing"),
        ({"aspect": "  "}, "column 'aspect': expected a name or a number"),
        ({"aspect": "pizza", "label": "great"}, "'great', which the task does not have"),
    ):
        with pytest.raises(DataError, match=f"^a.csv, row 7.*{message}"):
            parse(**fields)


def test_labels_are_put_in_order() -> None:
    examples = [parse(aspect="pizza", label=label) for label in ("positive", "negative", "neutral")]
    fitted = AspectPolarity().fit(examples)
    assert (fitted.labels, fitted.ordered) == (TASK.labels, True)


CONFIG = """
recipe: sentiment
name: towards
task: {{kind: aspect_polarity}}
data: {{train: {data}, validation: 0.2, test: 0.2, near_duplicates: 1.0}}
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 4, alpha: 16}}
training: {{epochs: 4, batch_size: 16, lr: 0.02, evaluations: 2}}
output: {output}
"""


@pytest.fixture(scope="module")
def towards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of rows whose label depends on their aspect alone: each text stands there with both labels."""
    folder = tmp_path_factory.mktemp("towards")
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("text", "aspect", "label"))
        for number in range(60):
            good, bad = GOOD[number % 2], BAD[number // 2 % 2]
            text = f"{'very ' * (number % 15)}the {good} and the {bad}"
            writer.writerows([(text, good, "positive"), (text, bad, "negative")])
    base = make_base(folder / "base", words=[*GOOD, *BAD, "the", "and", "very"])
    config = folder / "towards.yaml"
    config.write_text(CONFIG.format(data=folder / "rows.csv", base=base, output=folder / "runs"))
    return train_toy(config)[0]


def test_a_file_is_scored_with_the_aspect_of_each_row(towards: Path, tmp_path: Path) -> None:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text(f"text,about\n{TEXT},pizza\n{TEXT},story\n{TEXT},\n")
    classifier = Classifier.load(towards)
    with pytest.raises(ConfigError, match=r"no column 'aspect'.*asked about an aspect.*with --aspect"):
        score_file(classifier, source, target)
    with pytest.raises(DataError, match="row 3, column 'about': expected a name or a number, found nothing"):
        score_file(classifier, source, target, aspect="about")
    options = {"aspect": "about", "on_error": "skip"}
    score_file(classifier, source, target, **options)
    with target.open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["about"], row["label"]) for row in rows] == [("pizza", "positive"), ("story", "negative")]
    assert float(rows[0]["score"]) > 0.5 > -0.5 > float(rows[1]["score"])
    with pytest.raises(ConfigError, match=r"standard input: this model reads an aspect with each text"):
        score_file(classifier, "-", target, format="csv", overwrite=True)


def test_a_text_without_an_aspect_is_refused(towards: Path) -> None:
    classifier = Classifier.load(towards)
    (answer,) = classifier.predict([TextInput(text=TEXT, about="staff")])
    assert answer.label == "positive"
    with pytest.raises(DataError, match=r"'the pizza and the story' comes without the aspect.*--aspect"):
        classifier.predict(TEXT)
    assert not has_sentiment(classifier)  # a message of a chat has no aspect
    with pytest.raises(RunError, match="reads an aspect with each text"):
        calibration_rows(Run.open(towards), classifier)


def test_another_model_takes_no_aspect(toy_run: Path, tmp_path: Path) -> None:
    source = tmp_path / "in.csv"
    source.write_text("text,aspect\ngood,food\n")
    with pytest.raises(ConfigError, match="--aspect: this model reads each text alone; hint: leave out"):
        score_file(Classifier.load(toy_run), source, tmp_path / "out.csv", aspect="aspect")


def test_it_is_evaluated_exported_and_described(towards: Path, tmp_path: Path) -> None:
    held = tmp_path / "held.csv"
    held.write_text(f"text,on,label\n{TEXT},pizza,positive\n{TEXT},story,negative\n{TEXT},place,positive\n")
    report = evaluate(towards, held, aspect="on")
    assert report.scores["accuracy"].value == pytest.approx(2 / 3)
    inputs = held_out(Run.open(towards)).texts
    assert {given.about for given in inputs if isinstance(given, TextInput)} == {*GOOD, *BAD}
    parity = ExportRecord.read(export_run(Run.open(towards), "merged", tmp_path / "merged")).parity
    assert parity is not None
    assert (parity.failures, parity.rows) == ((), len(inputs))
    assert "`[CLS] aspect [SEP] text [SEP]`" in (towards / "README.md").read_text()
