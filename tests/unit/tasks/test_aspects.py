"""Aspects: what a row means, what the head's numbers become, and the whole path on a tiny model."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from typer.testing import CliRunner

from demo.score_pages import text_page
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.export import export_run
from nlpkit.classifiers.export_record import ExportRecord
from nlpkit.cli.app import app
from nlpkit.data.examples import Opinion, Span
from nlpkit.data.records import Record, read_records
from nlpkit.errors import DataError
from nlpkit.evaluation.evaluate import evaluate
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.scoring.score import score_file
from nlpkit.settings.data import DataSource
from nlpkit.tasks.aspects import Aspects
from nlpkit.trust.answer_columns import RANKS, is_true, matrices
from tests.conftest import make_base, train_toy

TASK = Aspects(labels=("negative", "positive"))

TEXT = "the pizza is great"


def record(triplets: object, text: str = TEXT) -> Record:
    return Record(fields={"text": text, "triplets": triplets}, file="a.jsonl", row=7)


def source(**settings: object) -> DataSource:
    return DataSource(source="a.jsonl", **settings)


GREAT = Opinion(aspect=Span(start=4, end=9), opinion=Span(start=13, end=18), polarity="positive")


@pytest.mark.parametrize(
    ("held", "settings"),
    [
        ([{"aspect": [1], "opinion": [3], "polarity": "positive"}], {}),
        ("[([1], [3], 'POS')]", {"labels": {"POS": "positive"}}),
        ([[[1], [3], "positive"]] * 2, {}),
        ([[[4, 9], [13, 18], "positive"]], {"positions": "characters"}),
        ([[[3, 10], [12, 18], "positive"]], {"positions": "characters"}),  # with the space around
        ([{"aspect": "pizza", "opinion": {"text": "great"}, "polarity": "positive"}], {}),
        (
            [
                {
                    "aspect": {"start": 4, "end": 9, "text": "pizza"},
                    "opinion": {"start": 13, "end": 18},
                    "polarity": "positive",
                }
            ],
            {},
        ),
    ],
)
def test_spans_by_tokens_characters_or_words(held: object, settings: dict[str, object]) -> None:
    assert TASK.parse(record(held), source(**settings)).opinions == (GREAT,)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        (
            [[[1], [4], "positive"]],
            r"the opinion words has the tokens \[4\], which lie outside the text of 4",
        ),
        ([[[3, 1], [3], "positive"]], r"the aspect has the tokens \[3, 1\], which do not follow one another"),
        ([[{"start": 9, "end": 4}, [3], "positive"]], "the aspect is reversed: 9 to 4"),
        ([[{"start": 4, "end": 4}, [3], "positive"]], "the aspect is empty: 4 to 4"),
        ([[{"start": 4, "end": 90}, [3], "positive"]], "4 to 90, lies outside the text of 18 characters"),
        ([[{"start": -2, "end": 3}, [3], "positive"]], "-2 to 3, lies outside the text"),
        ([[{"start": 4, "end": 9, "text": "pasta"}, [3], "positive"]], "is 'pasta', but the characters 4"),
        ([["pasta", [3], "positive"]], "the aspect 'pasta' does not stand in the text"),
        ([["e", [3], "positive"]], r"'e' stands in the text more than once.*\"start\": 2"),
        ([[[1], [3], "posative"]], "'posative', which the task does not have.*did you mean 'positive'"),
        (
            [[[1], [3], "positive"], [[1], [3], "negative"]],
            "is 'negative', and the same spans are 'positive'",
        ),
        ([[[1], [], "positive"]], "has no opinion words; hint: find aspects alone, with task.find: terms"),
        ([{"aspect": [1]}], "lacks 'polarity'"),
        ([7], "opinion 1 of column 'triplets' is '7'"),
        ("great", "holds 'great'; expected a list of opinions"),
        ([[["1"], [3], "positive"]], r"expected the positions of its tokens"),
    ],
)
def test_what_is_no_span_of_the_text_is_refused_with_file_and_row(held: object, message: str) -> None:
    with pytest.raises(DataError, match=f"^a.jsonl, row 7: .*{message}"):
        TASK.parse(record(held), source())


def test_offsets_count_python_characters() -> None:
    text = "👩‍🍳 cafe\u0301 was great"
    (opinion,) = TASK.parse(record([["cafe\u0301", "great", "positive"]], text), source()).opinions
    assert (opinion.aspect, text[opinion.aspect.start : opinion.aspect.end]) == (
        Span(start=4, end=9),
        "cafe\u0301",
    )


FOOD, GOOD, BAD = ("pizza", "food", "story", "place"), ("good", "great", "lovely"), ("bad", "awful", "poor")
FILLER = ("the", "a", "this", "very", "is", "was", "and", "that")

CONFIG = """
recipe: sentiment
name: opinions
task: {{kind: aspects{find}}}
data:
  train: {data}
  validation: 0.2
  test: 0.2
  near_duplicates: 1.0
