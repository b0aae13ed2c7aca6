from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.data.examples import LabeledText
from nlpkit.data.near import near_groups
from nlpkit.data.splits import Split, folds, hold_out, split
from nlpkit.errors import DataError
from nlpkit.tasks.answers.number import Number
from nlpkit.tasks.answers.one_label import OneLabel

LABELS = OneLabel(labels=(), ordered=False)
NUMBERS = Number(low=0, high=100)


def distinct(count: int, label: str, first: int = 0) -> list[LabeledText]:
    return [
        LabeledText(text=f"{label} {place} x{place} y{place} z{place}", label=label)
        for place in range(first, first + count)
    ]


def cut(
    examples: list[LabeledText],
    validation: float = 0.1,
    test: float = 0.0,
    seed: int = 0,
    near: float = 0.8,
    by: OneLabel | Number = LABELS,
) -> Split[LabeledText]:
    return split(examples, by, validation=validation, test=test, seed=seed, near_duplicates=near)


def test_each_label_is_spread_by_the_shares() -> None:
    parts = cut(distinct(60, "good") + distinct(30, "bad") + distinct(10, "fair"), validation=0.1, test=0.2)
    assert Counter(one.label for one in parts.train) == {"good": 42, "bad": 21, "fair": 7}
    assert Counter(one.label for one in parts.validation) == {"good": 6, "bad": 3, "fair": 1}
    assert Counter(one.label for one in parts.test) == {"good": 12, "bad": 6, "fair": 2}
    assert parts.kept_together == 0


def test_many_small_labels_still_give_the_whole_size() -> None:
    examples = [one for place in range(40) for one in distinct(4, f"label{place}")]
    parts = cut(examples, validation=0.1)  # each label's share is 0.4 rows; together they are 16
    assert len(parts.validation) == 16
    assert max(Counter(one.label for one in parts.validation).values()) == 1
    assert len({one.label for one in parts.train}) == 40


def test_a_rare_label_stays_in_training() -> None:
    for seed in range(5):
        parts = cut(distinct(50, "good") + distinct(1, "odd"), validation=0.2, seed=seed)
        assert "odd" in {one.label for one in parts.train}


def test_order_is_kept_and_the_seed_decides() -> None:
    examples = distinct(100, "good")
    places = {one.text: place for place, one in enumerate(examples)}
    parts = cut(examples, seed=1)
    order = [places[one.text] for one in parts.train]
    assert order == sorted(order)
    assert cut(examples, seed=1) == parts
    assert cut(examples, seed=2).validation != parts.validation
    # Not simply the head or the tail of the file.
    assert [places[one.text] for one in parts.validation] not in [list(range(10)), list(range(90, 100))]


def test_values_are_balanced_by_quantile() -> None:
    examples = [
        LabeledText(text=f"text {place} a{place} b{place}", value=float(place) ** 3) for place in range(100)
    ]
    assert Counter(NUMBERS.strata(examples)) == {f"bin {place}": 10 for place in range(10)}
    held = cut(examples, validation=0.1, by=NUMBERS).validation
    assert Counter(NUMBERS.strata(examples)[examples.index(one)] for one in held) == {
        f"bin {place}": 1 for place in range(10)
    }


def test_few_or_equal_values_share_a_bin() -> None:
    assert set(NUMBERS.strata([LabeledText(text=str(place), value=1.0) for place in range(100)])) == {"bin 9"}
    assert set(NUMBERS.strata([LabeledText(text=str(place), value=float(place)) for place in range(19)])) == {
        "bin 0"
    }
    assert LABELS.strata([LabeledText(text="a", label="x")]) == ["label x"]


def test_pairs_of_equal_texts_stay_together() -> None:
    examples = [
        LabeledText(text=one.text + end, label=one.label)
        for one in distinct(50, "good")
        for end in ("", " !")
    ]
    parts = cut(examples, validation=0.1, test=0.1)
    assert (len(parts.train), len(parts.validation), len(parts.test)) == (80, 10, 10)
    assert parts.kept_together == 100
    sides = [{one.text.rstrip(" !") for one in part} for part in (parts.train, parts.validation, parts.test)]
    assert [len(side) for side in sides] == [40, 5, 5]
    assert not sides[0] & sides[1]
    assert not (sides[0] | sides[1]) & sides[2]


def test_a_big_group_goes_to_training() -> None:
    examples = [LabeledText(text="the very same words", label="good")] * 50 + distinct(50, "good")
    parts = cut(examples, validation=0.2)
    assert len(parts.validation) == 20
    assert "the very same words" not in {one.text for one in parts.validation}


@pytest.mark.parametrize(
    ("examples", "validation", "message"),
    [
        ([], 0.1, "there are no rows to split"),
        (distinct(1, "good"), 0.1, "train rows: none left of 1 rows in 1 groups"),
        (
            [LabeledText(text="same", label="good")] * 9,
            0.1,
            r"validation rows \(share 0.1\): none left of 9 rows in 1 groups.*80%",
        ),
    ],
)
def test_an_empty_part_is_an_error(examples: list[LabeledText], validation: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        cut(examples, validation=validation)


def test_no_shares_keep_everything() -> None:
    examples = distinct(3, "good")
    assert cut(examples, validation=0.0) == Split(train=tuple(examples))


SMALL = st.lists(
    st.builds(
        LabeledText,
        text=st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=5).map(" ".join),
        label=st.sampled_from(["x", "y", "z"]),
    ),
    min_size=1,
    max_size=60,
)


