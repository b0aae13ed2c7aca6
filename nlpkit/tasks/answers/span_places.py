"""Opinions by characters to opinions by the tokens of a window."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from nlpkit.data.examples import OpinionText, Span
from nlpkit.tasks.encoding import Encoded, Offsets, Places
from nlpkit.tasks.prediction import FoundOpinion

if TYPE_CHECKING:
    import numpy as np


def target_of(
    example: OpinionText, encoded: Encoded, polarities: Sequence[str], *, pairs: bool
) -> list[float]:
    """Return the place of the first token of the first window, that behind its last, and for each opinion
    that it holds wholly five numbers: `span_scores.py`.
    """
    before = 0 if encoded.places is None else encoded.places.before
    held = sorted(opinions_in_window(example, encoded, 0, polarities, pairs=pairs))
    moved = [
        [*(token if token < 0 else token + before for token in numbers[:4]), numbers[4]] for numbers in held
    ]
    tokens = 0 if encoded.places is None else len(encoded.places.offsets[0])
    return [float(number) for number in (before, before + tokens, *chain.from_iterable(moved))]


def opinions_in_window(
    example: OpinionText, encoded: Encoded, number: int, polarities: Sequence[str], *, pairs: bool
) -> set[tuple[int, ...]]:
    """Return the opinions that a window holds wholly, each as its first and last token of the aspect, those
    of the opinion (-1 without one), and the number of its polarity.
    """
    if encoded.places is None:
        return set()
    offsets = encoded.places.offsets[number]
    held: set[tuple[int, ...]] = set()
    for opinion in example.opinions:
        aspect = tokens_of(opinion.aspect, offsets)
        words = tokens_of(opinion.opinion, offsets) if pairs and opinion.opinion else (-1, -1)
        if aspect and words:
            held.add((*aspect, *words, polarities.index(opinion.polarity)))
    return held


def tokens_of(span: Span, offsets: Offsets) -> tuple[int, int] | None:
    """Return the first and the last token that share a character with the span; None where the window ends
    before it, or begins after it.
    """
    touched = [token for token, (start, end) in enumerate(offsets) if start < span.end and end > span.start]
    if not touched or offsets[touched[0]][0] > span.start or offsets[touched[-1]][1] < span.end:
        return None
    return touched[0], touched[-1]


def places_of(text: Encoded) -> Places:
    if text.places is None:
        raise ValueError("spans are decoded from texts that were encoded with the places of their tokens")
    return text.places


def by_window(outputs: np.ndarray, encoded: Sequence[Encoded]) -> list[np.ndarray]:
    """Cut the outputs of the tokens of all windows into those of each window."""
    import numpy as np

    sizes = [len(offsets) for text in encoded for offsets in places_of(text).offsets]
    return list(np.split(outputs, np.cumsum(sizes)[:-1]))


def merged(windows: Sequence[list[FoundOpinion]]) -> tuple[FoundOpinion, ...]:
    """Return the opinions of all windows in the order of the text, each pair of spans once."""
    best: dict[Any, FoundOpinion] = {}
    for opinion in sorted((each for window in windows for each in window), key=lambda each: -each.likely):
        best.setdefault((opinion.aspect, opinion.opinion), opinion)
    return tuple(sorted(best.values(), key=FoundOpinion.place))


def key_of(opinions: Sequence[Any]) -> str:
    """Return spans and polarities as text, the same for the same opinions."""
    ends = [
        [
            *(-1 if (span := opinion.get(part)) is None else span[end] for part in ("aspect", "opinion")
              for end in ("start", "end")),
            opinion["polarity"],
        ]
        for opinion in opinions
    ]  # fmt: skip
    return json.dumps(sorted(ends))
