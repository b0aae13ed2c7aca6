"""How opinions are shown: in words, and as parts of their text."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from nlpkit.tasks.answers.showing import Shown, ShownPart, Tone
from nlpkit.tasks.prediction import FoundOpinion, Prediction

TONES: Mapping[str, Tone] = MappingProxyType(
    {"negative": "negative", "neg": "negative", "positive": "positive", "pos": "positive"}
)
"""The tone of a polarity by its name; others are neutral."""


def shown_opinions(answer: Prediction) -> Shown:
    """Return the opinions in words, each with its probability, and as numbered parts of their text."""
    opinions = answer.opinions or ()
    return Shown(
        headline="; ".join(opinion.in_words for opinion in opinions) or "no opinion",
        shares=tuple((opinion.in_words, opinion.likely) for opinion in opinions),
        text=opinions[0].text if opinions else "",
        parts=tuple(part for number, opinion in enumerate(opinions, 1) for part in _parts(opinion, number)),
    )


def _parts(opinion: FoundOpinion, number: int) -> list[ShownPart]:
    tone = TONES.get(opinion.polarity.casefold(), "neutral")
    spans = [(opinion.aspect, f"{number} {opinion.polarity}")]
    spans += [(opinion.opinion, str(number))] if opinion.opinion else []
    return [ShownPart(start=span.start, end=span.end, name=name, tone=tone) for span, name in spans]
