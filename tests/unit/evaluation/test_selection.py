from __future__ import annotations

import math

import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import RunError
from nlpkit.evaluation.selection import expected_rank, pmi_rank
from nlpkit.generation.speaker import checked_likelihoods
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
    # "ok" is likelier than the true reply with the history and without; only the true one gains by it: +4, 0,
    # -1 nats.
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


def test_the_unigram_by_hand() -> None:
    # at: 1/3, home: 1/5, the end: 1/2
    found = checked_likelihoods(Unigram(), HISTORY, ["at home"])[0]
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
        checked_likelihoods(Broken(), HISTORY, ["yes"])
