from __future__ import annotations

from benchmarks.chat_defaults import repeats, talks
from nlpkit.data.examples import Conversation, Turn
from nlpkit.evaluation.chat_behavior import CaseResult, ChatCase

QUESTION = Turn(role="user", text="a b c d e")


def answered(*replies: str) -> CaseResult:
    turns = [turn for reply in replies for turn in (QUESTION, Turn(role="assistant", text=reply))]
    return CaseResult(
        case=ChatCase(topic="no repetition", half="dev", turns=("Hi",)),
        conversation=Conversation(turns=tuple(turns)),
        passed=True,
        ended=len(replies),
        replies=len(replies),
    )


def test_d1_repeats_are_counted_within_and_across_the_replies_of_a_conversation() -> None:
    within, across = repeats(
        [
            # Runs of four words: 1, then 5, whose first and last are a-b-c-d, as in the reply before
            answered("A b c d!", "a b c d, a b c d"),
            answered("a b c d", "one two three"),
        ]
    )
    assert within.over.tolist() == [1, 0]
    assert across.over.tolist() == [2, 0]
    assert within.under.tolist() == across.under.tolist() == [6, 1]


def test_d1_the_longer_conversations_are_answered_by_the_model_alone() -> None:
    cases = talks()
    assert [case.turns.count(None) for case in cases] == [6, 6, 6]
    assert all(turn is None for case in cases for turn in case.turns[1::2])
