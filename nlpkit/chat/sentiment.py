"""The sentiment of a user's turns.

Score, trend, the words that drove it, and what the chat model learns of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from nlpkit.chat.slope import Slope, fit_slope
from nlpkit.data.examples import SpokenTurn, TextInput
from nlpkit.errors import RunError
from nlpkit.tasks.prediction import Prediction, reads_aspects, turns_read_by

Direction: TypeAlias = Literal["rising", "falling", "steady"]

SURE = 0.7
"""Probability of the label below which nothing is said about a text.

Chosen by `python -m benchmarks.quality support` on texts that are not in its figures: the lowest at which 95%
of the sure answers are right in each source. Above 2/3, and with names that begin at 1/3, the name of a sure
score cannot contradict the label of a classifier with two or three labels.
"""

TURNS = 8
"""How many of the last turns make a trend."""

STEP = 0.1
"""Smallest change of the score, on a scale from -1 to 1, that is called a change."""

SLOPE = 0.02
"""Smallest change of the score per turn that is called a trend."""

MOST_WORDS = 256
"""Words of a text whose effect is measured: each costs one prediction."""

NO_SENTIMENT = (
    "sentiment needs labels on a line from negative to positive, and this classifier has others; "
    "hint: name a sentiment run with --classifier"
)

_NAMED = (
    (-0.6, "very unhappy", "Respond with deep sympathy and comfort."),
    (-1 / 3, "unhappy", "Respond with sympathy and comfort."),
    (1 / 3, "neither happy nor unhappy", "Respond calmly."),
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

    def predict(self, texts: Sequence[Any]) -> list[Prediction]:
        """Return the prediction for each text or turn, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sentiment:
    """The sentiment of one text."""

    label: str
    score: float
    """From -1, negative, to 1, positive."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Probability of each label; empty for a model that predicts a number."""
    is_unreadable: bool = False
    """Whether the classifier does not know most of the text, so that its answer means little."""

    @property
    def probability(self) -> float | None:
        """Return the probability of the label; None for a model that predicts a number."""
        return max(self.probabilities.values(), default=None)

    @property
    def is_sure(self) -> bool:
        """Return whether anything may be said about the text; without probabilities it counts as sure."""
        return not self.is_unreadable and (self.probability is None or self.probability >= SURE)

    @property
    def certainty(self) -> str:
        """Return the label with its probability, such as " (negative, 93%)"; empty without probabilities."""
        if self.is_unreadable:
            return " (the classifier cannot read it)"
        return "" if self.probability is None else f" ({self.label}, {self.probability:.0%})"


@dataclass(frozen=True, kw_only=True, slots=True)
class SentimentTrend:
    """The sentiment of the user's turns, oldest first. Only those that are sure make a trend."""

    sentiments: tuple[Sentiment, ...] = ()

    @property
    def now(self) -> Sentiment | None:
        """Return the sentiment of the last turn."""
        return self.sentiments[-1] if self.sentiments else None

    @property
    def last_step(self) -> Direction:
        """Return how the last turn differs from the one before; steady if one of them is not sure."""
        if len(self.sentiments) < 2 or not all(sentiment.is_sure for sentiment in self.sentiments[-2:]):
            return "steady"
        change = self.sentiments[-1].score - self.sentiments[-2].score
        return "steady" if abs(change) < STEP else "rising" if change > 0 else "falling"

    @property
    def slope(self) -> Slope | None:
        """Return the change per turn over the last TURNS turns; None if fewer than 5 are sure."""
        last = enumerate(self.sentiments[-TURNS:])
        return fit_slope([(turn, sentiment.score) for turn, sentiment in last if sentiment.is_sure])

    @property
    def direction(self) -> Direction:
        """Return whether the sentiment rises or falls: the interval of the slope excludes 0.

        It is steady if that is uncertain, and if the last step goes the other way.
        """
        slope, opposite = self.slope, {"rising": "falling", "falling": "rising"}
        if slope is None or slope.low <= 0 <= slope.high or abs(slope.value) < SLOPE:
            return "steady"
        direction: Direction = "rising" if slope.low > 0 else "falling"
        return "steady" if self.last_step == opposite[direction] else direction

    @property
    def sentences(self) -> list[str]:
        """Return what can be said: the last turn, its step from the one before, and the trend."""
        if self.now is None:
            return []
        sentences = [
            f"You sound {name_score(self.now.score)}{self.now.certainty}."
            if self.now.is_sure
            else f"Not sure how you sound{self.now.certainty}."
        ]
        steps = {"rising": "positive", "falling": "negative"}
        if self.last_step != "steady":
            sentences.append(f"The last message is more {steps[self.last_step]} than the one before.")
        if self.slope is not None and self.direction != "steady":
            turns = min(len(self.sentiments), TURNS)
            interval = f"{self.slope.low:+.2f} to {self.slope.high:+.2f}"
            sentences.append(
                f"Over your last {turns} messages the mood is {self.direction}: "
                f"{self.slope.value:+.2f} a message ({interval})."
            )
        return sentences


