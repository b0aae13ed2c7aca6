"""How the terminal and the demo show an answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nlpkit.tasks.prediction import Prediction

Tone: TypeAlias = Literal["negative", "neutral", "positive"]

TONE = 0.25
"""A score beyond this, in [-1, 1], is shown as positive or negative."""

SHOWN = 6
"""Labels above which the terminal and the demo show the probabilities of the likeliest only."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ShownPart:
    """A part of a text that an answer speaks of."""

    start: int
    end: int
    name: str
    """What is said of it, in words."""
    tone: Tone


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """An answer as the terminal and the demo show it."""

    headline: str
    tone: Tone = "neutral"
    score: float | None = None
    """In [-1, 1], where there is one."""
    shares: tuple[tuple[str, float], ...] = ()
    """The probability of labels, as far as there are labels; of many labels the highest."""
    text: str = ""
    """The text, where the answer is about parts of it."""
    parts: tuple[ShownPart, ...] = ()


def tone_of(score: float | None) -> Tone:
    """Return the tone of a score in [-1, 1]."""
    if score is None or -TONE <= score <= TONE:
        return "neutral"
    return "positive" if score > 0 else "negative"


def answer_of(prediction: Prediction) -> str:
    """Return the label, or of a number on which side of neutral it lies."""
    return prediction.label if prediction.label is not None else tone_of(prediction.score)


def likeliest(probabilities: Mapping[str, float]) -> tuple[tuple[str, float], ...]:
    """Return the probability of each label, in its order; of many labels the SHOWN highest, highest first."""
    if len(probabilities) <= SHOWN:
        return tuple(probabilities.items())
    return tuple(sorted(probabilities.items(), key=lambda item: -item[1])[:SHOWN])
