"""The loop as people go through it: texts are picked from a file, labeled, and learned."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import nlpkit
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.labeling.labeled import read_labeled
from nlpkit.labeling.learn import label_learn, next_folder
from nlpkit.labeling.rounds import Gain, Round, compared_with, read_rounds
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.run import Run
from tests.conftest import sentences, write_csv

FAST = {"training.epochs": 1, "training.evaluations": 1}


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty texts, of which two are equal but for case, and one has a label already."""
    rows = [(text, "") for text, _ in sentences(60, seed=31)]
    rows += [(rows[0][0].upper(), ""), (f"{rows[1][0]} at all", "positive")]
    return write_csv(tmp_path_factory.mktemp("texts") / "reviews.csv", rows)


@pytest.fixture
def toy(toy_run: Path, tmp_path: Path) -> Path:
    return shutil.copytree(toy_run, tmp_path / "runs" / "toy")


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def filled(path: Path, target: Path, *, leave: int = 0) -> Path:
    """Label the rows of a file as people would: by the word that tells the sentiment."""
    good = {"good", "great", "lovely", "fine"}
    rows = rows_of(path)
    for row in rows[leave:]:
        row["label"] = "positive" if good & set(row["text"].lower().split()) else "negative"
    with target.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    return target


def test_the_least_certain_texts_are_asked_about_once(toy_run: Path, reviews: Path, tmp_path: Path) -> None:
    picked = nlpkit.label_next(toy_run, reviews, tmp_path / "next.csv", count=5)
    assert (picked.count, picked.rows, picked.labeled, picked.bad) == (5, 62, 1, 0)
    rows = rows_of(tmp_path / "next.csv")
    assert list(rows[0]) == ["text", "label", "guess", "certainty", "row"]
    assert {row["label"] for row in rows} == {""}
    assert len({row["text"].lower() for row in rows}) == 5
    texts = [row["text"] for row in rows_of(reviews)]
    assert [texts[int(row["row"]) - 1] for row in rows] == [row["text"] for row in rows]
    certainties = sorted(
        max(answer.probabilities.values()) for answer in nlpkit.Classifier.load(toy_run).predict(texts)
    )
    assert min(float(row["certainty"]) for row in rows) == pytest.approx(certainties[0], abs=1e-6)
    again = nlpkit.label_next(toy_run, reviews, tmp_path / "again.csv", count=5)
    assert (tmp_path / "again.csv").read_text() == (tmp_path / "next.csv").read_text()
    assert again.count == 5
    rest = nlpkit.label_next(
        toy_run, reviews, tmp_path / "rest.csv", count=500, aim="random", labeled=tmp_path / "next.csv"
    )
    later = rows_of(tmp_path / "rest.csv")
    assert not {row["text"].lower() for row in later} & {row["text"].lower() for row in rows}
    assert rest.count == len(later) < 60


def test_texts_of_the_training_are_not_asked_about(toy_run: Path, toy_csv: Path, tmp_path: Path) -> None:
    """Of 240 rows, a fifth each is held out for validation and test; the rest was trained on."""
    rows = [(row["text"], "") for row in rows_of(toy_csv)]
    unlabeled = write_csv(tmp_path / "all.csv", rows)
    picked = nlpkit.label_next(toy_run, unlabeled, tmp_path / "next.csv", count=10)
    assert picked.knows_training
    assert 130 <= picked.labeled <= 150


def test_shares_are_drawn_and_estimated(toy_run: Path, reviews: Path, tmp_path: Path) -> None:
    nlpkit.label_next(toy_run, reviews, tmp_path / "next.csv", count=20, aim="shares", blind=True)
    rows = rows_of(tmp_path / "next.csv")
    assert list(rows[0]) == ["text", "label", "stratum", "stratum_texts", "inclusion_probability", "row"]
    sizes = {row["stratum"]: int(row["stratum_texts"]) for row in rows}
    assert sum(sizes.values()) == 61  # all without a label, equal ones too
    assert sum(1 / float(row["inclusion_probability"]) for row in rows) == pytest.approx(61)
    labeled = filled(tmp_path / "next.csv", tmp_path / "labeled.csv")
    shares = {share.label: share for share in nlpkit.label_shares(labeled)}
    assert sum(share.share for share in shares.values()) == pytest.approx(1)
    assert shares["positive"].low <= 30 / 61 <= shares["positive"].high
    shown = CliRunner().invoke(app, ["label", "shares", str(labeled), "--json"])
    assert json.loads(shown.stdout)[0]["label"] in shares
    with pytest.raises(DataError, match="stratum 1: none of its rows has a label"):
        nlpkit.label_shares(tmp_path / "next.csv")
    with pytest.raises(DataError, match="was not drawn for shares"):
        nlpkit.label_shares(reviews)


