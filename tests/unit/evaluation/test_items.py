from __future__ import annotations

from collections import Counter

import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import DataError
from nlpkit.evaluation.items import Picked, Reach, last_turns, pick_items
from tests.speakers import conversations


def talk(*texts: str, first: str = "user", id: str = "") -> Conversation:
    roles = ("user", "assistant") if first == "user" else ("assistant", "user")
    return Conversation(
        turns=tuple(Turn(role=roles[place % 2], text=text) for place, text in enumerate(texts)), id=id
    )


def pick(talks: list[Conversation], items: int = 10, candidates: int = 5, seed: int = 1) -> Picked:
    return pick_items(talks, items=items, candidates=candidates, seed=seed)


def test_each_item_is_a_reply_with_what_came_before_it() -> None:
    talks = conversations(12)
    for item in pick(talks, items=40).items:
        whole = next(one for one in talks if one.id == item.history.id)
        place = len(item.history.turns)
        assert whole.turns[:place] == item.history.turns
        assert whole.turns[place] == Turn(role="assistant", text=item.reply)
        assert item.history.turns[-1].role == "user"


def test_the_same_seed_picks_the_same_and_another_seed_others() -> None:
    talks = conversations(30)
    assert pick(talks) == pick(talks)
    assert pick(talks) != pick(talks, seed=2)


def test_items_are_spread_and_no_conversation_gives_more_than_three() -> None:
    talks = conversations(5, turns=20)
    one_each = pick(talks, items=5)
    assert len({item.history.id for item in one_each.items}) == 5 == one_each.conversations
    assert Counter(item.history.id for item in pick(talks, items=100).items) == {
        f"c{number}": 3 for number in range(5)
    }


def test_replies_with_something_before_them_and_something_in_them_come_first() -> None:
    talks = [
        talk("hello there", "good day", "how are you", "yes", "so tell me", "all is well"),
        talk("a b", "c d", "e f", "g h"),
    ]
    # Each conversation has one reply of two words after three turns; then c d and good day; yes is last.
    replies = [item.reply for item in pick(talks, items=10, candidates=2).items]
    assert set(replies[:2]) == {"all is well", "g h"}
    assert set(replies[2:4]) == {"good day", "c d"}
    assert replies[4:] == ["yes"]


def test_a_bot_that_begins_is_not_asked_about_its_first_words() -> None:
    talks = [
        talk("hi you", "hello", "as I said", first="assistant"),
        talk("hi me", "oh", "never mind", first="assistant"),
    ]
    assert {item.reply for item in pick(talks).items} == {"as I said", "never mind"}


def test_distractors_come_from_other_conversations_and_all_say_different_things() -> None:
    talks = [
        talk("x", "Good day", id="a"),
        talk("x", "good  DAY", "y", "one thing", id="b"),
        talk("x", "one thing", "y", "ONE THING", id="c"),
        talk("x", "my view", id="a"),
        talk("x", "no", "y", "third thing", id="d"),
    ]
    item = next(item for item in pick(talks, items=20, candidates=20).items if item.reply == "Good day")
    said = [one.lower() for one in item.distractors]
    # Not `good  DAY`, which says the same; not `my view` of a's other view; not `no`, a word alone. c's
    # replies say the same as b's.
    assert sorted(said) == ["one thing", "third thing"]


def test_all_items_have_equally_many_distractors() -> None:
    assert {
        len(item.distractors) for item in pick(conversations(3, turns=4), items=20, candidates=20).items
    } == {4}
    assert {len(item.distractors) for item in pick(conversations(30), items=20, candidates=20).items} == {19}
    assert {len(item.distractors) for item in pick(conversations(1), items=20).items} == {0}


@pytest.mark.parametrize("seed", range(20))
def test_a_shuffled_history_has_the_same_texts_in_another_order_and_the_same_roles(seed: int) -> None:
    for item in pick(conversations(8, turns=4), seed=seed).items:
        if len(item.history.turns) < 2:
            assert item.shuffled is None
            continue
        assert item.shuffled is not None
        assert [turn.role for turn in item.shuffled.turns] == [turn.role for turn in item.history.turns]
        texts, mixed = ([turn.text for turn in one.turns] for one in (item.history, item.shuffled))
        assert sorted(texts) == sorted(mixed)
        assert texts != mixed


