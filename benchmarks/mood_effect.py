"""How far replies are apart: to the other mood, to a hint of it, and to another name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.mood_sets import Turns
from nlpkit.evaluation.instruments import ENCODER
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.replies import token_f1
from nlpkit.metrics.score import PairedTest, Score

SEED = 1
MEASURES = {
    "meaning": "1 - cosine of the mean token embeddings of two replies",
    "unnamed": "the same, with both names replaced by one word in both replies",
    "words": "1 - token F1 of two replies",
}
CHANGES = {
    "mood": "other mood, other words",
    "hinted": "hint of the other mood, same words",
    "name": "other name, same mood",
}


@dataclass(frozen=True, kw_only=True)
class Replies:
    """The replies to one set."""

    first: str
    mood: str
    name: str
    hinted: str | None = None
    """To the first turn with the hint of the other mood; None without hints."""


def pairs(sets: Sequence[Replies], change: str) -> list[tuple[str, str]]:
    """Pair the first reply of each set with the reply after a change; empty if a set has none."""
    paired_replies = [(replies.first, getattr(replies, change)) for replies in sets]
    return [] if any(changed is None for _, changed in paired_replies) else paired_replies


def distances(
    sets: Sequence[Turns], pairs: Sequence[tuple[str, str]], vector: Callable[[Sequence[str]], Any]
) -> dict[str, list[float]]:
    """Return the distances between the replies of each pair, by measure."""
    hidden = [
        (unnamed(first, turns.names), unnamed(second, turns.names))
        for turns, (first, second) in zip(sets, pairs, strict=True)
    ]
    return {
        "meaning": _distances(vector, pairs),
        "unnamed": _distances(vector, hidden),
        "words": [1 - token_f1(first, second) for first, second in pairs],
    }


def unnamed(text: str, names: Sequence[str]) -> str:
    """Replace these names in a text by one word."""
    return re.sub(rf"\b({'|'.join(map(re.escape, names))})\b", "someone", text)


def _distances(vector: Callable[[Sequence[str]], Any], pairs: Sequence[tuple[str, str]]) -> list[float]:
    first, second = (vector([pair[side] for pair in pairs]) for side in (0, 1))
    return [float(1 - cosine) for cosine in (first * second).sum(axis=1)]


def encoder() -> Callable[[Sequence[str]], Any]:
    """Load the encoder: texts -> (texts, size), the unit vectors of their mean token embeddings.

    An empty text gets zeros.
    """
    import numpy as np

    from nlpkit.models.encoder import Encoder

    model = Encoder.load(ENCODER)

    def vector(texts: Sequence[str]) -> Any:
        means = np.array(
            [
                tokens.mean(axis=0) if len(tokens) else np.zeros(tokens.shape[1])
                for tokens in model.embed(texts)
            ]
        )
        return means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)

    return vector


@dataclass(frozen=True, kw_only=True)
class MoodEffect:
    """Distances of replies for each change, with sentiment hints or without."""

    scores: Mapping[str, Mapping[str, Score]]
    """By change and measure."""
    tests: Mapping[str, Mapping[str, PairedTest]]
    """By change and measure, compared with the other name in the same sets."""
    equal: Mapping[str, float]
    """Share of equal replies, by change."""

    def as_json(self) -> dict[str, Any]:
        """Return a dictionary for the results."""
        parts = {"scores": self.scores, "tests": self.tests}
        plain = {
            key: {
                change: {name: score.model_dump() for name, score in by.items()}
                for change, by in part.items()
            }
            for key, part in parts.items()
        }
        return {**plain, "equal": dict(self.equal)}


def compare(
    sets: Sequence[Turns], answered: Sequence[Replies], vector: Callable[[Sequence[str]], Any]
) -> MoodEffect:
    """Compute the distances of all changes, and how they differ."""
    changed = {change: pairs(answered, change) for change in CHANGES}
    means: dict[str, dict[str, Ratio]] = {
        change: {name: Ratio.of(values) for name, values in distances(sets, replies, vector).items()}
        for change, replies in changed.items()
        if replies
    }
    return MoodEffect(
        scores={
            change: {
                name: bootstrap(values, [_distance(name)], seed=SEED)[name] for name, values in by.items()
            }
            for change, by in means.items()
        },
        tests={
            change: {
                name: paired(_distance(name), values, means["name"][name], seed=SEED)
                for name, values in by.items()
            }
            for change, by in means.items()
            if change != "name"
        },
        equal={
            change: sum(first == second for first, second in replies) / len(replies)
            for change, replies in changed.items()
            if replies
        },
    )


def _distance(name: str) -> Metric[Ratio]:
    return ratio_metric(
        lambda distances: distances,
        name=name,
        title=name,
        meaning=MEASURES[name],
        higher_is_better=None,
    )
