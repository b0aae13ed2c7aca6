from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from nlpkit.evaluation.instruments import Instruments
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.metric import Jackknife, Metric, find_metric
from nlpkit.metrics.replies import REPLY_METRICS, ReplyOutcomes, bertscore, repeated_runs, token_f1, words


def metric(name: str) -> Metric[ReplyOutcomes]:
    return find_metric(name, REPLY_METRICS)


def spoken(*replies: str, truths: tuple[str, ...] = ()) -> ReplyOutcomes:
    return ReplyOutcomes(replies=replies, truths=truths or replies, bertscores="no encoder", negative="none")


def without(name: str, outcomes: ReplyOutcomes) -> list[float]:
    way = metric(name).resample(outcomes)
    assert isinstance(way, Jackknife)
    left: list[float] = way.without.tolist()
    return left


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
    outcomes = spoken("I am here.", "I am there too")
    assert metric("distinct-1").value(outcomes) == pytest.approx(5 / 7)
    assert metric("distinct-2").value(outcomes) == pytest.approx(4 / 5)
    # without the first: 4 of 4; without the second: 3 of 3
    assert without("distinct-1", outcomes) == [1, 1]


@pytest.mark.parametrize("name", ["distinct-1", "distinct-2"])
def test_leaving_a_reply_out_is_measuring_without_it(name: str) -> None:
    random = np.random.default_rng(0)
    replies = [" ".join(random.choice(list("abcdefgh"), random.integers(0, 9))) for _ in range(12)]
    expected = [metric(name).value(spoken(*replies[:row], *replies[row + 1 :])) for row in range(12)]
    assert without(name, spoken(*replies)) == pytest.approx(expected)


def test_distinct_of_silence_is_undefined() -> None:
    score = bootstrap(spoken("", "🙂"), [metric("distinct-1")], seed=0)["distinct-1"]
    assert (score.value, score.undefined) == (None, "no reply has words")
    few = bootstrap(spoken("hello"), [metric("self_repetition")], seed=0)["self_repetition"]
    assert (few.value, few.undefined) == (None, "no reply has four words")


def test_runs_that_a_reply_says_again() -> None:
    # a b c d a b c d: 5 runs of four, the last one is the first again
    assert repeated_runs(list("abcdabcd")) == (1, 5)
    assert repeated_runs(list("aaaaaaa")) == (3, 4)
    assert repeated_runs(list("abc")) == (0, 0)


def test_replies_that_equal_another() -> None:
    outcomes = spoken("Yes!", "no", "yes", "maybe", "NO", "no.")
    assert metric("repeated_replies").value(outcomes) == pytest.approx(5 / 6)
    # Without a yes the other is single: 3 of 5. Without a no the two others still are equal: 4 of 5. Without
    # maybe: 5 of 5.
    assert without("repeated_replies", outcomes) == pytest.approx([3 / 5, 4 / 5, 3 / 5, 1, 4 / 5, 4 / 5])
    assert metric("repeated_replies").value(spoken("a", "b")) == 0


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
    outcomes = spoken(*replies, truths=tuple(truths))
    bleu, chrf = metric("bleu"), metric("chrf")
    assert bleu.value(outcomes) == pytest.approx(BLEU().corpus_score(replies, [truths]).score)
    assert chrf.value(outcomes) == pytest.approx(CHRF().corpus_score(replies, [truths]).score)
    assert (bleu.value(outcomes) or 0) > 10
    for score in bootstrap(outcomes, [bleu, chrf], seed=0).values():
        assert score.low is not None
        assert score.high is not None
        assert score.low < (score.value or 0) < score.high
    assert bleu.value(spoken(*truths)) == pytest.approx(100)


def test_bertscore_matches_each_token_with_its_likest() -> None:
    # One reply token is the first truth token, the other at 45 degrees to both: precision (1 + h) / 2; recall
    # (1 + h) / 2.
    half = 0.5**0.5
    truth = np.array([[2.0, 0.0], [0.0, 3.0]])
    reply = np.array([[5.0, 0.0], [1.0, 1.0]])
    assert bertscore(reply, truth) == pytest.approx((1 + half) / 2)
    # One token against two: precision 1, recall (1 + 0) / 2 -> 2/3
    assert bertscore(np.array([[1.0, 0.0]]), truth) == pytest.approx(2 / 3)
    assert bertscore(truth, truth) == pytest.approx(1)
    assert bertscore(np.empty((0, 2)), truth) == 0


def test_the_measuring_models_are_asked_and_each_metric_by_hand() -> None:
    def embed(texts: Any) -> list[Any]:
        return [np.array([[len(word), 1.0] for word in text.split()]).reshape(-1, 2) for text in texts]

    replies = ["go away you fool", "good morning", "good morning"]
    truths = ["hello", "good morning", "how nice"]
    tools = Instruments(embed=embed, negative=lambda texts: [0.95, 0.9, 0.89])
    outcomes = tools.measure(replies, truths)
    values = {metric.name: metric.value(outcomes) for metric in REPLY_METRICS}
    assert values["hostile"] == pytest.approx(2 / 3)
    assert values["repeated_replies"] == pytest.approx(2 / 3)
    assert values["words"] == pytest.approx(8 / 3)
    assert values["token_f1"] == pytest.approx(1 / 3)
    assert values["distinct-1"] == pytest.approx(6 / 8)
    assert values["distinct-2"] == pytest.approx(4 / 5)
    assert 0 < (values["bertscore"] or 0) <= 1
    assert "no detector of toxicity" in metric("hostile").meaning


def test_what_has_no_measuring_model_says_why() -> None:
    scores = bootstrap(spoken("yes"), [metric("bertscore"), metric("hostile")], seed=0)
    assert [score.undefined for score in scores.values()] == ["no encoder", "none"]
    assert not replace(spoken("a"), truths=("b",)).same_rows(spoken("a"))
