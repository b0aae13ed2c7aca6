"""Intents: labels, and texts that belong to none of them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from demo.guard import DemoLimits
from demo.score_pages import text_page
from demo.scoring import score_upload
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.export import export_run
from nlpkit.classifiers.export_record import ExportRecord
from nlpkit.data.examples import LabeledText
from nlpkit.data.records import Record
from nlpkit.errors import DataError
from nlpkit.evaluation.evaluate import evaluate
from nlpkit.metrics.labels import ACCURACY
from nlpkit.metrics.outside import OUTSIDE_METRICS
from nlpkit.reports.label_sections import Rows, confusion
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.scoring.score import score_file
from nlpkit.settings.data import DataSource
from nlpkit.settings.training import ClassifierTraining
from nlpkit.tasks.intents import Intents
from nlpkit.tasks.scope import certainty, fit_scope
from tests.conftest import train_toy, write_csv

TWO = Intents(labels=("pay", "send"), outside="other")


def texts(*labels: str) -> list[LabeledText]:
    return [LabeledText(text=f"text {number}", label=label) for number, label in enumerate(labels)]


def test_labels_are_those_of_the_data_without_the_one_for_outside() -> None:
    fitted = Intents(outside="other").fit(texts("send", "pay", "other"))
    assert (fitted.labels, fitted.learns_outside) == (("pay", "send"), True)
    assert fitted.head.names == ("pay", "send", "other")
    assert Intents(outside="other").fit(texts("send", "pay")).head.names == ("pay", "send")
    with pytest.raises(DataError, match="at least two besides 'other'"):
        Intents(outside="other").fit(texts("send", "other"))


def test_outside_is_no_unknown_label() -> None:
    source = DataSource(source="a.csv")

    def parse(label: str) -> LabeledText:
        return TWO.parse(Record(fields={"text": "hi", "label": label}, file="a.csv", row=2), source)

    assert parse("other").label == "other"
    with pytest.raises(DataError, match=r"row 2.*'sent', which the task does not have; did you mean 'send'"):
        parse("sent")


def test_a_text_outside_that_is_not_learned_has_no_loss() -> None:
    loss = TWO.family.loss(ClassifierTraining(), [])
    targets = torch.tensor([TWO.family.target(row) for row in texts("send", "other")])
    assert loss(torch.zeros(2, 2), targets).tolist() == pytest.approx([0.6931, 0], abs=1e-4)


def test_certainty_by_hand() -> None:
    logits = np.log([[6.0, 3.0, 1.0]])
    assert certainty("probability", logits, 2) == pytest.approx([0.6])
    assert certainty("logit", logits, 2) == pytest.approx([np.log(6)])  # less ln 1 of the output for outside
    assert certainty("energy", logits, 2) == pytest.approx([np.log(9)])
    assert certainty("energy", logits[:, :2], 2) == pytest.approx([np.log(9)])


def test_the_threshold_keeps_to_the_rate_of_false_alarms_and_the_best_score_is_chosen() -> None:
    draw = np.random.default_rng(0)
    inside = np.arange(500) < 400
    # Inside, one output is high; outside, none: the highest output tells them apart
    logits = draw.normal(size=(500, 5))
    logits[inside, draw.integers(5, size=400)] += 5
    scope = fit_scope(logits, inside, 5, false_alarms=0.05)
    refused = certainty(scope.score, logits, 5) < scope.threshold
    assert refused[inside].mean() == scope.false_alarms <= 0.05
    assert refused[~inside].mean() == scope.recall > 0.9
    # No row lies so near the threshold that the rounding of an export could move it across
    assert abs(certainty(scope.score, logits, 5) - scope.threshold).min() > 1e-4
    assert fit_scope(logits[inside], inside[inside], 5, false_alarms=0.05).recall is None
    assert fit_scope(logits[inside], inside[inside], 5, false_alarms=0.0).false_alarms == 0
    # 1.3% of 400 rows are five and a bit: a sixth would be too many
    assert fit_scope(logits, inside, 5, false_alarms=0.013).false_alarms == 5 / 400


def test_below_the_threshold_the_answer_is_outside() -> None:
    scope = fit_scope(
        np.array([[4.0, 0], [0, 4.0], [0, 0], [0.1, 0]]), np.array([1, 1, 0, 0], bool), 2, false_alarms=0
    )
    task = TWO.model_copy(update={"scope": scope})
    sure, unsure = task.decode(np.array([[0.0, 5.0], [0.1, 0.1]]), [])
    assert (sure.label, unsure.label) == ("send", "other")
    assert list(unsure.probabilities) == ["pay", "send", "other"]
    assert sum(unsure.probabilities.values()) == pytest.approx(1)
    assert unsure.probabilities["other"] > 0.5 > sure.probabilities["other"]
    outcomes = task.family.outcomes(texts("send", "pay"), [sure, unsure])
    values = {metric.name: metric.value(outcomes) for metric in (ACCURACY, *OUTSIDE_METRICS)}
    assert values == {
        "accuracy": 0.5,
        "inside_accuracy": 0.5,
        "outside_recall": None,
        "false_alarms": 0.5,
        "outside_auroc": None,
    }


def test_many_labels_are_shown_by_their_commonest_mistakes() -> None:
    labels = tuple(f"label {number}" for number in range(40))
    family = Intents(labels=labels).family
    rows = texts("label 0", "label 0", "label 0", "label 7")
    answers = [
        LabeledText(text="", label=name).label for name in ("label 3", "label 3", "label 0", "label 1")
    ]
    logits = np.stack([10 * (np.array(labels) == name) for name in answers])
    section = confusion(family.outcomes(rows, family.decode(logits)), Rows())
    assert section.rows[0] == ("label 0", "label 3", 2, pytest.approx(0.667))
    assert len(section.rows) == 2


CONFIG = """
recipe: sentiment
name: intents
task: {{kind: intents, outside: other, false_alarms: 0.1}}
data: {{train: [{{source: {data}}}], validation: 0.25, test: 0.25, near_duplicates: 1.0}}
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 4, alpha: 16}}
training: {{epochs: 8, batch_size: 16, lr: 0.01, evaluations: 3}}
output: {output}
"""


@pytest.fixture(scope="module")
def intents(tmp_path_factory: pytest.TempPathFactory, tiny_base: Path) -> Path:
    """A run on two words that have a label and one that has none."""
    folder = tmp_path_factory.mktemp("intents")
    words = {"good": "praise", "bad": "complaint", "story": "other"}
    rows = [
        (f"{'the ' * (number % 7)}{word} {'film ' * (number % 5)}{'very ' * (number % 3)}", label)
        for number in range(105)
        for word, label in words.items()
    ]
    config = folder / "intents.yaml"
    data = write_csv(folder / "rows.csv", rows)
    config.write_text(CONFIG.format(data=data, base=tiny_base, output=folder / "runs"))
    return train_toy(config)[0]


def test_a_tiny_model_knows_what_it_does_not_know(intents: Path) -> None:
    answers = Classifier.load(intents).predict(["the good film", "bad film very", "the story very"])
    assert [answer.label for answer in answers] == ["praise", "complaint", "other"]
    report = Report.from_json((intents / "evaluation" / "test.json").read_text())
    assert report.scores["outside_recall"].value > 0.8
    assert report.scores["false_alarms"].value < 0.2
    assert "a text belongs to none of them, it answers other" in (intents / "README.md").read_text()


TEXTS = ("the good film", "bad film very", "the story very")


def test_it_is_evaluated_and_scored_as_any_run(intents: Path, tmp_path: Path) -> None:
    rows = write_csv(tmp_path / "new.csv", list(zip(TEXTS, ("praise", "complaint", "other"), strict=True)))
    report = evaluate(Run.open(intents), DataSource(source=str(rows)))
    assert report.scores["inside_accuracy"].value == report.scores["outside_recall"].value == 1.0
    score_file(Classifier.load(intents), rows, tmp_path / "scored.csv", prefix="m_")
    with (tmp_path / "scored.csv").open(newline="") as stream:
        scored = list(csv.DictReader(stream))
    assert [row["m_label"] for row in scored] == ["praise", "complaint", "other"]
    assert float(scored[2]["m_p_other"]) > 0.5 > float(scored[0]["m_p_other"])


def test_the_demo_says_plainly_that_no_label_fits(intents: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(intents)
    pages = [text_page(classifier.shown(answer), partial=False) for answer in classifier.predict(TEXTS)]
    assert ["none of the labels fits" in page for page in pages] == [False, False, True]
    rows = write_csv(tmp_path / "new.csv", list(zip(TEXTS, ("praise", "praise", "other"), strict=True)))
    scored = score_upload(classifier, rows, tmp_path / "out", column="text", limits=DemoLimits())
    assert scored.labels == {"complaint": 1, "other": 1, "praise": 1}
    assert scored.truth is not None
    assert scored.truth.counts[("other", "other")] == 1


def test_of_many_labels_the_likeliest_are_shown() -> None:
    labels = tuple(f"label {number}" for number in range(40))
    (answer,) = Intents(labels=labels).decode(np.arange(40.0)[None], [])
    shown = Intents(labels=labels).family.shown(answer)
    assert [name for name, _ in shown.shares] == [f"label {number}" for number in range(39, 33, -1)]


def test_an_export_answers_as_it_does(intents: Path, tmp_path: Path) -> None:
    folder = export_run(Run.open(intents), "onnx", tmp_path / "onnx")
    parity = ExportRecord.read(folder).parity
    assert parity is not None
    assert (parity.source, parity.changed_labels, parity.failures) == ("held-out rows", 0, ())
    assert [answer.label for answer in Classifier.load(folder).predict(TEXTS)] == [
        "praise",
        "complaint",
        "other",
    ]