base: {{source: {base}, dropout: 0.0}}
lora: {{rank: 8, alpha: 32}}
training: {{epochs: {epochs}, batch_size: 16, lr: 0.01, evaluations: 3}}
output: {output}
"""


def rows_of(count: int, seed: int = 0) -> list[dict[str, object]]:
    """Texts of one or two things, each with a word about it behind it."""
    draw, made = random.Random(seed), []
    for _ in range(count):
        words: list[str] = []
        triplets = []
        for polarity in draw.choices(("positive", "negative", ""), k=draw.choice((1, 2))):
            words += [draw.choice(FILLER) for _ in range(draw.randint(0, 2))]
            words.append(draw.choice(FOOD))
            if polarity:
                words += [draw.choice(FILLER) for _ in range(draw.randint(0, 1))]
                words.append(draw.choice(GOOD if polarity == "positive" else BAD))
                aspect = max(place for place, word in enumerate(words) if word in FOOD)
                triplets.append({"aspect": [aspect], "opinion": [len(words) - 1], "polarity": polarity})
        made.append({"text": " ".join(words), "triplets": triplets})
    return made


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("opinions") / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows_of(300)))
    return path


def trained(data: Path, find: str = "", epochs: int = 12) -> Path:
    folder = data.parent / f"as{find[-5:]}"
    folder.mkdir()
    words = [*FOOD, *GOOD, *BAD, *FILLER]
    base = make_base(folder / "base", hidden=32, words=words)
    config = folder / "opinions.yaml"
    config.write_text(CONFIG.format(data=data, base=base, output=folder / "runs", find=find, epochs=epochs))
    return train_toy(config)[0]


@pytest.fixture(scope="module")
def opinions(data: Path) -> Path:
    return trained(data)


TWO = "the pizza was great and the story is awful"


def test_a_tiny_model_finds_triplets_with_offsets_and_probabilities(opinions: Path) -> None:
    (answer,) = Classifier.load(opinions).predict([TWO])
    found = answer.row()["opinions"]
    assert [(each["aspect"], each["opinion"]["text"], each["polarity"]) for each in found] == [
        ({"text": "pizza", "start": 4, "end": 9}, "great", "positive"),
        ({"text": "story", "start": 28, "end": 33}, "awful", "negative"),
    ]
    assert all(0.2 < each["probability"] <= 1 for each in found)
    report = Report.from_json((opinions / "evaluation" / "test.json").read_text())
    assert report.scores["triplet_f1"].value > 0.8


def test_its_page_shows_kinds_of_mistakes_and_marked_texts(opinions: Path, tmp_path: Path) -> None:
    held = tmp_path / "wrong.jsonl"
    triplets = [[[1], [3], "positive"], [[5, 6], [8], "negative"]]  # "the story": a border of its own
    held.write_text(json.dumps({"text": TWO, "triplets": triplets}))
    report = evaluate(Run.open(opinions), DataSource(source=str(held)))
    sections = {section.id: section for section in report.sections}
    assert sections["mistakes-by-kind"].rows == (("wrong border", 1, "100%", "the story: awful (negative)"),)
    page = next((opinions / "evaluation").glob("*wrong*.html"), opinions / "report.html").read_text()
    assert "Which mistakes are the commonest?" in page
    assert '<mark class="found" title="aspect, positive: found">pizza</mark>' in page
    card = (opinions / "README.md").read_text()
    assert "the words that are said of it" in card


def test_a_scored_file_holds_opinions_as_json(opinions: Path, tmp_path: Path) -> None:
    texts = tmp_path / "new.csv"
    texts.write_text(f"text\n{TWO}\nthe place\n")
    for ending in ("csv", "jsonl", "parquet"):
        score_file(Classifier.load(opinions), texts, tmp_path / f"scored.{ending}")
    first, second = (json.loads(line) for line in (tmp_path / "scored.jsonl").read_text().splitlines())
    assert [each["polarity"] for each in first["opinions"]] == ["positive", "negative"]
    assert second["opinions"] == []
    for ending in ("csv", "parquet"):
        held = [
            json.loads(str(row.fields["opinions"])) for row in read_records(tmp_path / f"scored.{ending}")
        ]
        assert held == [first["opinions"], []]
    score_file(Classifier.load(opinions), texts, tmp_path / "rows.csv", row_per="opinion")
    rows = [record.fields for record in read_records(tmp_path / "rows.csv")]
    assert [(row["source_row"], row["aspect"], row["opinion"], row["polarity"]) for row in rows] == [
        ("1", "pizza", "great", "positive"),
        ("1", "story", "awful", "negative"),
        ("2", "", "", ""),
    ]


def test_a_promise_leaves_out_the_less_certain_opinions(opinions: Path, tmp_path: Path) -> None:
    held, texts, out = (tmp_path / name for name in ("held.jsonl", "new.jsonl", "out.jsonl"))
    held.write_text("".join(json.dumps(row) + "\n" for row in rows_of(200, seed=5)))
    new = rows_of(100, seed=6)
    texts.write_text("".join(json.dumps({"text": row["text"]}) + "\n" for row in new))
    asked = ["score", str(opinions), str(texts), "-o", str(out), "--held-out", str(held)]
    result = CliRunner().invoke(app, [*asked, "--max-error", "0.1"])
    assert result.exit_code == 0, result.output
    assert "at most 10.0% of the opinions given are wrong" in result.stderr
    texts_of = [str(row["text"]) for row in new]
    all_found = [answer.row()["opinions"] for answer in Classifier.load(opinions).predict(texts_of)]
    given = [json.loads(line)["opinions"] for line in out.read_text().splitlines()]
    kept = [each["probability"] for of_text in given for each in of_text]
    both = [each["probability"] for of_text in all_found for each in of_text]
    assert kept
    assert sorted(kept) == pytest.approx(sorted(both)[-len(kept) :], abs=1e-5)
    sets = CliRunner().invoke(app, [*asked, "--sets", "0.9", "--overwrite"])
    assert "expected a run that gives one label a text" in str(sets.exception)
    report = Report.from_json((opinions / "evaluation" / "test.json").read_text())
    (table,) = [section for section in report.sections if section.id == "promise"]
    assert table.rows[0][0] == "At most 1% of the opinions given are false"


def test_opinions_are_rows_of_ranks_right_only_in_all_parts() -> None:
    """The likeliest opinion is the second; the first has another polarity than the true one."""
    aspect, words = {"text": "pizza", "start": 4, "end": 9}, {"text": "great", "start": 14, "end": 19}
    said = {"aspect": aspect, "opinion": words, "polarity": "negative", "probability": 0.4}
    answers = [
        {"opinions": [said, {"aspect": aspect, "polarity": "positive", "probability": 0.7}]},
        {"opinions": []},
    ]
    chances, given = matrices(answers, RANKS)
    assert chances[:, :3].tolist() == [[0.7, 0.4, 0], [0, 0, 0]]
    assert given.sum(axis=1).tolist() == [2, 0]
    truth = json.dumps([{"aspect": aspect, "polarity": "positive"}, {**said, "polarity": "positive"}])
    assert is_true(answers[0], truth, RANKS)[:3] == [True, False, False]
    assert is_true(answers[1], truth, RANKS) == [False] * len(RANKS)


def test_the_demo_shows_each_opinion_with_its_probability(opinions: Path) -> None:
    classifier = Classifier.load(opinions)
    page = text_page(classifier.shown(classifier.predict([TWO])[0]), partial=False)
    assert "pizza: great (positive); story: awful (negative)" in page
    assert page.count("story: awful (negative)") == 2
    assert "no opinion" in text_page(classifier.shown(classifier.predict(["the place"])[0]), partial=False)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter
@pytest.mark.parametrize(
    "form",
    [
        "onnx",
        pytest.param("onnx-int8", marks=pytest.mark.integration),
        pytest.param("openvino", marks=pytest.mark.integration),
    ],
)
def test_its_export_answers_like_the_run(opinions: Path, tmp_path: Path, form: str) -> None:
    folder = export_run(Run.open(opinions), form, tmp_path / form)
    parity = ExportRecord.read(folder).parity
    assert parity is not None
    assert (parity.failures, parity.changed_labels, parity.accuracy) == ((), 0, parity.exported_accuracy)
    answers = [
        Classifier.load(opinions, runtime="torch").predict([TWO]), Classifier.load(folder).predict([TWO])
    ]  # fmt: skip
    ours, theirs = ([opinion.plain for opinion in answer[0].opinions or ()] for answer in answers)
    assert ours == theirs != []
    if form == "onnx-int8":  # the head stays in float32
        graph = pytest.importorskip("onnx").load(folder / "model.onnx", load_external_data=False).graph
        assert [node.op_type for node in graph.node][-2:] == ["MatMul", "Add"]


def test_a_long_text_is_read_in_windows_and_no_opinion_is_given_twice(opinions: Path) -> None:
    text = " ".join([TWO] * 20)  # 180 tokens in windows of 64
    (answer,) = Classifier.load(opinions).predict([text])
    assert answer.windows > 2
    opinions_in = answer.opinions or ()
    places = {(each.aspect, each.opinion) for each in opinions_in}
    assert len(places) == len(opinions_in)
    assert max(each.aspect.start for each in opinions_in) > len(text) / 2
    assert {each.in_words for each in opinions_in} >= {"pizza: great (positive)", "story: awful (negative)"}


def test_terms_alone(data: Path) -> None:
    run = trained(data, ", find: terms", epochs=8)
    (answer,) = Classifier.load(run).predict([TWO])
    assert [TWO[each.aspect.start : each.aspect.end] for each in answer.opinions or ()] == ["pizza", "story"]
    assert "opinion" not in answer.row()["opinions"][0]
    report = Report.from_json((run / "evaluation" / "test.json").read_text())
    assert report.scores["term_f1"].value > 0.5


def test_it_is_evaluated_as_any_run(opinions: Path, tmp_path: Path) -> None:
    held = tmp_path / "new.jsonl"
    held.write_text(json.dumps({"text": TWO, "triplets": [[[1], [3], "positive"], [[6], [8], "positive"]]}))
    report = evaluate(Run.open(opinions), DataSource(source=str(held)))
    assert report.scores["triplet_f1"].value == 0.5
    assert report.scores["pair_f1"].value == 1.0
    assert report.baselines[0].name == "always answering nothing"


def region(key: str, words: str, name: str, text: str, wide: int = 0) -> dict[str, object]:
    """Return a span as Label Studio writes it; `wide` characters before it count twice there."""
    start = text.index(words) + wide
    value = {"start": start, "end": start + len(words), "text": words, "labels": [name]}
    return {"id": key, "from_name": "parts", "type": "labels", "value": value}


def read_tasks(path: Path, *results: list[dict[str, object]], text: str = TEXT) -> tuple[Opinion, ...]:
    annotations = [{"result": list(result)} for result in results]
    path.write_text(json.dumps([{"id": 1, "data": {"text": text}, "annotations": annotations}]))
    (example,) = TASK.read(path, DataSource(source=str(path))).examples
    return example.opinions


def test_relations_of_label_studio_are_triplets(tmp_path: Path) -> None:
    parts = [region("a", "pizza", "Aspect", TEXT), region("o", "great", "Opinion", TEXT)]
    joined = {"type": "relation", "from_id": "o", "to_id": "a", "labels": ["positive"]}
    path = tmp_path / "project.json"
    assert read_tasks(path, [*parts, joined]) == (GREAT,)
    # the polarity as a choice about a span, or as its label
    choice = {
        "id": "o", "from_name": "how", "type": "choices", "value": {"start": 0, "choices": ["positive"]}
    }  # fmt: skip
    bare = {"type": "relation", "from_id": "a", "to_id": "o"}
    assert read_tasks(path, [*parts, choice, bare]) == (GREAT,)
    assert read_tasks(path, [parts[0], region("o", "great", "positive", TEXT), bare]) == (GREAT,)
    # a browser counts an emoji as two characters
    text = f"😀 {TEXT}"
    moved = [region("a", "pizza", "Aspect", text, 1), region("o", "great", "Opinion", text, 1)]
    (opinion,) = read_tasks(path, [*moved, joined], text=text)
    assert (opinion.aspect, opinion.opinion) == (Span(start=6, end=11), Span(start=15, end=20))


def test_marks_of_label_studio_that_are_no_triplets_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "project.json"
    parts = [region("a", "pizza", "Aspect", TEXT), region("o", "great", "Opinion", TEXT)]
    joined = {"type": "relation", "from_id": "a", "to_id": "o", "labels": ["positive"]}
    with pytest.raises(DataError, match=r"row 1: .*spans on which its 2 annotators disagree"):
        read_tasks(path, [*parts, joined], [parts[0]])
    both = [region("a", "pizza", "positive", TEXT), region("o", "great", "positive", TEXT)]
    with pytest.raises(DataError, match="does not show which of 'pizza' and 'great' is the aspect"):
        read_tasks(path, [*both, joined])
    with pytest.raises(DataError, match=r"opinion 1 .* lacks 'polarity'"):
        read_tasks(path, [*parts, joined | {"labels": []}])
    with pytest.raises(DataError, match="leads to 'x', which is no span"):
        read_tasks(path, [*parts, joined | {"to_id": "x"}])