@given(
    SMALL,
    st.sampled_from([0.0, 0.1, 0.3]),
    st.sampled_from([0.0, 0.2, 0.4]),
    st.integers(0, 9),
    st.sampled_from([0.4, 0.8, 1.0]),
)
@settings(max_examples=30, deadline=None)
def test_invariants(
    examples: list[LabeledText], validation: float, test: float, seed: int, near: float
) -> None:
    groups = near_groups([one.text for one in examples], threshold=near, seed=seed)
    sizes = Counter(groups)
    try:
        parts = cut(examples, validation, test, seed, near)
    except DataError:
        return
    everything = [*parts.train, *parts.validation, *parts.test]
    assert Counter(everything) == Counter(examples)
    side = {}
    for name, part in (("train", parts.train), ("validation", parts.validation), ("test", parts.test)):
        for one in part:
            group = groups[[example.text for example in examples].index(one.text)]
            assert side.setdefault(group, name) == name
    smallest = min(sizes[group] for group in sizes if side[group] == "train")
    for part, share in ((parts.validation, validation), (parts.test, test)):
        wanted = max(1, round(share * len(examples))) if share else 0
        assert wanted - smallest < len(part) <= wanted
    assert cut(examples, validation, test, seed, near) == parts


SCRIPT = """
from nlpkit.data.examples import LabeledText
from nlpkit.data.splits import split
from nlpkit.tasks.answers.one_label import OneLabel
rows = [
    LabeledText(text=f"some words number {n % 70} and {n % 40} more", label="abc"[n % 3]) for n in range(200)
]
parts = split(rows, OneLabel(labels=(), ordered=False), validation=0.2, test=0.1, seed=5, near_duplicates=0.6)
rows_of = [[rows.index(row) for row in part] for part in (parts.train, parts.validation, parts.test)]
print(rows_of, parts.kept_together)
"""


def test_does_not_depend_on_the_hash_seed() -> None:
    answers = {
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(answers) == 1
    assert len(answers.pop()) > 500


def test_hold_out_drops_what_was_held_out() -> None:
    train = [
        LabeledText(text="A wonderful film!", label="good"),
        LabeledText(text="one two three four five six seven eight nine ten", label="bad"),
        LabeledText(text="something else altogether", label="bad"),
    ]
    held = [
        LabeledText(text="a wonderful FILM"),
        LabeledText(text="one two three four five six seven eight nine ten eleven"),
    ]
    parts = hold_out(train, held, LABELS, near_duplicates=0.8)
    assert parts.train == (train[2],)
    assert parts.dropped == (train[0], train[1])


def test_hold_out_leaves_duplicates_within_training() -> None:
    train = distinct(2, "good") * 2
    assert hold_out(train, [], LABELS, near_duplicates=0.8).train == tuple(train)
    assert hold_out(train, distinct(1, "bad"), LABELS, near_duplicates=0.8).dropped == ()


@pytest.mark.parametrize(
    ("train", "message"), [([], "no training rows"), (distinct(2, "good"), "all 2 training rows are equal")]
)
def test_hold_out_with_nothing_left_is_an_error(train: list[LabeledText], message: str) -> None:
    with pytest.raises(DataError, match=message):
        hold_out(train, distinct(2, "good"), LABELS, near_duplicates=0.8)


def test_folds_hold_each_row_once_spread_labels_and_keep_near_duplicates_together() -> None:
    examples = distinct(40, "good") + distinct(20, "bad")
    copies = [LabeledText(text=f"{row.text} indeed", label=row.label) for row in examples[:12]]
    numbers = folds([*examples, *copies], LABELS, count=4, seed=3, near_duplicates=0.6)
    assert set(numbers) == {1, 2, 3, 4}
    assert numbers[60:] == numbers[:12]  # a text and its near-duplicate
    for number in range(1, 5):
        labels = Counter(row.label for row, at in zip(examples, numbers, strict=False) if at == number)
        assert labels["bad"] == 5
    assert numbers == folds([*examples, *copies], LABELS, count=4, seed=3, near_duplicates=0.6)


def test_labels_with_fewer_rows_than_folds_are_no_obstacle() -> None:
    examples = distinct(10, "good") + distinct(2, "odd") + distinct(1, "lone")
    numbers = folds(examples, LABELS, count=5, seed=1, near_duplicates=1.0)
    assert len(numbers) == 13
    assert set(numbers) == {1, 2, 3, 4, 5}


def test_more_folds_than_groups_are_refused() -> None:
    with pytest.raises(DataError, match=r"4 rows in 4 groups .* expected at least 5 groups .* fewer folds"):
        folds(distinct(4, "good"), LABELS, count=5, seed=1, near_duplicates=1.0)
