from __future__ import annotations

import math

import numpy as np
import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import RunError
from nlpkit.evaluation.selection import expected_rank, heard, hits, mean_reciprocal_rank, perplexity, pmi_rank
from nlpkit.metrics.sums import score
from tests.speakers import Likely, Unigram

HISTORY = Conversation(turns=(Turn(role="user", text="well?"),), where="talks.jsonl, row 3")


@pytest.mark.parametrize(
    ("means", "rank"),
    [
        ([-1, -2, -3], 1),
        ([-2, -1, -3], 2),
        ([-3, -1, -2], 3),
        ([-1, -1, -3], 1.5),  # a tie for the first place
        ([-1] * 20, 10.5),  # a model that tells nothing apart: the middle
        ([-2, -1, -2, -2, -3], 3),  # second to fourth
        ([-1], 1),
    ],
)
def test_the_rank_of_the_true_reply(means: list[float], rank: float) -> None:
    assert expected_rank([Likely(mean, 1) for mean in means]) == rank


def test_replies_are_ranked_by_the_mean_over_their_tokens() -> None:
    # -6 over 4 tokens is better a token than -4 over 2.
    assert expected_rank([Likely(-6, 4), Likely(-4, 2)]) == 1


def test_pmi_ranks_by_what_the_history_adds_and_not_by_what_is_often_said() -> None:
    # "ok" is likelier than the true reply with the history and without; only the true one gains by it: +4, 0, -1 nats.
    given = [Likely(-8, 4), Likely(-1, 1), Likely(-7, 2)]
    alone = [Likely(-12, 4), Likely(-1, 1), Likely(-6, 2)]
    assert expected_rank(given) == 2
    assert pmi_rank(given, alone) == 1
    # Of the whole reply, not a token: +4 over 8 tokens comes before +3 over 1.
    assert pmi_rank([Likely(-6, 8), Likely(-2, 1)], [Likely(-10, 8), Likely(-5, 1)]) == 1


def test_a_model_that_ignores_the_history_ranks_nothing_by_pmi() -> None:
    # The same likelihoods but for the rounding of single precision: all are ties.
    alone = [Likely(-20 - number, 10) for number in range(20)]
    given = [Likely(one.total + (-1) ** number * 9e-5, 10) for number, one in enumerate(alone)]
    assert pmi_rank(given, alone) == 10.5
    ranks = np.array([10.5] * 4)
    assert hits(ranks, 1, 20, pmi=True).value == 0
    assert hits(ranks, 1, 20, pmi=True).look.title == "hits@1/20 by PMI"


def test_ties_are_no_hits() -> None:
    ranks = np.array([10.5] * 4)
    assert hits(ranks, 1, 20).value == 0
    assert hits(ranks, 5, 20).value == 0
    assert mean_reciprocal_rank(ranks).value == pytest.approx(1 / 10.5)


def test_hits_and_reciprocal_ranks() -> None:
    ranks = np.array([1, 1.5, 5, 20])
    assert hits(ranks, 1, 20).value == 0.25
    assert hits(ranks, 5, 20).value == 0.75
    assert mean_reciprocal_rank(ranks).value == pytest.approx((1 + 1 / 1.5 + 0.2 + 0.05) / 4)
    shown = score(hits(ranks, 1, 20), seed=0)
    assert shown.title == "hits@1/20"
    assert "5% by chance" in shown.meaning
    assert 0 <= shown.low <= 0.25 <= shown.high <= 1


def test_perplexity_weighs_replies_by_their_tokens() -> None:
    # 2 nats over 1 token and 3 over 3: exp(5 / 4), while the mean of the means would give exp(1.5)
    assert perplexity(np.array([2.0, 3.0]), np.array([1, 3])).value == pytest.approx(math.exp(1.25))
    assert not perplexity(np.array([2.0]), np.array([1])).look.higher_is_better


def test_the_perplexity_of_equal_choices_is_their_number() -> None:
    tokens = np.array([3, 5, 2])
    assert perplexity(tokens * math.log(7), tokens).value == pytest.approx(7)


def test_the_unigram_by_hand() -> None:
    # at: 1/3, home: 1/5, the end: 1/2
    found = heard(Unigram(), HISTORY, ["at home"])[0]
    assert found.total == pytest.approx(math.log(1 / 3 * 1 / 5 * 1 / 2))
    assert found.tokens == 3


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([], "0 likelihoods for 1 replies"),
        ([Likely(math.nan, 3)], r"nan over 3 tokens \(talks.jsonl, row 3\)"),
        ([Likely(-math.inf, 3)], "-inf over 3 tokens"),
        ([Likely(-1.0, 0)], "-1.0 over 0 tokens"),
    ],
)
def test_what_is_no_likelihood_is_refused(answer: list[Likely], message: str) -> None:
    class Broken(Unigram):
        def log_likelihoods(self, history, replies):  # type: ignore[no-untyped-def]
            return answer

    with pytest.raises(RunError, match=message):
        heard(Broken(), HISTORY, ["yes"])
