"""The loop as people go through it: texts are picked from a file, labeled, and learned."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import nlpkit
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.labeling.labeled import read_labeled
from nlpkit.labeling.learn import label_learn, next_folder
from nlpkit.labeling.rounds import Gain, Round, gains_of, packed, read_rounds
from nlpkit.metrics.score import Score
from nlpkit.run import Run
from tests.conftest import sentences, write_csv
from tests.outputs import has_shape, output

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
    assert (rows.empty, len(rows.disputes), rows.agreement.count) == (1, 1, 2)
    header = ("text", "ann", "ben")
    both = read(
        [("one", "yes", "yes"), ("two", "no", "yes"), ("three", "", "no"), ("four", "no", "no")],
        header, annotators=["ann", "ben"],
    )  # fmt: skip
    assert both.rows == (("one", "yes"), ("three", "no"), ("four", "no"))
    assert both.agreement.value == pytest.approx(1 - (1 / 3) / (9 / 15))  # coincidences by hand
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
    worth = output("docs/labeling.md", 0).partition("Go on")[0].replace("mine", "toy")
    assert has_shape(shown.stdout, worth), shown.stdout
    assert "is worse than toy" in shown.stdout  # which learned for ten epochs
    assert "4 rows have no label yet" in " ".join(shown.output.split())
    new = Run.open(toy.parent / "toy-2")
    rows = new.read().data["rows"]
    assert (rows["train"] + rows["validation"], rows["test"]) == (240 - 48 + 16, 48)
    first, second = read_rounds(new)
    assert (first.run, first.labels, second.run, second.added, second.labels) == ("toy", 0, "toy-2", 16, 16)
    assert first.held_out == second.held_out
    assert second.accuracy.count == 48
    (gain,) = second.gains
    assert (gain.since, gain.labels) == ("toy", 16)
    difference = (second.accuracy.value or 0) - (first.accuracy.value or 0)
    assert gain.score().value == pytest.approx(100 * difference)
    page = (new.evaluation / "labeling.html").read_text(encoding="utf-8")
    assert "Accuracy over labels" in page
    assert "toy-2" in page
    third = label_learn(new, filled(tmp_path / "next.csv", tmp_path / "more.csv", leave=10), overrides=FAST)
    assert third.run.name == "toy-3"
    assert [each.labels for each in third.rounds] == [0, 16, 26]
    assert [(each.since, each.labels) for each in third.last.gains] == [("toy-2", 10), ("toy", 26)]


def test_a_gain_per_100_labels_and_the_rule_by_hand() -> None:
    """Of 98 rows, 11 are won and 3 lost: (12 - 4) / 100, give or take 1.96 * sqrt((0.16 - 0.0064) / 100)."""
    before, after = np.zeros(98, dtype=bool), np.zeros(98, dtype=bool)
    after[:11] = True
    before[20:23] = True
    gain = Gain.between(before, after, since="first", rounds=1, labels=50)
    score = gain.score()
    assert score.value == pytest.approx(100 * 8 / 98)
    assert (score.low, score.high) == pytest.approx((8 - 7.6814, 8 + 7.6814), abs=1e-3)
    per_100 = gain.per_100()
    assert (per_100.low, per_100.high) == pytest.approx((16 - 15.3628, 16 + 15.3628), abs=1e-3)
    assert not gain.is_below(31.3)
    assert gain.is_below(31.4)
    alike = Gain.between(after, after, since="first", rounds=1, labels=50)
    assert not alike.is_below(0.5)  # 98 rows can't show that two runs are equally good


def test_gains_are_measured_over_several_windows_of_the_same_rows() -> None:
    """A round of 10 labels wins 100 of 1,000 rows, the next four of 50 none: over one round that is flat."""
    rights = [np.arange(1000) < (500 if number == 0 else 600) for number in range(6)]
    score = Score(value=0.5, count=1000)
    rounds = tuple(
        Round(run=f"r{at}", added=10, labels=10 * at, held_out="same", accuracy=score, right=packed(right))
        for at, right in enumerate(rights[:2])
    )
    gains = gains_of(rounds, rights[2], "same", 50)
    assert [(gain.since, gain.labels, gain.won) for gain in gains] == [("r1", 50, 0), ("r0", 60, 100)]
    last = Round(
        run="r2", added=50, labels=60, held_out="same", accuracy=score, right="", gains=gains, threshold=0.6
    )
    assert last.shown == gains[0]
    assert last.verdict == "stop"
    assert gains_of(rounds, rights[2], "other", 50) == ()


def test_a_flat_curve_is_likely_enough_before_it_is_surely_so() -> None:
    """Of 500 rows, four rounds of 50 labels win 1: 0.1 points per 100 labels, from about 0 up to 0.5."""
    score = Score(value=0.5, count=500)

    def after(rounds: int) -> Round:
        gain = Gain(since="r0", rounds=rounds, labels=50 * rounds, won=9, lost=8, count=500)
        return Round(run="r4", added=50, labels=200, held_out="same", accuracy=score, right="", gains=(gain,))

    assert after(4).verdict == "likely enough"
    assert after(2).verdict == "go on"
    lost = Gain(since="r3", rounds=1, labels=50, won=10, lost=60, count=500)
    worse = after(4).model_copy(update={"gains": (lost,)})
    assert worse.as_dict()["verdict"] == "worse"


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


def test_other_tasks_are_refused() -> None:
    from nlpkit.labeling.next_texts import refuse_other_tasks
    from nlpkit.tasks.emotions import Emotions

    with pytest.raises(RunError, match=r"task emotions answers with labels, .*expected a run of one label"):
        refuse_other_tasks("mine", Emotions(labels=("joy", "love")))
