"""Aspects: spellings that are one, and how often each is spoken of in which way."""

from __future__ import annotations

import pytest

from nlpkit.analysis.aspects import AspectCounts, normalized
from nlpkit.data.examples import Span
from nlpkit.tasks.prediction import FoundOpinion


def opinion(text: str, aspect: str, polarity: str) -> FoundOpinion:
    start = text.index(aspect)
    return FoundOpinion(
        text=text,
        aspect=Span(start=start, end=start + len(aspect)),
        opinion=None,
        polarity=polarity,
        probability=0.9,
    )


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Screens", "screen"),
        ("batteries", "Battery"),
        ("movies", "movie"),
        ("dishes", "dish"),
        ("glasses", "glass"),
        ("battery lives", "battery live"),
        ("  front   Desk. ", "front desk"),
    ],
)
def test_spellings_that_are_one(one: str, other: str) -> None:
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize("name", ["glass", "bus", "gas", "analysis", "wifi"])
def test_words_that_are_no_plural_stay(name: str) -> None:
    assert normalized(name) == name


def test_a_text_counts_once_for_an_aspect_and_a_polarity() -> None:
    counts = AspectCounts(run="reader")
    text = "Great Screens, a great screen, but the screen glares; the price is fine"
    found = [
        opinion(text, "Screens", "positive"),
        opinion(text, "screen,", "positive"),
        opinion(text, "screen glares"[:6], "negative"),
        opinion(text, "price", "positive"),
    ]
    counts.add(text, found, file="reviews.csv", row=1)
    counts.add("The screen is dull", [opinion("The screen is dull", "screen", "negative")], file="r", row=2)
    counts.add("Nothing here", [], file="reviews.csv", row=3)
    screen, price = counts.largest
    assert (screen.name, dict(screen.polarities)) == ("screen", {"positive": 1, "negative": 2})
    assert (price.name, price.mentions) == ("price", 1)
    assert (counts.texts, counts.with_opinions) == (3, 2)
    assert [example.row for example in screen.examples["negative"]] == [1, 2]


def test_memory_is_bounded_by_forgetting_what_is_rare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlpkit.analysis.aspects.MOST_KEPT", 3)
    counts = AspectCounts(run="reader")
    for number, name in enumerate(["screen", "screen", "price", "keys", "fan"]):
        counts.add(name, [opinion(name, name, "positive")], file="reviews.csv", row=number)
    assert list(counts.aspects) == ["screen"]
    assert counts.forgotten == 3
