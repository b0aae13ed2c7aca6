"""Which texts a run labels for itself, worked out by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.config import validate
from nlpkit.data.examples import LabeledText
from nlpkit.errors import ConfigError
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.self_training_sections import (
    Round,
    SelfTrainingRecord,
    self_labeled,
    self_training_sections,
)
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.prediction import Prediction
from nlpkit.training.recipes import load_recipe
from nlpkit.training.rows import Rows
from nlpkit.training.self_labels import agreement_of, choose, describe, label_lines, with_labeled

KEY = "unlabelled"  # an old name
LABELED = {"bad": 1, "good": 3}


def answers(*given: tuple[str, float]) -> list[Prediction]:
    return [Prediction(label=label, probabilities={label: probability}) for label, probability in given]


SIX = answers(("good", 0.9), ("bad", 0.7), ("good", 0.99), ("good", 0.6), ("bad", 0.95), ("good", 0.9))


def test_a_label_takes_its_share_of_the_labeled_rows_the_most_probable_first() -> None:
    # Of 4 texts bad takes 1/4 = 1, good 3/4 = 3
    assert choose(SIX, LABELED, take=4, min_probability=0.5) == {"bad": [4], "good": [2, 0, 5]}
    # Of 2: 0.5 and 1.5, both rounded up; of two texts that are as probable the first
    assert choose(SIX, LABELED, take=2, min_probability=0.5) == {"bad": [4], "good": [2, 0]}
    # Of 6: 1.5 and 4.5, so that bad takes both of its texts
    assert choose(SIX, LABELED, take=6, min_probability=0.5)["bad"] == [4, 1]


def test_a_common_label_does_not_fill_the_place_of_a_rare_one() -> None:
    assert choose(SIX, LABELED, take=4, min_probability=0.97) == {"bad": [], "good": [2]}
    few = answers(*[("good", 0.9)] * 6)
    assert choose(few, LABELED, take=4, min_probability=0.5) == {"bad": [], "good": [0, 1, 2]}


def test_an_answer_that_no_labeled_row_has_is_never_taken() -> None:
    outside = answers(("out of scope", 0.99), ("good", 0.8))
    assert choose(outside, LABELED, take=2, min_probability=0.5) == {"bad": [], "good": [1]}


def test_what_is_taken_is_counted_with_its_probabilities() -> None:
    taken = choose(SIX, LABELED, take=4, min_probability=0.5)
    labels = describe(SIX, taken, LABELED, 4)
    bad, good = labels["bad"], labels["good"]
    assert (bad.given, bad.most, bad.taken, bad.lowest, bad.mean) == (2, 1, 1, 0.95, 0.95)
    assert (good.given, good.most, good.taken, good.lowest) == (4, 3, 3, 0.9)
    assert good.mean == pytest.approx((0.99 + 0.9 + 0.9) / 3)
    nothing = describe(SIX, {"bad": [], "good": []}, LABELED, 4)["bad"]
    assert (nothing.taken, nothing.lowest, nothing.mean) == (0, None, None)
    before = answers(*[("good", 0.5)] * 6)
    agreement = agreement_of(SIX, before, 1)
    assert agreement is not None
    assert (agreement.value, agreement.count) == (pytest.approx(4 / 6), 6)
    assert agreement_of(SIX, None, 1) is None
    lines = label_lines(labels, agreement, 6)
    assert lines[0].endswith("4 of 6 texts without labels")
    assert lines[1].endswith("bad: 2 of 6 texts, 1 of them taken, probability 0.950 or more")
    assert lines[3].startswith("agreement  66.7%")


def test_of_many_labels_the_first_are_reported() -> None:
    many = {f"label {number}": 1 for number in range(12)}
    lines = label_lines(describe([], {label: [] for label in many}, many, 12), None, 6)
    assert len(lines) == 12
    assert lines[-1].endswith("and 2 more labels: see the report")


def test_labeled_texts_stand_after_the_labeled_rows_and_before_their_copies() -> None:
    train = tuple(LabeledText(text=text, label="good") for text in ("first", "second", "copy of second"))
    rows = Rows(
        task=Polarity(labels=("bad", "good")),
        train=train,
        validation=(),
        test=(),
        dropped=0,
        swapped=(1,),
        extra_texts=("a", "b", "c"),
    )
    more = with_labeled(rows, {"bad": [2], "good": [1, 0]}, 3)
    assert [(row.text, row.label) for row in more.train] == [
        ("first", "good"), ("second", "good"), ("c", "bad"), ("a", "good"), ("b", "good"),
        ("copy of second", "good"),
    ]  # fmt: skip
    assert more.swapped == (1,)
    assert more.texts == ["first", "second", "c", "a", "b", "copy of second"]
    assert more.train[2].where == "labeled in round 3"


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ({"task": {"kind": "emotions"}}, "'emotions' does not give a text one label"),
        ({"task": {"kind": "turn_emotions"}}, "'turn_emotions' does not give"),
        ({"task": {"kind": "aspect_polarity"}}, "'aspect_polarity' does not give"),
        ({"search": {"space": {"training.lr": [1e-3]}}}, "search: does not go together with self_training"),
        ({"self_training": {KEY: []}}, rf"self_training\.{KEY}: .*at least 1"),
    ],
)
def test_what_does_not_go_together_is_refused(more: dict[str, object], problem: str) -> None:
    tree = {
        "recipe": "sentiment", "name": "toy", "data": {"train": "rows.csv"},
        "self_training": {KEY: "texts.csv"}, **more,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=problem):
        validate(tree, load_recipe("sentiment").Config, where=Path("toy.yaml"), lines={})


def test_the_sections_show_each_round_and_which_is_kept() -> None:
    scores = [
        Score(value=value, low=value - 0.1, high=value + 0.1, count=50, title="Accuracy", percent=True)
        for value in (0.7, 0.8, 0.8)
    ]
    gain = PairedTest(metric="accuracy", difference=0.1, low=0.02, high=0.2, count=50, resamples=9)
    even = gain.model_copy(update={"difference": 0.0, "low": -0.1, "high": 0.1})
    labels = describe(SIX, choose(SIX, LABELED, take=4, min_probability=0.5), LABELED, 4)
    record = SelfTrainingRecord(
        min_probability=0.5,
        rounds=(
            Round(number=0, score=scores[0]),
            Round(number=1, labels=labels, score=scores[1], test=gain),
            Round(number=2, labels=labels, agreement=scores[0], score=scores[2], test=even),
        ),
        kept=1,
        stopped="round 2 is no better",
        first_on_test=scores[0],
        kept_on_test=scores[1],
        test=gain,
    )
    data = {KEY: {"rows": 6}, "self_training": record.model_dump(mode="json")}
    rounds, taken = self_training_sections(data)
    assert rounds.rows[0] == ("0", 0, None, "70.0% (60.0% to 80.0%)", None)
    assert rounds.rows[1] == ("1 (kept)", 4, None, "80.0% (70.0% to 90.0%)", "+10.0 points (+2.0 to +20.0)")
    assert (
        "Round 1 is kept, which learned the labeled rows and 4 texts that the run labeled" in rounds.caption
    )
    assert "in round 0 70.0% (60.0% to 80.0%): +10.0 points (+2.0 to +20.0)." in rounds.caption
    assert taken.rows[0] == ("1: bad", 2, 1, 1, 0.95, 0.95)
    assert len(taken.rows) == 4
    assert self_labeled(data) == 4
    assert (self_training_sections({}), self_labeled({})) == ((), 0)
