"""Rated replies and pairs: every shape that people have, what is refused, and nothing held out is seen."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from nlpkit.data.examples import Conversation, Turn
from nlpkit.data.preference_rows import PreferenceSource, parse
from nlpkit.data.preference_splits import drop_seen, hold_out
from nlpkit.data.preferences import RatedReply, ReplyPair, pair_up, refuse_useless, sample, take_apart
from nlpkit.data.records import Record, read_records
from nlpkit.errors import DataError

HELLO = [{"role": "user", "content": "hello"}]


def record(**fields: Any) -> Record:
    return Record(fields=fields, file="rated.jsonl", row=7)


def source(**settings: Any) -> PreferenceSource:
    return PreferenceSource(source="rated.jsonl", **settings)


def rated(user: str, reply: str, liked: bool, **about: str) -> RatedReply:
    return RatedReply(
        history=Conversation(turns=(Turn(role="user", text=user),), **about), reply=reply, liked=liked
    )


def pair(user: str, chosen: str = "yes", rejected: str = "no", **about: str) -> ReplyPair:
    return ReplyPair(
        history=Conversation(turns=(Turn(role="user", text=user),), **about), chosen=chosen, rejected=rejected
    )


def test_a_rated_reply_keeps_its_history_its_system_and_its_place() -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        *HELLO,
        {"role": "assistant", "content": "hi"},
        {"role": "user", "content": "bye"},
    ]
    found = parse(record(messages=messages, reply="see you", rating="up"), source())
    assert found == RatedReply(
        history=Conversation(
            turns=(
                Turn(role="user", text="hello"),
                Turn(role="assistant", text="hi"),
                Turn(role="user", text="bye"),
            ),
            system="Be kind.",
            where="rated.jsonl, row 7",
        ),
        reply="see you",
        liked=True,
    )


def test_a_pair_of_plain_texts_and_one_of_messages_are_the_same() -> None:
    plain = parse(record(prompt="hello", chosen="hi!", rejected="what?"), source())
    answers = {
        name: [{"role": "assistant", "content": text}]
        for name, text in (("chosen", "hi!"), ("rejected", "what?"))
    }
    assert plain == parse(record(prompt=HELLO, **answers), source())
    # the conversation may also stand before each reply in its own column
    assert plain == parse(record(**{name: HELLO + answer for name, answer in answers.items()}), source())
    assert isinstance(plain, ReplyPair)
    assert (plain.history.turns, plain.chosen, plain.rejected) == (
        (Turn(role="user", text="hello"),),
        "hi!",
        "what?",
    )


def test_s2_a_reply_that_ends_the_messages_is_rated_by_their_label() -> None:
    """S2: a row of TRL's KTO files, read with what the dialogue recipe's hint says."""
    row = record(messages=[*HELLO, {"role": "assistant", "content": "Go away."}], label=False)
    assert parse(row, source(reply="messages", rating="label")) == rated(
        "hello", "Go away.", liked=False, where="rated.jsonl, row 7"
    )
    counted = record(messages=row.fields["messages"], label=0)
    settings = source(reply="messages", rating="label", ratings={1: "up", 0: "down"})
    assert not parse(counted, settings).liked  # type: ignore[union-attr]


def test_r3_text_parts_are_joined() -> None:
    """R3: in the history and in the reply; other parts are refused."""
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    reply = [{"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}]
    row = record(messages=[{"role": "user", "content": parts}], reply=reply, rating="up")
    assert parse(row, source()) == rated("hel\nlo", "Hi", liked=True, where="rated.jsonl, row 7")
    pictured = record(messages=[{"role": "user", "content": [{"type": "image"}]}], reply="Hi", rating="up")
    with pytest.raises(
        DataError, match=r"message 1: expected parts of text, found a part of the type 'image'"
    ):
        parse(pictured, source())


def test_names_of_other_tools_and_two_messages_of_one_side() -> None:
    found = parse(
        record(
            messages=[{"from": "human", "value": "hello"}, {"from": "human", "value": "you there?"}],
            reply="yes",
            rating=1,
        ),
        source(),
    )
    assert found.history.turns == (Turn(role="user", text="hello\nyou there?"),)


def test_columns_go_by_the_names_that_the_source_says() -> None:
    found = parse(
        record(chat=HELLO, persona="I am Ada.", answer="hi", stars=5, talk=12),
        source(
            messages="chat",
            system="persona",
            reply="answer",
            rating="stars",
            ratings={5: "up", 1: "down"},
            conversation="talk",
        ),
    )
    assert isinstance(found, RatedReply)
    assert (found.history.system, found.history.id, found.reply, found.liked) == (
        "I am Ada.",
        "12",
        "hi",
        True,
    )


@pytest.mark.parametrize("rating", ["up", " Up ", "1", 1, 1.0, True, "true", "+1"])
def test_what_means_liked(rating: object) -> None:
    assert parse(record(messages=HELLO, reply="hi", rating=rating), source()).liked  # type: ignore[union-attr]


@pytest.mark.parametrize("rating", ["down", -1, "-1", -1.0, False, "FALSE"])
def test_what_means_disliked(rating: object) -> None:
    assert not parse(record(messages=HELLO, reply="hi", rating=rating), source()).liked  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (
            {"messages": HELLO, "reply": "hi", "rating": 0},
            "column 'rating': found 0; expected one of up, down",
        ),
        ({"messages": HELLO, "reply": "hi", "rating": None}, "found nothing"),
        ({"messages": HELLO, "reply": " ", "rating": 1}, "column 'reply': the text is empty"),
        ({"messages": HELLO, "reply": "hi"}, "no column 'rating'"),
        ({"messages": HELLO, "replly": "hi", "rating": 1}, "did you mean 'replly'"),
        ({"reply": "hi", "rating": 1}, "expected the conversation before the reply"),
        ({"massages": HELLO, "reply": "hi", "rating": 1}, "did you mean 'massages'"),
        ({"messages": 3, "reply": "hi", "rating": 1}, "expected a list of messages, found int"),
        ({"messages": "[{broken", "reply": "hi", "rating": 1}, "column 'messages': not JSON"),
        (
            {"messages": ["hello"], "reply": "hi", "rating": 1},
            "message 1: expected an object of role and content",
        ),
        ({"messages": [{"role": "user"}], "reply": "hi", "rating": 1}, "message 1: no text"),
        (
            {"messages": [{"role": "user", "content": " "}], "reply": "hi", "rating": 1},
            "message 1: an empty text",
        ),
        ({"messages": [{"content": "hello"}], "reply": "hi", "rating": 1}, "message 1: the role None"),
        (
            {"messages": [{"role": "usr", "content": "hello"}], "reply": "hi", "rating": 1},
            "did you mean 'user'",
        ),
        (
            {"messages": [{"role": "tool", "content": "42"}], "reply": "hi", "rating": 1},
            "the role 'tool'; expected one of user",
        ),
        (
            {"messages": [*HELLO, {"role": "system", "content": "be"}], "reply": "hi", "rating": 1},
            "message 2: a system message",
        ),
        (
            {"messages": [*HELLO, {"role": "assistant", "content": "hi"}], "reply": "x", "rating": 1},
            "the last turn is the assistant's",
        ),
        ({"prompt": "hello", "chosen": "hi", "rejected": "hi "}, "hold the same reply"),
        ({"prompt": "hello", "chosen": "hi"}, "no column 'rejected'"),
        ({"prompt": "hello", "chosen": "hi", "rejected": ""}, "column 'rejected': the text is empty"),
        (
            {"prompt": "hello", "chosen": HELLO, "rejected": "no"},
            "column 'chosen': the last message is the user's",
        ),
        ({"chosen": "hi", "rejected": "no"}, "expected the conversation before the reply"),
    ],
)
def test_a_row_that_cannot_be_meant_is_refused_with_its_place(fields: dict[str, Any], expected: str) -> None:
    with pytest.raises(DataError, match=r"^rated\.jsonl, row 7") as error:
        parse(record(**fields), source())
    assert expected in str(error.value)


def test_a_pair_of_two_conversations_is_refused() -> None:
    other = [{"role": "user", "content": "bye"}]
    answer = [{"role": "assistant", "content": "hi"}]
    with pytest.raises(DataError, match="begin with different messages"):
        parse(record(chosen=HELLO + answer, rejected=other + answer), source())


def test_two_systems_that_differ_are_refused() -> None:
    messages = [{"role": "system", "content": "Be kind."}, *HELLO]
    with pytest.raises(DataError, match="a system message and a column 'system' that differs"):
        parse(record(messages=messages, system="Be rude.", reply="hi", rating=1), source())


@pytest.mark.parametrize("column", ["system", "conversation"])
def test_a_column_that_the_source_names_must_be_there(column: str) -> None:
    with pytest.raises(DataError, match="no column 'replyy'; did you mean 'reply'"):
        parse(record(messages=HELLO, reply="hi", rating=1), source(**{column: "replyy"}))


def test_a_file_of_each_format_gives_the_same_rows(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [
        {"messages": HELLO, "reply": "hi", "rating": "up"},
        {"messages": HELLO, "reply": "no", "rating": "down"},
    ]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    with (tmp_path / "a.csv").open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(
            [
                ["messages", "reply", "rating"],
                *([json.dumps(HELLO), row["reply"], row["rating"]] for row in rows),
            ]
        )
    found = [
        [
            (one.history.turns, one.reply, one.liked)
            for one in (parse(row, source()) for row in read_records(tmp_path / f"a.{name}"))
        ]  # type: ignore[union-attr]
        for name in ("jsonl", "parquet", "csv")
    ]
    assert (
        found[0]
        == found[1]
        == found[2]
        == [
            ((Turn(role="user", text="hello"),), "hi", True),
            ((Turn(role="user", text="hello"),), "no", False),
        ]
    )


def test_replies_to_one_history_become_pairs() -> None:
    rows = [
        rated("a", "one", True),
        rated("a ", "two", True),
        rated("a", "bad", False),
        rated("b", "alone", True),
        rated("c", "sad", False),
    ]
    # the disliked reply stands against both liked ones; b and c have nothing to stand against
    assert [(one.chosen, one.rejected) for one in pair_up(rows)] == [("one", "bad"), ("two", "bad")]


def test_a_reply_that_one_liked_and_another_did_not_makes_no_pair() -> None:
    assert pair_up([rated("a", "same", True), rated("a", "same ", False)]) == []


def test_a_pair_taken_apart_and_put_together_is_itself() -> None:
    assert pair_up(take_apart([pair("a"), pair("b")])) == [pair("a"), pair("b")]


def test_a_sample_is_the_same_for_a_seed_and_keeps_the_order() -> None:
    rows = [pair(str(number)) for number in range(50)]
    assert sample(rows, None, seed=1) == rows == sample(rows, 99, seed=1)
    found = sample(rows, 10, seed=1)
    assert found == sample(rows, 10, seed=1) != sample(rows, 10, seed=2)
    assert [rows.index(one) for one in found] == sorted(rows.index(one) for one in found)


def test_only_thumbs_up_or_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="all 20 replies are rated up; expected both"):
        refuse_useless([rated(str(number), "x", True) for number in range(20)], where="rated.jsonl")
    with pytest.raises(DataError, match="all 20 replies are rated down"):
        refuse_useless([rated(str(number), "x", False) for number in range(20)], where="rated.jsonl")
    with pytest.raises(DataError, match="9 rows; expected at least 10"):
        refuse_useless([pair(str(number)) for number in range(9)], where="pairs.jsonl")
    with pytest.raises(DataError, match="0 rows"):
        refuse_useless([], where="pairs.jsonl")
    refuse_useless([pair(str(number)) for number in range(10)], where="pairs.jsonl")


def test_held_out_rows_have_the_size_asked_for_and_both_ratings() -> None:
    words = ("red", "blue", "cat", "dog", "sun", "moon", "tea", "rain", "song", "road")
    rows = [
        rated(f"{first} {second} number{place}", f"{second} {first} x{place}", place % 4 > 0)
        for place, (first, second) in enumerate((first, second) for first in words for second in words)
    ]
    train, held = hold_out(rows, share=0.2, seed=1, near_duplicates=0.8)
    assert (len(train), len(held)) == (80, 20)
    assert sum(one.liked for one in held) == 15
    assert sorted(map(repr, [*train, *held])) == sorted(map(repr, rows))
    assert hold_out(rows, share=0.2, seed=1, near_duplicates=0.8) == (train, held)
    assert hold_out(rows, share=0.2, seed=2, near_duplicates=0.8)[1] != held


def test_rows_of_one_conversation_or_one_history_stay_on_one_side() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    same_id = [
        rated(f"{one}{one}{one}", f"answer {one}", place % 2 > 0, id=f"talk {place // 2}")
        for place, one in enumerate(letters)
    ]
    same_history = [
        rated(f"question {place // 2}{letters[place]}"[:10], f"{one} reply", place % 2 > 0)
        for place, one in enumerate(letters)
    ]
    for rows, key in ((same_id, lambda one: one.history.id), (same_history, lambda one: one.history.turns)):
        train, held = hold_out(rows, share=0.25, seed=3, near_duplicates=1.0)
        assert train
        assert held
        assert not {key(one) for one in train} & {key(one) for one in held}


def test_near_equal_rows_stay_on_one_side() -> None:
    text = "the quick brown fox jumps over the lazy dog and then it goes back to sleep near the river"
    rows = [
        *(pair(f"{text} {number}", "yes it does", "no not at all") for number in range(5)),
        *(pair(f"w{number} v{number}") for number in range(15)),
    ]
    train, held = hold_out(rows, share=0.25, seed=1, near_duplicates=0.6)
    assert len({one in held for one in rows[:5]}) == 1
    assert train


def test_training_rows_that_stand_in_the_held_out_file_are_dropped() -> None:
    train = [pair("a", "x1", "x2"), pair("b", "y1", "y2"), pair("c", "z1", "z2", id="7")]
    held = [pair("a", "other", "replies"), pair("d", "q1", "q2", id="7")]
    assert drop_seen(train, held, near_duplicates=0.8) == [train[1]]
