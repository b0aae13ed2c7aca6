from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.data.conversation_splits import conversation_groups
from nlpkit.data.examples import Conversation, Turn
from nlpkit.data.splits import HeldOut, Split, hold_out, split
from nlpkit.errors import DataError
from nlpkit.tasks.answers.reply import Reply


def talk(text: str, *, id: str = "") -> Conversation:
    words = text.split()
    return Conversation(
        turns=(Turn(role="user", text=" ".join(words[:2])), Turn(role="assistant", text=" ".join(words[2:]))),
        id=id,
    )


def distinct(count: int, first: int = 0) -> list[Conversation]:
    return [
        talk(f"a{place} b{place} c{place} d{place}", id=f"talk#{place}")
        for place in range(first, first + count)
    ]


def mirrored(one: Conversation) -> Conversation:
    other = {"user": "assistant", "assistant": "user"}
    return Conversation(
        turns=tuple(Turn(role=other[turn.role], text=turn.text) for turn in one.turns), id=one.id
    )  # type: ignore[arg-type]


def cut(
    conversations: list[Conversation],
    validation: float = 0.2,
    test: float = 0.0,
    seed: int = 0,
    near: float = 0.8,
) -> Split[Conversation]:
    return split(conversations, Reply(), validation=validation, test=test, seed=seed, near_duplicates=near)


def without(train: list[Conversation], held: list[Conversation]) -> HeldOut[Conversation]:
    return hold_out(train, held, Reply(), near_duplicates=0.8)


def test_sizes_follow_the_shares_and_the_seed_decides() -> None:
    conversations = distinct(50)
    parts = cut(conversations, validation=0.1, test=0.2)
    assert (len(parts.train), len(parts.validation), len(parts.test), parts.kept_together) == (35, 5, 10, 0)
    assert sorted((*parts.train, *parts.validation, *parts.test), key=conversations.index) == conversations
    assert [conversations.index(one) for one in parts.train] == sorted(
        conversations.index(one) for one in parts.train
    )
    assert cut(conversations, validation=0.1, test=0.2) == parts
    assert cut(conversations, validation=0.1, test=0.2, seed=1).test != parts.test


def test_short_and_long_conversations_are_spread_alike() -> None:
    short, long = (
        distinct(20),
        [Conversation(turns=one.turns * 4, id=one.id) for one in distinct(20, first=20)],
    )
    conversations = short + [view for one in long for view in (one, mirrored(one))]
    parts = cut(conversations, validation=0.1, test=0.2)
    # By the shares of 20 short ones and 40 views of long ones.
    assert Counter(len(one.turns) for one in parts.validation) == {2: 2, 8: 4}
    assert Counter(len(one.turns) for one in parts.test) == {2: 4, 8: 8}


def test_both_views_and_all_parts_of_a_conversation_stay_on_one_side() -> None:
    conversations = [
        view
        for one in distinct(20)
        for view in (one, mirrored(one), talk(f"{one.id} part two of it", id=one.id))
    ]
    parts = cut(conversations, validation=0.2, test=0.2)
    sides = [{one.id for one in part} for part in (parts.train, parts.validation, parts.test)]
    assert [len(side) for side in sides] == [12, 4, 4]
    assert len(set.union(*sides)) == 20  # and so nothing stands on two sides
    assert parts.kept_together == 60


def test_groups_join_ids_and_near_equal_texts_through_chains() -> None:
    same = "one two three four five six seven eight nine ten eleven twelve"
    conversations = [
        talk(same, id="a"),
        talk("quite another talk it is", id="b"),
        talk(f"{same} thirteen", id="b"),  # 11 of 12 word pairs in common: 0.92
        talk("nobody knows this one here", id="c"),
        talk("no id has this", id=""),
        talk("nor has that one", id=""),
    ]
    assert conversation_groups(conversations, near_duplicates=0.8, seed=0) == [0, 0, 0, 1, 2, 3]
    assert conversation_groups(conversations, near_duplicates=1.0, seed=0) == [0, 1, 1, 2, 3, 4]


def test_equal_texts_cut_into_turns_differently_are_one_conversation() -> None:
    one = talk("a b c d", id="1")
    other = Conversation(
        turns=(Turn(role="user", text="a"), Turn(role="assistant", text="b c"), Turn(role="user", text="D!")),
        id="2",
    )
    assert conversation_groups([one, other], near_duplicates=1.0, seed=0) == [0, 0]


def test_what_is_held_out_is_dropped_from_training_by_text_and_by_id() -> None:
    train = [*distinct(3), talk("said in other words", id="talk#9")]
    held = [talk("A1, b1! c1 d1", id="other#1"), talk("nothing like the one", id="talk#9")]
    parts = without(train, held)
    assert parts.train == (train[0], train[2])
    assert parts.dropped == (train[1], train[3])
    assert without(train, distinct(2, first=50)).dropped == ()


def test_nothing_left_to_train_on_is_an_error() -> None:
    with pytest.raises(
        DataError, match="all 2 training conversations are equal or near-equal to held-out ones"
    ):
        without(distinct(2), distinct(3))
    with pytest.raises(DataError, match="no training conversations"):
        without([], distinct(3))


def test_an_empty_part_is_an_error_that_speaks_of_conversations() -> None:
    with pytest.raises(DataError, match=r"^train conversations: none left of 1 conversations in 1 groups"):
        cut(distinct(1))
    with pytest.raises(DataError, match="there are no conversations to split"):
        cut([])


@settings(max_examples=60, deadline=None)
@given(
    keys=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=14),
    seed=st.integers(0, 3),
)
def test_no_id_and_no_text_stands_on_two_sides(keys: list[tuple[int, int]], seed: int) -> None:
    conversations = [talk(f"a{text} b{text} c{text}", id=f"t#{id}") for id, text in keys]
    try:
        parts = cut(conversations, validation=0.3, test=0.2, seed=seed)
    except DataError:
        return
    sides = [parts.train, parts.validation, parts.test]
    for here in range(3):
        for there in range(here):
            assert not {one.id for one in sides[here]} & {one.id for one in sides[there]}
            assert not {one.turns for one in sides[here]} & {one.turns for one in sides[there]}
