"""Words that name groups: found as whole words, exchanged in their case, with articles that fit."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nlpkit.data.identities import Kind, Mention, identities, swapper


@pytest.mark.parametrize(
    ("text", "kind", "first", "second", "expected"),
    [
        ("She gave her a book.", "gender", "women", "men", "He gave him a book."),
        ("HER car is hers, she said.", "gender", "women", "men", "HIS car is his, he said."),
        ("He lost his hat; I saw him.", "gender", "women", "men", "She lost her hat; I saw her."),
        ("He likes her.", "gender", "women", "men", "She likes him."),
        ("A muslim came.", "religion", "Muslims", "atheists", "An atheist came."),
        ("An atheist, a Jewish family", "religion", "atheists", "Jews", "A Jew, an atheist family"),
        ("an old  man", "age", "old people", "young people", "a young man"),
        (
            "Black women in black coats",
            "ethnicity",
            "Black people",
            "Asian people",
            "Asian women in black coats",
        ),
        ("A women-only gym, she@x.com", "gender", "women", "men", "A women-only gym, she@x.com"),
    ],
)
def test_groups_change_places(text: str, kind: str, first: str, second: str, expected: str) -> None:
    assert swapper().exchange(text, kind, first, second) == expected


@pytest.mark.parametrize(
    ("text", "kind", "group", "expected"),
    [
        ("We met a gay couple.", "sexuality", "gay people", "We met a couple."),
        ("An elderly aunt, a disabled  person", "age", "old people", "An aunt, a disabled  person"),
        ("An elderly neighbor", "age", "old people", "A neighbor"),
        ("a middle-aged actor", "age", "middle-aged people", "an actor"),
        ("Deaf people came. DEAF PEOPLE!", "disability", "deaf people", "People came. PEOPLE!"),
        ("My transgender aunt", "gender identity", "transgender people", "My aunt"),
        ("He is gay.", "sexuality", "gay people", "He is gay."),
        ("A gay man, and he is gay", "sexuality", "gay people", "A gay man, and he is gay"),
        ("The young and the restless", "age", "young people", "The young and the restless"),
        ("blind faith, a blind man", "disability", "blind people", "blind faith, a man"),
    ],
)
def test_a_group_is_left_out_where_people_are_still_named(
    text: str, kind: str, group: str, expected: str
) -> None:
    assert swapper().unnamed(text, kind, group) == expected


def test_the_groups_that_a_text_names_are_found_once_and_by_kind() -> None:
    assert swapper().mentions("The old man and his Muslim friends, two Muslims") == [
        Mention("gender", "men"),
        Mention("religion", "Muslims"),
        Mention("age", "old people"),
    ]
    assert swapper().mentions("Straight black coffee, an old phone, a thermometer") == []


def test_nlpkits_own_words_name_one_group_of_a_kind_each() -> None:
    for kind in identities().kinds.values():
        words = [word.lower() for group in kind.words.values() for word in set(group)]
        assert len(words) == len(set(words))
        assert all(len(kind.named(group)) >= 2 for group in kind.people)


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        ({"people": {"a": ["x", "y"], "b": ["z"]}, "words": {}}, "at least two people each"),
        ({"people": {"a": ["x", "y"], "b": ["z", "w"]}, "words": {}, "compared_with": "c"}, "none of a, b"),
        ({"people": {"a": ["x", "y"], "b": ["z", "w"]}, "words": {"a": ["x"], "b": []}}, "as many words"),
    ],
)
def test_groups_that_cannot_be_compared_are_refused(tree: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        Kind.model_validate(tree)
