from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from nlpkit.chat.feedback import Feedback, write_feedback
from nlpkit.chat.store import Store
from nlpkit.data.examples import Turn
from nlpkit.data.preference_rows import PreferenceSource, parse
from nlpkit.data.preferences import RatedReply, ReplyPair, refuse_useless
from nlpkit.data.records import read_records
from nlpkit.errors import ConfigError, DataError


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "chat.db") as opened:
        yield opened


class Talk:
    """A conversation whose last question gets several replies."""

    def __init__(self, store: Store, *texts: str, owner: str = "", system: str = "") -> None:
        self.store, self.owner = store, owner
        self.id = store.create(owner, system=system).id
        for place, text in enumerate(texts):
            self.asked = store.append(self.id, owner, ("user", "assistant")[place % 2], text).id

    def reply(self, text: str, rating: str | None = None, reason: str = "", finish: str = "stop") -> str:
        made = self.store.append(self.id, self.owner, "assistant", text, after=self.asked, finish=finish)
        self.store.rate(self.id, self.owner, made.id, rating, reason)
        return made.id


def parsed(store: Store, tmp_path, **more: str):
    """What the preference recipe reads of what was written."""
    found = store.preferences(**more)
    write_feedback(found, tmp_path / "ratings.jsonl")
    source = PreferenceSource(source="ratings.jsonl", conversation="conversation")
    records = list(read_records(tmp_path / "ratings.jsonl"))
    assert [record.fields for record in records] == [dict(row) for row in found.rows]
    return found, [parse(record, source) for record in records]


def test_a_rated_reply_is_a_row_with_all_that_was_said_before(store, tmp_path):
    talk = Talk(store, "I lost my keys.", "Oh no.", "Help me!", system="Be kind.")
    talk.reply("Where did you see them?", "up", "kind")
    other = Talk(store, "Hello")
    other.reply("no", "down")
    found, (one, two) = parsed(store, tmp_path)
    assert found.rows[0] == {
        "messages": [
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "I lost my keys."},
            {"role": "assistant", "content": "Oh no."},
            {"role": "user", "content": "Help me!"},
        ],
        "reply": "Where did you see them?",
        "rating": "up",
        "conversation": talk.id,
        "reason": "kind",
    }
    assert isinstance(one, RatedReply)
    assert (one.reply, one.liked, one.history.system, one.history.id) == (
        "Where did you see them?",
        True,
        "Be kind.",
        talk.id,
    )
    assert two.history.turns == (Turn(role="user", text="Hello"),)
    assert not two.liked
    refuse_useless([one, two], where="here", fewest=2)


def test_siblings_up_and_down_are_a_pair_and_not_repeated(store, tmp_path):
    talk = Talk(store, "Hello")
    talk.reply("ok", "down", "curt")
    talk.reply("Hello there!", "up", "warm")
    talk.reply("never rated")
    found, (one,) = parsed(store, tmp_path)
    assert one == ReplyPair(history=one.history, chosen="Hello there!", rejected="ok")
    assert (found.pairs, found.left_out) == (1, ())
    assert found.rows[0]["reason"] == "warm / curt"


def test_every_rated_sibling_is_in_a_pair(store, tmp_path):
    talk = Talk(store, "Hello")
    for text in ("A", "B", "C"):
        talk.reply(text, "up")
    talk.reply("x", "down")
    _, pairs = parsed(store, tmp_path)
    assert [(one.chosen, one.rejected) for one in pairs] == [("A", "x"), ("B", "x"), ("C", "x")]


def test_replies_to_different_questions_make_no_pair(store, tmp_path):
    talk = Talk(store, "Hello")
    talk.reply("A", "up")
    talk.asked = store.append(talk.id, "", "user", "And?").id
    talk.reply("B", "down")
    _, rows = parsed(store, tmp_path)
    assert [type(one) for one in rows] == [RatedReply, RatedReply]


def test_a_choice_side_by_side_is_a_pair(store, tmp_path):
    talk = Talk(store, "Hello", system="Be kind.")
    one, other = talk.reply("first"), talk.reply("second")
    store.choose(talk.id, "", other, one, "shorter")
    store.set_system(talk.id, "", "Be rude.")  # said later: the replies were made when it was otherwise
    found, (pair,) = parsed(store, tmp_path)
    assert (pair.chosen, pair.rejected, pair.history.system) == ("second", "first", "Be kind.")
    assert found.rows[0]["reason"] == "shorter"


def test_a_choice_and_ratings_that_agree_are_one_pair(store, tmp_path):
    talk = Talk(store, "Hello")
    one, other = talk.reply("first", "down"), talk.reply("second", "up")
    store.choose(talk.id, "", other, one)
    store.choose(talk.id, "", other, one)
    _, rows = parsed(store, tmp_path)
    assert len(rows) == 1


