"""The glossary is kept in everything that people read."""

from __future__ import annotations

import pytest

from tests.words import check, check_code, check_text, tracked


def test_every_word_is_the_glossarys() -> None:
    assert [str(finding) for finding in check(tracked())] == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("cure: pip install", "cure:"),
        ("the best look of three", "best look"),
        ("a Whole run", "Whole run"),
        ("compare it beside its base", "beside"),
        ("an unlabelled text", "unlabelled"),
        ("what cannot be meant", "cannot be meant"),
        ("tokens that are learnt", "learnt"),
        ("def speaking(rows)", "speaking"),
    ],
)
def test_an_old_word_is_named(text: str, word: str) -> None:
    assert [finding.word for finding in check_text(text, "a.md")] == [word]


@pytest.mark.parametrize(
    "text",
    [
        "room = 1  # an old name",
        "hint: pip install",
        "a first look at the data",
        "headroom",
        "improved",
        "a token budget",
    ],
)
def test_plain_words_pass(text: str) -> None:
    assert list(check_text(text, "a.md")) == []


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("for one in rows: pass", "one"),
        ("found = 1", "found"),
        ("[place for place in rows]", "place"),
        ("lambda other: 1", "other"),
        ('def f() -> None:\n    """Nothing to do."""', "Nothing"),
    ],
)
def test_a_vague_name_is_named(code: str, word: str) -> None:
    assert [finding.word for finding in check_code(code, "a.py")] == [word]
