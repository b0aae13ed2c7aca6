"""Emotions: what a row means, what the head's numbers become, and the whole path on a tiny model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from demo.guard import DemoLimits
from demo.score_pages import file_page, text_page
from demo.scoring import score_upload
from demo.text_scorer import score_text
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.export import export_run
from nlpkit.classifiers.export_record import ExportRecord
from nlpkit.data.examples import LabelSetText
from nlpkit.data.records import Record
from nlpkit.data.splits import split
from nlpkit.errors import DataError
from nlpkit.evaluation.data_check import check
from nlpkit.evaluation.evaluate import evaluate
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.scoring.score import score_file
from nlpkit.settings.data import DataSource
from nlpkit.settings.training import LabelSetTraining
from nlpkit.tasks.answers.differences import Limits
from nlpkit.tasks.emotions import Emotions
from nlpkit.tasks.prediction import Prediction
from tests.conftest import make_base, sentences, train_toy

THREE = Emotions(labels=("joy", "love", "grief"))


def record(**fields: object) -> Record:
    return Record(fields={"text": "fine", **fields}, file="a.csv", row=7)


def source(**settings: object) -> DataSource:
    return DataSource(source="a.csv", **settings)


@pytest.mark.parametrize(
    ("held", "labels"),
    [
        ("joy,love", ("joy", "love")),
        (" joy , love ,", ("joy", "love")),
        ('["joy", "love"]', ("joy", "love")),
        ("['joy', 'love']", ("joy", "love")),  # as pandas writes a list
        (["love", "joy", "love"], ("love", "joy")),
        ("", ()),
        ([], ()),
        (None, ()),
    ],
)
def test_labels_stand_in_a_list_or_in_text(held: object, labels: tuple[str, ...]) -> None:
    assert THREE.parse(record(label=held), source()).labels == labels


def test_another_separator_and_other_names() -> None:
    mapped = source(separator="|", labels={"3": "joy", "7": "grief"})
    assert THREE.parse(record(label="3|7"), mapped).labels == ("joy", "grief")


def test_a_column_for_each_label() -> None:
    columns = source(label_columns=["joy", "love", "grief"])
    assert THREE.parse(record(joy="1", love=0, grief=True), columns).labels == ("joy", "grief")
    with pytest.raises(DataError, match="row 7: column 'love' holds 'maybe'; expected 0 or 1"):
        THREE.parse(record(joy="1", love="maybe", grief=""), columns)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ("joi", "row 7: column 'label' holds the label 'joi'.*did you mean 'joy'"),
        (0.5, "row 7: column 'label' holds '0.5'; expected a list of labels"),
        ({"joy": 1}, "expected a list of labels"),
        ([["joy"]], "in its list; expected names of labels"),
        ("[joy, love", "holds no whole list"),
    ],
)
def test_what_is_no_list_of_labels_is_refused(held: object, message: str) -> None:
    with pytest.raises(DataError, match=message):
        THREE.parse(record(label=held), source())


def test_labels_are_found_in_the_data_and_spellings_refused() -> None:
    rows = [LabelSetText(text="a", labels=("love", "joy")), LabelSetText(text="b", labels=())]
    assert Emotions().fit(rows).labels == ("joy", "love")
    with pytest.raises(DataError, match="one label is written in several ways"):
        Emotions().fit([*rows, LabelSetText(text="c", labels=("Joy",), where="a.csv, row 3")])
    with pytest.raises(DataError, match="hold no label"):
        Emotions().fit([LabelSetText(text="c", labels=())])
    with pytest.raises(DataError, match=r"'joy, great' holds a comma.*hint: give it another name"):
        Emotions().fit([LabelSetText(text="c", labels=("joy, great",))])


def test_preflight_refuses_a_label_that_no_row_or_every_row_has() -> None:
    rows = [LabelSetText(text="a", labels=("joy",)), LabelSetText(text="b", labels=("joy", "love"))]
    with pytest.raises(DataError, match="'joy': every row has it"):
        Emotions(labels=("joy", "love")).family.preflight(rows, rows, LabelSetTraining())
    with pytest.raises(DataError, match="'grief': no row has it"):
        Emotions(labels=("grief",)).family.preflight(rows, rows, LabelSetTraining())


def test_decoding_gives_labels_above_their_thresholds_the_likeliest_first() -> None:
    task = THREE.model_copy(update={"slope": 2.0, "offset": -1.0, "thresholds": (0.5, 0.2, 1.0)})
    (answer,) = task.decode(np.array([[0.6, 1.0, 9.0]]), [])
    chances = 1 / (1 + np.exp([-0.2, -1.0, -17.0]))
    assert answer.labels == ("love", "joy")
    assert list(answer.probabilities.values()) == pytest.approx(chances.tolist())
    assert answer.row()["labels"] == "love, joy"
    assert list(answer.row()) == list(task.family.columns)


def test_losses_by_hand() -> None:
    logits, targets = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    family = Emotions(labels=("joy", "love")).family

    def loss(imbalance: str, rows: list[list[float]]) -> float:
        return float(family.loss(LabelSetTraining(imbalance=imbalance), rows)(logits, targets))

    half = np.log(2)
    assert loss("none", []) == pytest.approx(half)
    # one row of ten has the first label: its loss weighs the root of 9
    assert loss("balanced", [[1, 0], *[[0, 1]] * 9]) == pytest.approx((3 * half + half) / 2)
    # the negative counts (0.5 - 0.05) ** 4 of -ln(1 - 0.45)
    assert loss("asymmetric", []) == pytest.approx((half - 0.45**4 * np.log(0.55)) / 2, abs=1e-6)


def test_a_split_spreads_the_rarest_labels() -> None:
    rows = [
        LabelSetText(text=f"row number {number} of all", labels=("joy",) + ("grief",) * (number % 20 == 0))
        for number in range(200)
    ]
    parts = split(rows, THREE.family, validation=0.2, test=0.2, seed=0, near_duplicates=1.0)
    every = (parts.train, parts.validation, parts.test)
    assert [sum("grief" in row.labels for row in part) for part in every] == [6, 2, 2]


def test_an_export_may_not_change_labels() -> None:
    def answers(*labels: tuple[str, ...]) -> list[Prediction]:
        return [Prediction(labels=names) for names in labels]

    limits = Limits(changed=0.1, difference=None, accuracy=0.0, value=0.0)
    before, after = answers(("joy", "love"), ("grief",)), answers(("love", "joy"), ())
    found = THREE.family.parity(before, after, ["love, joy", "grief"], limits)
    assert found.changed == 0.5
    assert (found.accuracy, found.exported_accuracy) == (1.0, 0.5)
    assert found.failures[0] == "50.00% of the labels change, 10.00% are allowed"


SAD, BOTH, NEITHER = "this food is very that sad", "a film the story was sad lovely", "the place is a very"

CONFIG = """
recipe: sentiment
name: feelings
task: {{kind: emotions}}
data:
  train: [{{source: {data}, label: labels}}]
  validation: 0.3
  test: 0.2
  near_duplicates: 1.0
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 4, alpha: 16}}
training: {{epochs: 12, batch_size: 16, lr: 0.01, evaluations: 3}}
output: {output}
"""


@pytest.fixture(scope="module")
def feelings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Texts with "sad" or "lovely" among other words: a label for each word, and often both or none."""
    folder = tmp_path_factory.mktemp("feelings")
    rows = []
    for number, (text, _) in enumerate(sentences(600)):
        words = [word for word, every in (("sad", 2), ("lovely", 3)) if number % every == 0]
        plain = [word for word in text.split() if word not in ("sad", "lovely")]
        labels = [{"sad": "sadness", "lovely": "love"}[word] for word in words]
        rows.append({"text": " ".join([*plain, *words]), "labels": labels})
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps(row) + "\n" for row in rows))
    config = folder / "feelings.yaml"
    base = make_base(folder / "base", hidden=32)
    config.write_text(CONFIG.format(data=data, base=base, output=folder / "runs"))
    return train_toy(config)[0]


