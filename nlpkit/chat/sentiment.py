"""The sentiment of a user's turns.

Score, trend, the words that drove it, and what the chat model learns of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

from nlpkit.errors import RunError
from nlpkit.tasks.prediction import Prediction

Direction: TypeAlias = Literal["rising", "falling", "steady"]

TURNS = 5
"""How many of the last turns make a trend."""

STEADY = 0.1
"""Change of the score per turn, on a scale from -1 to 1, below which the trend is steady."""

MOST_WORDS = 256
"""Words of a text whose effect is measured: each costs one prediction."""

_NAMED = (
    (-0.6, "very unhappy", "Respond with deep sympathy and comfort."),
    (-0.2, "unhappy", "Respond with sympathy and comfort."),
    (0.2, "neither happy nor unhappy", "Respond calmly."),
    (0.6, "happy", "Respond with joy and praise."),
    (float("inf"), "very happy", "Respond with great joy and praise."),
)
"""Upper bound of each range of scores, its name, and the instruction for the chat model.

A small chat model makes little use of the name alone, so that an instruction follows. Wordings that contain
words of the reply, such as sorry or glad, did worse: a repetition penalty makes those words rarer. The ranges
are few and wide, so that a name in a text hardly ever changes the instruction. Chosen by benchmarks/mood.py
on turns of its own.
"""

# In scripts without spaces each character counts as a word
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]+(?:['’][^\W\u3040-\u30ff\u3400-\u9fff]+)*|[^\w\s]+"
)


class SentimentClassifier(Protocol):
    """Predicts the sentiment of texts, as a Classifier does."""

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """Return the prediction for each text, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentiment:
    """The sentiment of one text."""

    label: str
    score: float
    """From -1, negative, to 1, positive."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Probability of each label; empty for a model that predicts a number."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentTrend:
    """The sentiment of the user's turns, oldest first."""

    sentiments: tuple[Sentiment, ...] = ()

    @property
    def now(self) -> Sentiment | None:
        """Return the sentiment of the last turn."""
        return self.sentiments[-1] if self.sentiments else None

    @property
    def direction(self) -> Direction:
        """Return whether the sentiment rises, falls or stays."""
        return trend_direction([sentiment.score for sentiment in self.sentiments])


def predict_sentiments(classifier: SentimentClassifier, texts: Sequence[str]) -> list[Sentiment]:
    """Return the sentiment of each text.

    Raises:
        RunError: the classifier's labels do not lie on a line from negative to positive.
    """
    return [_sentiment(prediction) for prediction in classifier.predict(texts)]


def trend_direction(scores: Sequence[float], *, turns: int = TURNS) -> Direction:
    """Return the direction of the last scores, by the slope of the least squares line.

    A single score is steady.
    """
    slope = fit_slope(scores[-turns:])
    if abs(slope) < STEADY:
        return "steady"
    return "rising" if slope > 0 else "falling"


def fit_slope(scores: Sequence[float]) -> float:
    """Return the slope of the least squares line through equally spaced scores; 0 for fewer than two."""
    count = len(scores)
    if count < 2:
        return 0.0
    middle = (count - 1) / 2
    mean = sum(scores) / count
    variation = sum((index - middle) ** 2 for index in range(count))
    return sum((index - middle) * (score - mean) for index, score in enumerate(scores)) / variation


def measure_word_effects(classifier: SentimentClassifier, text: str) -> list[tuple[str, float]]:
    """Return the words of a text in order, each with its effect on the score.

    The effect is the score of the text minus the score without the word. Punctuation and emoji count as
    words. Of a very long text only the first MOST_WORDS words are measured.
    """
    spans = [match.span() for match in _WORD.finditer(text)][:MOST_WORDS]
    if not spans:
        return []
    without = [f"{text[:start]}{text[end:]}" for start, end in spans]
    whole, *rest = (sentiment.score for sentiment in predict_sentiments(classifier, [text, *without]))
    return [(text[start:end], whole - score) for (start, end), score in zip(spans, rest, strict=True)]


def name_score(score: float) -> str:
    """Return the name of a score, such as "happy"."""
    return _named(score)[0]


def _named(score: float) -> tuple[str, str]:
    return next((name, reply) for end, name, reply in _NAMED if score < end)


def describe_sentiment(sentiments: Sequence[Sentiment]) -> str:
    """Return two sentences for the system prompt: how the user sounds, and how to respond.

    They quote no text of the user. Without sentiments the result is empty.
    """
    if not sentiments:
        return ""
    going = {"rising": ", and their mood is rising", "falling": ", and their mood is falling", "steady": ""}
    name, reply = _named(sentiments[-1].score)
    direction = trend_direction([sentiment.score for sentiment in sentiments])
    return f"The user sounds {name}{going[direction]}. {reply}"


def _sentiment(prediction: Prediction) -> Sentiment:
    if prediction.score is None:
        raise RunError(
            "sentiment needs labels on a line from negative to positive, and this classifier has others; "
            "hint: name a sentiment run with --classifier"
        )
    return Sentiment(
        label=prediction.label or name_score(prediction.score),
        score=prediction.score,
        probabilities=dict(prediction.probabilities),
    )