def test_labeling_tools_get_tasks(toy_run: Path, reviews: Path, tmp_path: Path) -> None:
    nlpkit.label_next(toy_run, reviews, tmp_path / "tasks.json", count=3)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert tasks[0]["data"]["text"]
    assert tasks[0]["predictions"][0]["result"][0]["type"] == "choices"
    for tool in ("label-studio", "doccano", "argilla", "prodigy"):
        path = tmp_path / f"{tool}.jsonl"
        nlpkit.label_next(toy_run, reviews, path, count=3, output_format=tool, blind=True)
        text = path.read_text()
        assert "positive" not in text
        assert "negative" not in text
        assert "score" not in text


def test_what_cannot_be_picked_is_refused(toy_run: Path, reviews: Path, tmp_path: Path) -> None:
    for name, message in (("next.xlsx", "format 'xlsx' cannot be written"), ("next", "format ''")):
        with pytest.raises(ConfigError, match=message):
            nlpkit.label_next(toy_run, reviews, tmp_path / name)
    (tmp_path / "next.csv").write_text("labels of an hour")
    with pytest.raises(ConfigError, match="exists already, perhaps with labels; hint: --overwrite"):
        nlpkit.label_next(toy_run, reviews, tmp_path / "next.csv")
    full = write_csv(tmp_path / "full.csv", [("a good film", "positive")])
    with pytest.raises(DataError, match="all 1 rows have a label or cannot be used"):
        nlpkit.label_next(toy_run, full, tmp_path / "none.csv")
    empty = write_csv(tmp_path / "empty.csv", [("a good film", ""), ("", "")])
    with pytest.raises(DataError, match="the text is empty"):
        nlpkit.label_next(toy_run, empty, tmp_path / "none.csv")
    assert nlpkit.label_next(toy_run, empty, tmp_path / "one.csv", on_error="skip").bad == 1


def test_answers_of_people_become_rows(tmp_path: Path) -> None:
    def read(rows: list[tuple[str, ...]], header: tuple[str, ...] = ("text", "label"), **fields: object):
        path = write_csv(tmp_path / "labeled.csv", rows, header)  # type: ignore[arg-type]
        return read_labeled(str(path), ["no", "yes"], text="text", label="label", **fields)

    rows = read([("one", "yes"), ("two", ""), ("Three!", "no"), ("three", "yes"), ("one", "yes")])
    assert rows.rows == (("one", "yes"),)
    assert (rows.empty, rows.disputed, rows.shared) == (1, 1, 2)
    header = ("text", "ann", "ben")
    both = read(
        [("one", "yes", "yes"), ("two", "no", "yes"), ("three", "", "no"), ("four", "no", "no")],
        header, annotators=["ann", "ben"],
    )  # fmt: skip
    assert both.rows == (("one", "yes"), ("three", "no"), ("four", "no"))
    assert both.agreement == pytest.approx(1 - (1 / 3) / (9 / 15))  # coincidences by hand
    apart = read([("one", "yes", ""), ("two", "", "no")], header, annotators=["ann", "ben"])
    assert any("ann and ben have no text in common" in line for line in apart.lines)
    with pytest.raises(DataError, match=r"row 2: column 'label' holds the label 'yess'.*'yes'"):
        read([("one", "yes"), ("two", "yess")])
    with pytest.raises(DataError, match="none of its 1 rows has a label"):
        read([("one", "")])
    with pytest.raises(DataError, match="different labels to each of its 1 texts"):
        read([("one", "yes", "no")], header, annotators=["ann", "ben"])