def test_equal_turns_have_no_other_order() -> None:
    talks = [talk("no", "no", "no", "well yes"), talk("a b", "c d", "e f", "g h")]
    assert next(item for item in pick(talks).items if item.reply == "well yes").shuffled is None


def test_another_history_is_the_end_of_another_conversation_with_the_same_roles() -> None:
    talks = conversations(6, turns=6)
    for item in pick(talks, items=18).items:
        assert item.foreign is not None
        assert item.foreign.id == item.history.id
        assert [turn.role for turn in item.foreign.turns] == [turn.role for turn in item.history.turns]
        owners = {turn.text.split()[0] for turn in item.foreign.turns}
        assert len(owners) == 1
        assert owners != {item.history.turns[0].text.split()[0]}
        # turn 5 is the last reply: what stands before it ends with turn 4
        assert item.foreign.turns[-1].text.split()[1].endswith("x4")


def test_the_longest_history_has_no_other_of_its_length() -> None:
    talks = [talk(*(f"turn {number}" for number in range(8))), talk("a b", "c d"), talk("e f", "g h")]
    items = pick(talks, items=1).items
    assert [len(item.history.turns) for item in items] in ([3], [5], [7])
    assert items[0].foreign is None


def test_what_the_bot_is_told_beforehand_stays() -> None:
    prompted = Conversation(turns=conversations(1)[0].turns, system="You are a pirate.", id="p")
    item = next(one for one in pick([prompted, *conversations(5)], items=20).items if one.history.id == "p")
    for history in (item.history, item.shuffled, item.foreign, item.silent):
        assert history is not None
        assert history.system == "You are a pirate."
    assert item.silent.turns == ()


def test_the_last_turns() -> None:
    history = talk("a", "b", "c")
    assert [[turn.text for turn in last_turns(history, turns).turns] for turns in (0, 1, 2, 3, 9)] == [
        [], ["c"], ["b", "c"], ["a", "b", "c"], ["a", "b", "c"],
    ]  # fmt: skip


def test_what_does_not_fit_is_passed_over_and_counted() -> None:
    talks = [
        talk("a b", "c d", "e f", "much too long"),
        talk("q r", "s t", "u v", "w x"),
        talk("i j", "too long k", "l m", "n o"),
    ]
    picked = pick_items(
        talks, items=20, candidates=20, seed=1, reach=Reach(fits=lambda history, reply: "long" not in reply)
    )
    assert sorted(item.reply for item in picked.items) == ["c d", "n o", "s t", "w x"]
    assert picked.unfit == 2
    assert not any("long" in one for item in picked.items for one in item.distractors)


def test_nothing_to_ask_about_is_an_error() -> None:
    with pytest.raises(DataError, match=r"2 conversations: no turn of the model.s side follows another"):
        pick([talk("hello"), talk("hi", "you", first="assistant")])
    with pytest.raises(DataError, match="none of 2 replies fits"):
        pick_items(
            [talk("a", "b"), talk("c", "d")],
            items=5,
            candidates=2,
            seed=1,
            reach=Reach(fits=lambda history, reply: False),
        )


def test_another_order_holds_only_what_the_model_reads_of_a_long_history() -> None:
    """Turns that have dropped out of the window must not come back by being shuffled to its end."""
    reach = Reach(seen=lambda history, replies: last_turns(history, 4))
    for item in pick_items(conversations(9, turns=20), items=9, candidates=3, seed=1, reach=reach).items:
        assert len(item.history.turns) == 4
        assert item.shuffled is not None
        assert item.foreign is not None
        assert sorted(turn.text for turn in item.shuffled.turns) == sorted(
            turn.text for turn in item.history.turns
        )
        assert item.shuffled.turns != item.history.turns
        assert [turn.role for turn in item.foreign.turns] == [turn.role for turn in item.history.turns]