def test_a_tiny_model_learns_both_labels_and_none(feelings: Path) -> None:
    sad, both, none = Classifier.load(feelings).predict([SAD, BOTH, NEITHER])
    assert (sad.labels, set(both.labels or ()), none.labels) == (("sadness",), {"sadness", "love"}, ())
    report = Report.from_json((feelings / "evaluation" / "test.json").read_text())
    assert report.scores["macro_f1"].value > 0.8
    assert {section.id for section in report.sections} >= {"labels", "together", "reliable"}
    page = (feelings / "report.html").read_text()
    assert "Labels that come together" in page
    assert "love + sadness" in page
    card = (feelings / "README.md").read_text()
    assert "any of 2 labels, or none" in card


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing")  # of transformers
def test_the_lines_of_its_card_answer_as_it_does(
    feelings: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(feelings)
    code = (feelings / "README.md").read_text().split("```python\n")[1].split("```")[0]
    exec(code.replace("Not what I expected, and all the better for it.", BOTH), {})  # noqa: S102
    assert capsys.readouterr().out.startswith("[['love', 'sadness']]")


def test_it_is_evaluated_and_scored_as_any_run(feelings: Path, tmp_path: Path) -> None:
    rows = tmp_path / "new.csv"
    rows.write_text(f'text,labels\n{SAD},sadness\n{BOTH},"love,sadness"\n{NEITHER},\n')
    report = evaluate(Run.open(feelings), DataSource(source=str(rows), label="labels"))
    assert report.scores["exact"].value == 1.0
    assert report.baselines[0].name == "always answering sadness"
    scored = tmp_path / "scored.csv"
    score_file(Classifier.load(feelings), rows, scored, prefix="m_")
    with scored.open(newline="") as stream:
        answers = [set(row["m_labels"].split(", ")) for row in csv.DictReader(stream)]
    assert answers == [{"sadness"}, {"love", "sadness"}, {""}]


def test_the_demo_counts_each_label_of_a_text_by_itself(feelings: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(feelings)
    page = text_page(classifier.shown(score_text(classifier, BOTH, DemoLimits())), partial=False)
    assert "sadness, love" in page or "love, sadness" in page
    file = tmp_path / "new.csv"
    file.write_text(f"text,note\n{SAD},joy\n{BOTH},\n{NEITHER},\n{SAD},\n")
    scored = score_upload(classifier, file, tmp_path / "out", column="text", limits=DemoLimits())
    assert scored.labels == {"love": 1, "sadness": 3, "none of the labels": 1}
    page = file_page(scored)
    assert "Rows that have each label; a row may have several" in page
    assert "sadness (75%)" in page
    assert scored.truth is None


def test_an_export_answers_as_it_does(feelings: Path, tmp_path: Path) -> None:
    folder = export_run(Run.open(feelings), "onnx", tmp_path / "onnx")
    parity = ExportRecord.read(folder).parity
    assert parity is not None
    assert (parity.source, parity.changed_labels, parity.failures) == ("held-out rows", 0, ())
    assert parity.accuracy == parity.exported_accuracy
    texts = [SAD, BOTH, NEITHER]
    before, after = Classifier.load(feelings, runtime="torch"), Classifier.load(folder)
    for old, new in zip(before.predict(texts), after.predict(texts), strict=True):
        assert old.labels == new.labels
        assert old.probabilities == pytest.approx(new.probabilities, abs=1e-4)


def test_its_data_is_checked_label_by_label(feelings: Path) -> None:
    found = check(str(feelings.parents[1] / "rows.jsonl"), label="labels")
    assert found.parts["data"].labels == {"sadness": 300, "love": 200}
