from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.data.codebook import Codebook, codebook_of, read_codebook
from nlpkit.errors import ConfigError
from nlpkit.reports.guide import annotators_guide

BOOK = """
title: Bank
question: What does the customer want?
labels:
  - label: card_arrival
    description: Asks where a new card is.
    examples: [Where is my card?, Has it been sent?]
    excludes: a card that does not work (card_not_working)
  - label: card_not_working
    words: broken card
  - other
tie_breaks: [Take what is asked first.]
"""


def _written(folder: Path, text: str) -> Path:
    path = folder / "book.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_codebook_is_read_with_its_labels_in_order(tmp_path: Path) -> None:
    book = read_codebook(_written(tmp_path, BOOK))
    assert book.names == ("card_arrival", "card_not_working", "other")
    assert [entry.spoken for entry in book.labels] == ["card arrival", "broken card", "other"]
    assert book.labels[0].excludes == ("a card that does not work (card_not_working)",)


def test_the_guide_holds_all_that_an_annotator_needs(tmp_path: Path) -> None:
    assert annotators_guide(read_codebook(_written(tmp_path, BOOK))) == (
        "# Bank\n\n"
        "For each text, answer: **What does the customer want?**\n\n"
        "Choose one of 3 labels. Judge what the text says, not what you think of it.\n\n"
        "## card\\_arrival\n\nAsks where a new card is.\n\n"
        "Examples:\n\n- Where is my card?\n- Has it been sent?\n\n"
        "Not this label:\n\n- a card that does not work (card\\_not\\_working)\n\n"
        "## card\\_not\\_working\n\nIn words: broken card.\n\nThe text is about: broken card.\n\n"
        "## other\n\nThe text is about: other.\n\n"
        "## When several labels fit\n\n1. Take what is asked first.\n"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("labels: [{label: a, descripton: x}, b]", r"line 1: labels.0.descripton: unknown key; did you mean"),
        ("labels: [a, b]\ntiebreaks: []", "did you mean 'tie_breaks'"),
        ("labels: [a]", "at least 2 items"),
        ("labels: a", "labels: input should be a valid tuple"),
        ("labels: [a, ' ']", "labels.1: string should have at least 1 character"),
        ("labels: [a, true]", "labels.1: input should be a valid string"),
        ("labels: [a, b, A]", r"'a' \(label 1\) and 'A' \(label 3\) have one meaning: both are called 'A'"),
        ("labels: [top_up, Top-up]", "both are called 'Top-up'; hint: merge them"),
        ("labels: {a: Is glad., b: Is glad}", "both are described as 'Is glad'"),
        ("labels: [{label: a, examples: Hi!}, {label: b, examples: hi}]", "both have the example 'hi'"),
        ("labels: [{label: a, words: b}, b]", "both are called 'b'"),
        ("labels: []", "at least 2 items"),
    ],
)
def test_what_is_wrong_with_a_codebook_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as raised:
        read_codebook(_written(tmp_path, text))
    assert "book.yaml: 1 problem" in str(raised.value)


def test_ten_thousand_labels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"10,000 of them; expected at most 1,000; hint: read coarser"):
        codebook_of([f"label {number}" for number in range(10_000)])


def test_numbers_and_signs_are_labels() -> None:
    assert Codebook.model_validate({"labels": [1, 2, "🙂", "🙁"]}).names == ("1", "2", "🙂", "🙁")
