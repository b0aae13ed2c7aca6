"""Words of a text: what can be left out by itself, in scripts with and without spaces."""

from __future__ import annotations

import pytest

from nlpkit.data.examples import Span
from nlpkit.trust.words import owners, pieces, without, words_of


def cut(text: str, *tokens: tuple[int, int]) -> list[str]:
    return [text[word.start : word.end] for word in words_of(text, list(tokens))]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a great film", ["a", "great", "film"]),
        ("  So-so, can't\tsay!!! ", ["So-so", ",", "can't", "say", "!!!"]),
        ("it's 3.5 of 1,000", ["it's", "3.5", "of", "1,000"]),
        ("@bob likes #nlp :)", ["@bob", "likes", "#nlp", ":)"]),
        ("see https://x.org/a?b=c now", ["see", "https://x.org/a?b=c", "now"]),
        ("ok👍🏽👨‍👩‍👧 yes🇩🇪", ["ok", "👍🏽", "👨‍👩‍👧", "yes", "🇩🇪"]),
        ("Cafe\u0301 नमस्ते दुनिया", ["Cafe\u0301", "नमस्ते", "दुनिया"]),
        ("one.two", ["one", ".", "two"]),
        ("-", ["-"]),
        (" \n\u200b", []),
    ],
)
def test_words_of_scripts_with_spaces(text: str, words: list[str]) -> None:
    assert cut(text) == words


def test_scripts_without_spaces_are_cut_where_tokens_begin() -> None:
    assert cut("我很高兴!", (0, 1), (1, 2), (2, 4), (4, 5)) == ["我", "很", "高兴", "!"]
    assert cut("とても良い映画", (0, 3), (3, 5), (5, 7)) == ["とても", "良い", "映画"]
    assert cut("好film", (0, 1), (1, 3), (3, 5)) == ["好", "film"]  # words of letters stay whole


def test_every_character_that_is_no_space_is_in_a_word() -> None:
    text = "(well-made) — “great”… 🙂x @ #1 50% ไทย"
    assert "".join(cut(text)) == "".join(text.split())


@pytest.mark.parametrize(
    ("text", "removed", "left"),
    [
        ("a great film", {1}, "a film"),
        ("a great film", {0}, "great film"),
        ("a great film", {2}, "a great"),
        ("a great, film!", {3}, "a great,!"),
        ("good/bad", {1}, "good bad"),  # two words stay two
        (" as it is ", set(), " as it is "),
        ("all gone", {0, 1}, ""),
    ],
)
def test_without_words_the_spaces_close_up(text: str, removed: set[int], left: str) -> None:
    assert without(text, words_of(text, []), removed) == left


def test_a_token_belongs_to_the_word_that_it_begins_in() -> None:
    words = words_of("unfair film", [])
    # "un", "##fair", a space of its own, "film", and what has no characters
    assert owners(words, [(0, 2), (2, 6), (6, 7), (7, 11), (11, 11)]) == [0, 0, 1, 1, 1]


def test_of_many_words_runs_are_left_out() -> None:
    words = [Span(start=2 * number, end=2 * number + 1) for number in range(7)]
    assert pieces(words, 7) == words
    assert pieces(words, 3) == [Span(start=0, end=5), Span(start=6, end=11), Span(start=12, end=13)]