def has_sentiment(classifier: object) -> bool:
    """Return whether a classifier gives a text alone a score from -1 to 1, as far as its columns show."""
    columns = getattr(classifier, "columns", None)
    return columns is None or ("score" in columns and not reads_aspects(classifier))


def predict_sentiments(
    classifier: SentimentClassifier, texts: Sequence[str], before: Sequence[SpokenTurn] = ()
) -> list[Sentiment]:
    """Return the sentiment of each text, as what the user says after the turns `before`.

    Only a classifier of turns reads those.

    Raises:
        RunError: the classifier's labels do not lie on a line from negative to positive.
    """
    turns = turns_read_by(classifier)
    if turns is None:
        return [_sentiment(prediction) for prediction in classifier.predict(texts)]
    context = tuple(before[max(0, len(before) - turns) :])
    inputs = [TextInput(text=text, context=context, speaker="user") for text in texts]
    return [_sentiment(prediction) for prediction in classifier.predict(inputs)]


def measure_word_effects(
    classifier: SentimentClassifier, text: str, before: Sequence[SpokenTurn] = ()
) -> list[tuple[str, float]]:
    """Return the words of a text in order, each with its effect on the score.

    The effect is the score of the text minus the score without the word. Punctuation and emoji count as
    words. Of a very long text only the first MOST_WORDS words are measured.
    """
    spans = [match.span() for match in _WORD.finditer(text)][:MOST_WORDS]
    if not spans:
        return []
    without = [f"{text[:start]}{text[end:]}" for start, end in spans]
    whole, *rest = (sentiment.score for sentiment in predict_sentiments(classifier, [text, *without], before))
    return [(text[start:end], whole - score) for (start, end), score in zip(spans, rest, strict=True)]


def name_score(score: float) -> str:
    """Return the name of a score, such as "happy"."""
    return _named(score)[0]


def _named(score: float) -> tuple[str, str]:
    return next((name, reply) for end, name, reply in _NAMED if score < end)


def describe_sentiment(sentiments: Sequence[Sentiment]) -> str:
    """Return two sentences for the system prompt: how the user sounds, and how to respond.

    They quote no text of the user. The result is empty without sentiments, and where the last is not sure.
    """
    trend = SentimentTrend(sentiments=tuple(sentiments))
    if trend.now is None or not trend.now.is_sure:
        return ""
    name, reply = _named(trend.now.score)
    direction = trend.last_step if trend.last_step != "steady" else trend.direction
    going = "" if direction == "steady" else f", and their mood is {direction}"
    return f"The user sounds {name}{going}. {reply}"


def _sentiment(prediction: Prediction) -> Sentiment:
    if prediction.score is None:
        raise RunError(NO_SENTIMENT)
    return Sentiment(
        label=prediction.label or name_score(prediction.score),
        score=prediction.score,
        probabilities=dict(prediction.probabilities),
        is_unreadable=prediction.is_unreadable,
    )