def test_labels_are_learned_and_their_worth_is_told(toy: Path, reviews: Path, tmp_path: Path) -> None:
    nlpkit.label_next(toy, reviews, tmp_path / "next.csv", count=20)
    labeled = filled(tmp_path / "next.csv", tmp_path / "labeled.csv", leave=4)
    words = [f"{key}={value}" for key, value in FAST.items()]
    shown = CliRunner().invoke(app, ["label", "learn", str(toy), str(labeled), *words])
    assert shown.exit_code == 0, shown.output
    assert "16 labels changed the accuracy by" in shown.stdout
    assert "points per 100 labels" in shown.stdout
    assert "4 rows have no label yet" in " ".join(shown.output.split())
    new = Run.open(toy.parent / "toy-2")
    rows = new.read().data["rows"]
    assert (rows["train"] + rows["validation"], rows["test"]) == (240 - 48 + 16, 48)
    first, second = read_rounds(new)
    assert (first.run, first.labels, second.run, second.added, second.labels) == ("toy", 0, "toy-2", 16, 16)
    assert first.held_out == second.held_out
    assert second.accuracy.count == 48
    assert second.gain is not None
    assert second.gain.test.difference == pytest.approx(
        (second.accuracy.value or 0) - (first.accuracy.value or 0)
    )
    page = (new.evaluation / "labeling.html").read_text(encoding="utf-8")
    assert "Accuracy over labels" in page
    assert "toy-2" in page
    third = label_learn(new, filled(tmp_path / "next.csv", tmp_path / "more.csv", leave=10), overrides=FAST)
    assert third.run.name == "toy-3"
    assert [each.labels for each in third.rounds] == [0, 16, 26]
    gain, last = third.last.gain, third.last.last_gain
    assert gain is not None
    assert (gain.since, gain.labels) == ("toy", 26)
    assert last is not None
    assert last.since == "toy-2"


def test_a_gain_per_100_labels_and_the_rule_by_hand() -> None:
    """1 point by 50 labels, from -1 to 3: 2 points per 100, from -2 to 6."""
    test = PairedTest(metric="accuracy", difference=0.01, low=-0.01, high=0.03, count=400, resamples=1000)
    gain = Gain(since="first", labels=50, test=test)
    score = gain.per_100()
    assert (score.value, score.low, score.high) == pytest.approx((2.0, -2.0, 6.0))
    assert not gain.is_below(6.0)
    assert gain.is_below(6.1)


def test_gains_are_measured_over_the_last_rounds_that_are_still_there(toy: Path, tmp_path: Path) -> None:
    def round_of(number: int, held_out: str = "same", path: Path = toy) -> Round:
        score = Score(value=0.5, count=10)
        return Round(
            run=f"r{number}", path=str(path), added=10, labels=10 * number, held_out=held_out, accuracy=score
        )

    rounds = [round_of(number) for number in range(6)]
    assert compared_with(rounds, "same") == rounds[2]
    rounds[2:4] = [round_of(2, "other"), round_of(3, path=tmp_path / "deleted")]
    assert compared_with(rounds, "same") == rounds[4]
    assert compared_with(rounds, "new") is None


def test_a_run_without_training_becomes_one_of_few_shot(
    toy_csv: Path, tiny_base: Path, tmp_path: Path
) -> None:
    run = nlpkit.train(
        {
            "recipe": "zero_shot", "name": "words", "output": str(tmp_path), "codebook": "sentiment",
            "base": {"source": str(tiny_base)}, "task": {"kind": "polarity", "ordered": False},
        }
    )  # fmt: skip
    labels = dict.fromkeys(run.read().task["labels"])
    known = [row for row in rows_of(toy_csv) if row["label"] in labels]
    assert known
    texts = [(row["text"], row["label"]) for row in known]
    labeled = write_csv(tmp_path / "labeled.csv", texts[:40])
    with pytest.raises(DataError, match=r"holds no held-out rows .*--held-out FILE"):
        label_learn(run, labeled)
    learned = label_learn(
        run, labeled, held_out=write_csv(tmp_path / "held.csv", texts[60:120]),
        overrides={"training.ways": ["probe"]},
    )  # fmt: skip
    assert learned.run.read().recipe == "few_shot"
    assert learned.run.read().task["labels"] == list(labels)
    assert learned.last.accuracy.count == 60


def test_names_of_the_rounds(tmp_path: Path) -> None:
    assert next_folder(Run(tmp_path / "mine")) == tmp_path / "mine-2"
    assert next_folder(Run(tmp_path / "mine-9")) == tmp_path / "mine-10"
    assert next_folder(Run(tmp_path / "mine" / "seed-3")) == tmp_path / "mine-seed-3-2"


def test_other_tasks_are_refused(tmp_path: Path, reviews: Path) -> None:
    from types import SimpleNamespace

    from nlpkit.labeling.next_texts import refuse_other_tasks
    from nlpkit.tasks.emotions import Emotions

    task = Emotions(labels=("joy", "love"))
    classifier = SimpleNamespace(
        name="mine", task=task, turns=None, reads_aspects=False, columns=task.family.columns
    )
    with pytest.raises(RunError, match=r"task emotions answers with labels, .*expected a run of one label"):
        refuse_other_tasks(classifier)  # type: ignore[arg-type]
