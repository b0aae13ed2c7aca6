"""The mood of what a user says: how it is, where it is going, which words drove it, and what the bot is told of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from nlpkit.errors import RunError
from nlpkit.tasks.prediction import Prediction

Trend: TypeAlias = Literal["rising", "falling", "steady"]

TURNS = 5
"""The last turns that a trend is told from."""

STEADY = 0.1
"""Change of the score a turn, on a scale from -1 to 1, below which a mood is steady."""

MOST_WORDS = 256
"""Words of a text that are left out one by one: each costs a reading of the text."""

_NAMED = (
    (-0.6, "very unhappy", "Respond with deep sympathy and comfort."),
    (-0.2, "unhappy", "Respond with sympathy and comfort."),
    (0.2, "neither happy nor unhappy", "Respond calmly."),
    (0.6, "happy", "Respond with joy and praise."),
    (float("inf"), "very happy", "Respond with great joy and praise."),
)
"""Upper ends of the scores that are called so, and what the bot is then asked to do: a small bot that is only told how the user sounds
makes little of it. Wordings with the reply's own words, such as sorry or glad, did worse: a repetition penalty makes those rarer.
Few and wide, so that a name in a text hardly ever changes what the bot is told. Chosen by benchmarks/mood.py, on turns of its own."""

# Scripts without spaces: each character for itself
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+(?:['’][^\W\u3040-\u30ff\u3400-\u9fff]+)*|[^\w\s]+"
)


class SentimentClassifier(Protocol):
    """What the mood is read with: a Classifier."""

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """The prediction for each text, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentiment:
    """How one text sounds."""

    label: str
    score: float
    """From -1, negative, to 1, positive."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Of each label; empty where the model gives a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentTrend:
    """The mood over the user's turns, oldest first."""

    moods: tuple[Sentiment, ...] = ()

    @property
    def now(self) -> Sentiment | None:
        """Of the last turn."""
        return self.moods[-1] if self.moods else None

    @property
    def trend(self) -> Trend:
        """Where it is going."""
        return trend([one.score for one in self.moods])


def moods(classifier: SentimentClassifier, texts: Sequence[str]) -> list[Sentiment]:
    """The mood of each text.

    Raises:
        RunError: the classifier's labels do not lie on a line from negative to positive.
    """
    return [_mood(one) for one in classifier.predict(texts)]


def trend(scores: Sequence[float], *, turns: int = TURNS) -> Trend:
    """Which way the last scores go, by the slope of the least squares line through them; one score alone is steady."""
    slope = slope_of(scores[-turns:])
    if abs(slope) < STEADY:
        return "steady"
    return "rising" if slope > 0 else "falling"


def slope_of(scores: Sequence[float]) -> float:
    """The slope of the least squares line through scores at equal distances; 0 for fewer than two."""
    count = len(scores)
    if count < 2:
        return 0.0
    middle = (count - 1) / 2
    mean = sum(scores) / count
    spread = sum((place - middle) ** 2 for place in range(count))
    return sum((place - middle) * (score - mean) for place, score in enumerate(scores)) / spread


def words_of(classifier: SentimentClassifier, text: str) -> list[tuple[str, float]]:
    """The words of a text in its order, each with how much it raised the score: the score less that of the text without the word.

    Punctuation and emoji count as words. Of a very long text the first MOST_WORDS are looked at, and the rest are left out.
    """
    spans = [found.span() for found in _WORD.finditer(text)][:MOST_WORDS]
    if not spans:
        return []
    without = [f"{text[:start]}{text[end:]}" for start, end in spans]
    whole, *rest = (one.score for one in moods(classifier, [text, *without]))
    return [(text[start:end], whole - score) for (start, end), score in zip(spans, rest, strict=True)]


def name_of(score: float) -> str:
    """What a score is called."""
    return _named(score)[0]


def _named(score: float) -> tuple[str, str]:
    return next((name, reply) for end, name, reply in _NAMED if score < end)


def hint(course: Sequence[Sentiment]) -> str:
    """Two sentences for the bot: how the user sounds, and how to answer that; nothing where it is not known. They quote nothing."""
    if not course:
        return ""
    going = {"rising": ", and their mood is rising", "falling": ", and their mood is falling", "steady": ""}
    name, reply = _named(course[-1].score)
    return f"The user sounds {name}{going[trend([one.score for one in course])]}. {reply}"


def _mood(answer: Prediction) -> Sentiment:
    if answer.score is None:
        raise RunError(
            "the mood needs a score from negative to positive, and the labels of this classifier do not lie on a line"
        )
    return Sentiment(
        label=answer.label or name_of(answer.score),
        score=answer.score,
        probabilities=dict(answer.probabilities),
    )
