from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from nlpkit.evaluation.replies import (
    LOOKS,
    bertscore,
    distinct,
    measure_replies,
    overlap,
    repeated_replies,
    repeated_runs,
    token_f1,
    words,
)
from nlpkit.metrics.sums import score

LOOK = LOOKS["distinct-1"]


def spoken(*texts: str) -> list[list[str]]:
    return [words(text) for text in texts]


def test_words_leave_out_case_and_punctuation() -> None:
    assert words("Don't – I said: NO, Zoë; 3.5 'quoted'!") == [
        "don't",
        "i",
        "said",
        "no",
        "zoë",
        "3",
        "5",
        "quoted",
    ]
    assert words("... 🙂") == []


def test_distinct_counts_over_all_replies_together() -> None:
    # i am here / i am there too: 7 words, i am here there too: 5; 5 pairs, of which `i am` twice
    said = spoken("I am here.", "I am there too")
    assert distinct(LOOK, said, 1).value == pytest.approx(5 / 7)
    assert distinct(LOOK, said, 2).value == pytest.approx(4 / 5)
    # without the first: 4 of 4; without the second: 3 of 3
    assert distinct(LOOK, said, 1).without.tolist() == [1, 1]


@pytest.mark.parametrize("size", [1, 2])
def test_leaving_a_reply_out_is_measuring_without_it(size: int) -> None:
    random = np.random.default_rng(0)
    said = [random.choice(list("abcdefgh"), random.integers(0, 9)).tolist() for _ in range(12)]
    found = distinct(LOOK, said, size)
    expected = [distinct(LOOK, said[:place] + said[place + 1 :], size).value for place in range(12)]
    assert found.without == pytest.approx(expected)


def test_distinct_of_silence_is_undefined() -> None:
    found = score(distinct(LOOK, spoken("", "🙂"), 1), seed=0, undefined="no reply has words")
    assert (found.value, found.undefined) == (None, "no reply has words")


def test_runs_that_a_reply_says_again() -> None:
    # a b c d a b c d: 5 runs of four, the last one is the first again
    assert repeated_runs(list("abcdabcd")) == (1, 5)
    assert repeated_runs(list("aaaaaaa")) == (3, 4)
    assert repeated_runs(list("abc")) == (0, 0)


def test_replies_that_equal_another() -> None:
    said = spoken("Yes!", "no", "yes", "maybe", "NO", "no.")
    found = repeated_replies(LOOK, said)
    assert found.value == pytest.approx(5 / 6)
    # Without a yes the other is single: 3 of 5. Without a no the two others still are equal: 4 of 5. Without maybe: 5 of 5.
    assert found.without == pytest.approx([3 / 5, 4 / 5, 3 / 5, 1, 4 / 5, 4 / 5])
    assert repeated_replies(LOOK, spoken("a", "b")).value == 0


@pytest.mark.parametrize(
    ("reply", "truth", "f1"),
    [
        ("The cat sat.", "a cat sat", 1),
        ("cat", "cat sat", 2 / 3),  # precision 1, recall 1/2
        ("no no no", "no way", 0.4),  # one in common of three and of two
        ("dog", "cat", 0),
        ("", "cat", 0),
        ("the", "a", 1),  # nothing is left of either
    ],
)
def test_token_f1_by_hand(reply: str, truth: str, f1: float) -> None:
    assert token_f1(reply, truth) == pytest.approx(f1)


def test_bleu_and_chrf_are_those_of_sacrebleu() -> None:
    replies = ["the cat is on the mat", "I like green tea very much", "", "what do you mean by that ?"]
    truths = ["there is a cat on the mat", "I like black tea very much", "yes", "what do you mean"]
    found = overlap(replies, truths)
    assert found["bleu"].value == pytest.approx(BLEU().corpus_score(replies, [truths]).score)
    assert found["chrf"].value == pytest.approx(CHRF().corpus_score(replies, [truths]).score)
    assert found["bleu"].value > 10
    for name in ("bleu", "chrf"):
        shown = score(found[name], seed=0)
        assert shown.low < shown.value < shown.high
    assert overlap(truths, truths)["bleu"].value == pytest.approx(100)


def test_bertscore_matches_each_token_with_its_likest() -> None:
    # One reply token is the first truth token, the other at 45 degrees to both: precision (1 + h) / 2; recall (1 + h) / 2.
    half = 0.5**0.5
    truth = np.array([[2.0, 0.0], [0.0, 3.0]])
    reply = np.array([[5.0, 0.0], [1.0, 1.0]])
    assert bertscore(reply, truth) == pytest.approx((1 + half) / 2)
    # One token against two: precision 1, recall (1 + 0) / 2 -> 2/3
    assert bertscore(np.array([[1.0, 0.0]]), truth) == pytest.approx(2 / 3)
    assert bertscore(truth, truth) == pytest.approx(1)
    assert bertscore(np.empty((0, 2)), truth) == 0


def test_the_measures_stand_in_the_order_in_which_they_are_shown() -> None:
    def embed(texts):  # type: ignore[no-untyped-def]
        return [np.array([[len(word), 1.0] for word in text.split()]).reshape(-1, 2) for text in texts]

    replies, truths = (
        ["go away you fool", "good morning", "good morning"],
        ["hello", "good morning", "how nice"],
    )
    found = measure_replies(replies, truths, embed=embed, negative=lambda texts: [0.95, 0.9, 0.89])
    assert list(found) == list(LOOKS)
    values = {name: score(one, seed=0).value for name, one in found.items()}
    assert values["hostile"] == pytest.approx(2 / 3)
    assert values["repeated_replies"] == pytest.approx(2 / 3)
    assert values["words"] == pytest.approx(8 / 3)
    assert values["token_f1"] == pytest.approx(1 / 3)
    assert values["distinct-1"] == pytest.approx(6 / 8)
    assert values["distinct-2"] == pytest.approx(4 / 5)
    assert 0 < values["bertscore"] <= 1
    assert "no detector of toxicity" in found["hostile"].look.meaning


def test_what_has_no_instrument_is_left_out() -> None:
    found = measure_replies(["yes"], ["no"], embed=None, negative=None)
    assert not {"bertscore", "hostile"} & set(found)
