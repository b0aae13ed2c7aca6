"""VADER (Hutto & Gilbert, ICWSM 2014): the usual lexicon for sentiment, to compare with."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.errors import optional
from nlpkit.tasks.prediction import Prediction

LABELS = ("negative", "neutral", "positive")
THRESHOLD = 0.05
"""The authors' threshold: a compound score between minus this and this is neutral."""


def compounds(texts: Sequence[str]) -> list[float]:
    """Return the compound score of each text, in [-1, 1].

    Raises:
        ConfigError: vaderSentiment is not installed.
    """
    analyzer = optional("vaderSentiment.vaderSentiment", extra="bench").SentimentIntensityAnalyzer()
    return [float(analyzer.polarity_scores(text)["compound"]) for text in texts]


def predict(texts: Sequence[str]) -> list[Prediction]:
    """Predict three classes by the authors' thresholds, with the compound as the score."""
    return [Prediction(label=label_of(compound), score=compound) for compound in compounds(texts)]


def label_of(compound: float) -> str:
    """Return the class of a compound score by the authors' thresholds."""
    return "positive" if compound >= THRESHOLD else "negative" if compound <= -THRESHOLD else "neutral"
