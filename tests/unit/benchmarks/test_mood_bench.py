from __future__ import annotations

import json
import re
from collections import Counter

import numpy as np
import pytest

from benchmarks.mood import CachedReplies, bench, lines, replies, sentiment_hints
from benchmarks.mood_effect import Replies, compare, distances, unnamed
from benchmarks.mood_sets import NAMES, TURNS, Turns, names, read_turns
from nlpkit.chat.sentiment import describe_sentiment, predict_sentiments
from tests.fakes import FakeBot, FakeClassifier

ORIGIN = {name: origin for origin, both in enumerate(NAMES) for some in both for name in some}
SEX = {name: sex for both in NAMES for sex, some in enumerate(both) for name in some}


@pytest.fixture(scope="module")
def sets() -> list[Turns]:
    return read_turns("measure")


def test_there_are_100_sets_of_as_many_frames_and_none_that_the_hint_was_chosen_on(sets):
    assert len(sets) == 100
    frames = [
        line.split("|")[:2]
        for line in TURNS.read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    ]
    assert len({text for _, text in frames}) == len(frames) == 130
    assert {use for use, _ in frames} == {"choose", "measure"}
    assert all(text.count("{name}") == text.count("{mood}") == 1 for _, text in frames)
    # No other word tells of a man or a woman that the other name would then not fit
    assert not [text for _, text in frames if re.search(r"\{name\}.*\b(he|his|him|himself)\b", text)]


def test_the_name_is_all_that_differs_between_two_turns_of_one_mood(sets):
    for one in sets:
        first, second = one.names
        assert one.first.replace(first, second) == one.name != one.first
        assert first in one.mood
        assert second not in one.mood


def test_the_names_are_of_all_origins_and_both_sexes_in_equal_parts(sets):
    origins = Counter(ORIGIN[name] for one in sets for name in one.names)
    assert set(origins) == set(range(len(NAMES)))
    assert max(origins.values()) - min(origins.values()) <= 2
    assert all(ORIGIN[one.names[0]] != ORIGIN[one.names[1]] for one in sets)
    assert Counter((SEX[one.names[0]], SEX[one.names[1]]) for one in sets) == dict.fromkeys(
        [(0, 0), (0, 1), (1, 0), (1, 1)], 25
    )
    assert len({name for number in range(100) for name in names(number)}) == 48


def test_half_of_the_sets_begin_with_the_happy_words(sets):
    happy = [
        line.split("|")[2]
        for line in TURNS.read_text(encoding="utf-8").splitlines()
        if line.startswith("measure")
    ]
    assert sum(word in one.first for word, one in zip(happy, sets, strict=True)) in range(48, 53)


def test_the_hint_changes_with_the_mood_and_not_by_a_byte_with_the_name():
    scorer = FakeClassifier()
    for frame in ("{} came along and it was {}", "{}, what a {} day", "I said to {} that I feel {}"):
        hints = sentiment_hints(
            scorer, [frame.format(name, word) for name in ORIGIN for word in ("great", "awful")]
        )
        assert len(set(hints.values())) == 2
        for name in ORIGIN:
            happy, sad = hints[frame.format(name, "great")], hints[frame.format(name, "awful")]
            assert happy.encode() == hints[frame.format("Thomas", "great")].encode()
            assert happy != sad
            assert name not in happy + sad
    assert hints["I said to Thomas that I feel great"] == describe_sentiment(
        predict_sentiments(scorer, ["great"])
    )


ONE = Turns(first="Tom is great", mood="Tom is awful", name="Aisha is great", names=("Tom", "Aisha"))


def test_each_turn_is_asked_with_its_own_mood_and_the_first_with_the_other_too():
    hints = {ONE.first: "happy", ONE.mood: "sad", ONE.name: "happy"}
    [found] = replies(lambda system, text: f"{system}: {text}", [ONE], hints)
    assert found == Replies(
        first="happy: Tom is great",
        mood="sad: Tom is awful",
        name="happy: Aisha is great",
        hinted="sad: Tom is great",
    )
    [plain] = replies(lambda system, text: f"{system}: {text}", [ONE], None)
    assert plain == Replies(first=": Tom is great", mood=": Tom is awful", name=": Aisha is great")


def letters(texts) -> np.ndarray:
    """Texts as directions: how often each letter stands in them."""
    counts = np.array(
        [[text.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for text in texts],
        dtype=float,
    )
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-12)


def test_distances_are_nothing_between_equals_and_a_hidden_name_makes_none():
    found = distances([ONE, ONE], [("Hi Tom", "Hi Aisha"), ("aaa", "bbb")], letters)
    assert found["unnamed"] == pytest.approx([0, 1])
    assert found["words"] == [pytest.approx(0.5), 1]
    # "hi tom": h i t o m, "hi aisha": 2 h, 2 i, 2 a, s: the cosine is 4 / sqrt(5 * 13)
    assert found["meaning"] == pytest.approx([1 - 4 / 65**0.5, 1])
    assert unnamed("Tom, Tomas and Aisha's", ONE.names) == "someone, Tomas and someone's"


def test_a_change_that_moves_more_than_the_name_is_said_to():
    sets = [ONE] * 40
    said = [
        Replies(first="aab", mood="ccd" if number % 4 else "aac", name="aab" if number % 3 else "abb")
        for number in range(40)
    ]
    found = compare(sets, said, letters)
    test = found.tests["mood"]["meaning"]
    assert found.equal == {"mood": 0, "name": pytest.approx(26 / 40)}
    # aab and aac: 1 - 4 / 5; aab and abb: the same; aab and ccd: 1
    expected = 0.75 + 0.25 * 0.2 - 0.2 * 14 / 40
    assert test.difference == pytest.approx(expected)
    assert 0 < test.low < expected < test.high < 1
    page = "\n".join(lines({"on": found}))
    assert f"+{expected:.3f}" in page
    assert "| on: other name, same mood |" in page


def test_a_reply_is_asked_for_once_and_found_again_after_a_restart(tmp_path):
    bot = FakeBot()
    ask = CachedReplies(bot, tmp_path / "kept.jsonl")
    assert ask("be", "hello") == ask("be", "hello") == "1: hello"
    assert ask("", "hello") == "1: hello"
    again = CachedReplies(other := FakeBot(), tmp_path / "kept.jsonl")
    assert again("be", "hello") == "1: hello"
    assert (len(bot.asked), len(other.asked)) == (2, 0)
    assert bot.asked[0].system == "be"
    assert bot.samplings[0].temperature == 0


def test_the_whole_is_written_with_its_replies(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.mood.encoder", lambda: letters)
    bot = FakeBot(
        says=lambda conversation, sampling: f"{conversation.system} {len(conversation.turns[-1].text)}"
    )
    said: list[str] = []
    bench(
        bot, FakeClassifier(), use="choose", results=tmp_path, kept=tmp_path / "kept.jsonl", talk=said.append
    )
    found = json.loads((tmp_path / "mood-choose.json").read_text(encoding="utf-8"))
    assert found["sets"] == len(found["replies"]) == 30
    assert found["same_hint"]["name"] == 1
    assert set(found["mood"]["on"]["tests"]) == {"mood", "hinted"}
    assert set(found["mood"]["off"]["tests"]) == {"mood"}
    assert "same hint: 100% with another name" in said[0]
    assert (
        (tmp_path / "mood-choose.md")
        .read_text(encoding="utf-8")
        .startswith("# Replies of fake to 30 sets of turns")
    )
