"""What earlier turns have to say: which of them matter to a question, a summary in their own sentences, and both as quotes."""

from __future__ import annotations

import math
import re
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.data.examples import Turn
from nlpkit.errors import NlpkitError

if TYPE_CHECKING:
    from numpy.typing import NDArray

Embed: TypeAlias = "Callable[[Sequence[str]], Sequence[NDArray[Any]]]"
"""(tokens, size) for each text."""

FoundBy: TypeAlias = Literal["encoder", "words"]

ENCODER = "minilm-l6"
"""What compares turns."""

ALIKE = 0.2
"""Turns whose cosine with the question is below this have nothing to do with it."""

SHORTEST = 8
"""A sentence of fewer characters, such as "ok.", says nothing by itself."""

CANDIDATES = 30
"""Sentences that a summary is chosen from."""

HEADING = "Quotes from earlier in this conversation:"

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!?…。！？])\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Recalled:
    """What is quoted of the turns that are not seen."""

    turns: tuple[int, ...]
    """The likeliest to matter first."""
    summary: str


class Vectors:
    """An encoder that remembers what it read: a turn is embedded once, not again for each question. Threads may share it."""

    def __init__(self, embed: Embed, *, most: int = 20_000) -> None:
        self._embed = embed
        self._most = most
        self._known: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> list[NDArray[Any]]:
        """(1, size) for each text: the mean over its tokens."""
        with self._lock:
            new = [one for one in dict.fromkeys(texts) if one not in self._known]
            if new:
                self._known.update(zip(new, (_mean(one)[None] for one in self._embed(new)), strict=True))
            found = [self._known[one] for one in texts]
            for one in dict.fromkeys(texts):
                self._known.move_to_end(one)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return found


def load_vectors() -> Vectors | None:
    """The encoder of the catalogue; None where it cannot be had."""
    from nlpkit.models.encoder import Encoder

    try:
        return Vectors(Encoder.load(ENCODER).embed)
    except NlpkitError:
        return None


def ranking(turns: Sequence[Turn], question: str, embed: Embed | None) -> tuple[list[int], FoundBy]:
    """The turns that have to do with the question, the closest first, and what found them."""
    texts = [one.text for one in turns]
    scores = _overlaps(texts, question) if embed is None else _cosines(texts, question, embed)
    floor = 0.0 if embed is None else ALIKE
    order = sorted(
        (place for place, score in enumerate(scores) if score > floor),
        key=lambda place: (-scores[place], -place),
    )
    first: dict[str, int] = {}
    for place in order:
        first.setdefault(_line(texts[place]).casefold(), place)  # what was said twice is quoted once
    return list(first.values()), "words" if embed is None else "encoder"


def summary_of(turns: Sequence[Turn], room: int, size: Callable[[str], int]) -> str:
    """The sentences of the user's turns that say most, in their order, as many as fit in `room` tokens.

    What a word says is told from how rare it is among the turns (Luhn 1958 chose sentences alike).
    """
    sentences = [
        one
        for turn in turns
        if turn.role == "user"
        for one in _SENTENCE.split(_line(turn.text))
        if len(one) >= SHORTEST
    ]
    words = [frozenset(_words(one)) for one in sentences]
    known = Counter(word for one in words for word in one)
    weights = [
        sum(math.log(len(words) / known[word]) for word in one) / math.sqrt(len(one) + 3) for one in words
    ]
    chosen: list[int] = []
    for place in sorted(range(len(sentences)), key=lambda place: (-weights[place], place))[:CANDIDATES]:
        cost = size(sentences[place]) + 2
        if (
            weights[place] > 0
            and cost <= room
            and not any(_same(words[place], words[other]) for other in chosen)
        ):
            chosen.append(place)
            room -= cost
    return " / ".join(sentences[place] for place in sorted(chosen))


def written(system: str, turns: Sequence[Turn], recalled: Recalled, *, quotes_only: bool = False) -> str:
    """The system part with the quotes below it: each turn is one line, so that no text can look like another's."""
    lines = [f"> {turns[place].role}: {_line(turns[place].text)}" for place in sorted(recalled.turns)]
    if quotes_only:
        return "\n".join(lines)
    if recalled.summary:
        lines.insert(0, f"> summary: {recalled.summary}")
    block = "\n".join([HEADING, *lines]) if lines else ""
    return "\n\n".join(one for one in (system, block) if one)


def _line(text: str) -> str:
    return " ".join(text.split())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _same(one: frozenset[str], other: frozenset[str]) -> bool:
    return len(one & other) > 0.6 * min(len(one), len(other))


def _mean(tokens: NDArray[Any]) -> NDArray[Any]:
    """The mean over the tokens, of length 1; a text of no tokens is like nothing."""
    import numpy as np

    if not len(tokens):
        return np.zeros(tokens.shape[1], dtype=np.float32)
    mean = tokens.mean(axis=0, dtype=np.float64)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _cosines(texts: Sequence[str], question: str, embed: Embed) -> list[float]:
    import numpy as np

    *vectors, asked = [_mean(one) for one in embed([*texts, question])]
    found: list[float] = (np.stack(vectors) @ asked).tolist() if vectors else []
    return found


def _overlaps(texts: Sequence[str], question: str) -> list[float]:
    """How many words each text shares with the question, rare ones counting more."""
    words = [frozenset(_words(one)) for one in texts]
    asked = frozenset(_words(question))
    known = Counter(word for one in words for word in one)
    return [
        sum(math.log(1 + len(words) / known[word]) for word in one & asked) / math.sqrt(len(one) + 3)
        for one in words
    ]