def test_what_contradicts_itself_is_left_out_and_said(store, tmp_path):
    talk = Talk(store, "Hello")
    one, other = talk.reply("first", "up"), talk.reply("second", "down")
    store.choose(talk.id, "", other, one)
    same = Talk(store, "Hi")
    same.reply("the same", "up")
    same.reply("the same ", "down")
    Talk(store, "Bye").reply("So long", "up")
    found, rows = parsed(store, tmp_path)
    assert [one.reply for one in rows if isinstance(one, RatedReply)] == ["So long"]
    assert set(found.left_out) == {
        "1 left out: two replies of which each was preferred once",
        "1 left out: two equal replies to one message, of which one was preferred",
    }


@pytest.mark.parametrize("finish", ["stopped", "length"])
def test_a_liked_reply_that_was_cut_teaches_nothing(store, tmp_path, finish):
    talk = Talk(store, "Hello")
    talk.reply("I was about to", "up", finish=finish)
    talk.reply("whole", "down")
    Talk(store, "Bye").reply("A long one that is", "down", finish=finish)
    found, rows = parsed(store, tmp_path)
    assert [(one.reply, one.liked) for one in rows] == [("whole", False), ("A long one that is", False)]
    assert len(found.left_out) == 1
    assert "cut or stopped" in found.left_out[0]


def test_rows_of_one_owner_or_of_all(store, tmp_path):
    Talk(store, "Hello", owner="ann").reply("A", "up")
    Talk(store, "Hello", owner="eve").reply("B", "down")
    assert [one.reply for one in parsed(store, tmp_path)[1]] == ["A", "B"]
    assert [one.reply for one in parsed(store, tmp_path, owner="eve")[1]] == ["B"]
    with pytest.raises(DataError, match="no rated replies"):
        write_feedback(store.preferences("nobody"), tmp_path / "none.jsonl")
    assert not (tmp_path / "none.jsonl").exists()


def test_a_greeting_replies_to_nothing(store, tmp_path):
    talk = Talk(store, "Hello")
    talk.reply("A", "up")
    greeting = Talk(store)
    greeting.asked = None
    greeting.reply("How can I help?", "up")
    found, rows = parsed(store, tmp_path)
    assert [one.reply for one in rows] == ["A"]
    assert found.left_out == ("1 left out: a reply that follows no message of the user",)


def test_old_branches_count(store, tmp_path):
    talk = Talk(store, "Hello")
    talk.reply("A", "up")
    edited = store.edit(talk.id, "", talk.asked, "Hello, you")
    talk.asked = edited.id
    talk.reply("B", "down")
    _, rows = parsed(store, tmp_path)
    assert [(one.history.turns[0].text, one.reply) for one in rows] == [("Hello", "A"), ("Hello, you", "B")]


def test_s15_the_file_is_on_the_disk_before_it_takes_its_place(store, tmp_path, on_disk, monkeypatch):
    Talk(store, "Hello").reply("Hi", "up")
    placed = []
    real = os.replace
    monkeypatch.setattr(os, "replace", lambda old, new: (placed.append(on_disk(Path(old))), real(old, new)))
    write_feedback(store.preferences(), tmp_path / "ratings.jsonl")
    assert placed == [True]


def test_the_file_is_whole_and_its_writers_alone(store, tmp_path):
    Talk(store, "Hello 😀\n\u2028 there").reply("A\u0085B", "up")
    target = tmp_path / "ratings.jsonl"
    target.write_text("old")
    parsed(store, tmp_path)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert (
        json.loads(target.read_text(encoding="utf-8"))["messages"][0]["content"] == "Hello 😀\n\u2028 there"
    )
    assert sorted(path.name for path in tmp_path.iterdir() if "ratings" in path.name) == ["ratings.jsonl"]
    with pytest.raises(DataError, match="cannot be written") as caught:
        write_feedback(store.preferences(), tmp_path / "nowhere" / "ratings.jsonl")
    assert "nowhere" in str(caught.value)


def test_s12_the_ratings_are_not_written_over_the_store_or_a_device(store, tmp_path) -> None:
    Talk(store, "hi").reply("hello", "up")
    for target, message in ((store.path, "is the store"), (Path("/dev/null"), "is not a regular file")):
        with pytest.raises(ConfigError, match=rf"{message}.*hint: -o ratings.jsonl"):
            write_feedback(store.preferences(), target)
    assert len(store.preferences().rows) == 1


def test_j7_what_the_rows_lack_for_a_training_is_said_before_it_fails():
    rated = [{"messages": [], "reply": str(number), "rating": "up"} for number in range(14)]
    pairs = [{"messages": [], "chosen": "a", "rejected": "b"} for _ in range(14)]
    needed = "at least 14 rows: 10 to learn from and 4 to compare on"
    assert Feedback(rows=tuple(rated[:13])).shortage.endswith(needed)
    assert Feedback(rows=tuple(rated)).shortage.startswith("all are rated up")
    assert Feedback(rows=(*rated[:13], {**rated[13], "rating": "down"})).shortage == ""
    assert Feedback(rows=tuple(pairs)).shortage == ""
