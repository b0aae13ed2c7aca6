"""Rank earlier turns by relevance to a question, summarize them, and write both as quotes."""

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
"""Returns `(tokens, size)` for each text."""

FoundBy: TypeAlias = Literal["encoder", "words"]

ENCODER = "minilm-l6"
"""The encoder that compares turns."""

MIN_COSINE = 0.2
"""Turns whose cosine with the question is lower are unrelated to it."""

MIN_SENTENCE = 8
"""A sentence of fewer characters, such as "ok.", says nothing by itself."""

MAX_SENTENCES = 30
"""Sentences that a summary is chosen from."""

HEADING = "Quotes from earlier in this conversation:"

_WORD = re.compile(r"\w+")
_SENTENCE = re.compile(r"(?<=[.!?…。！？])\s+")


@dataclass(frozen=True, kw_only=True, slots=True)
class Quotes:
    """What is quoted of the turns that are not seen."""

    turns: tuple[int, ...]
    """Their numbers, the most relevant first."""
    summary: str


class CachedEncoder:
    """An encoder that remembers its texts: a turn is embedded once, not for each question. For any thread."""

    def __init__(self, embed: Embed, *, most: int = 20_000) -> None:
        self._embed = embed
        self._most = most
        self._known: OrderedDict[str, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> list[NDArray[Any]]:
        """Return `(1, size)` for each text: the mean over its tokens."""
        with self._lock:
            new = [text for text in dict.fromkeys(texts) if text not in self._known]
            if new:
                means = (_mean(tokens)[None] for tokens in self._embed(new))
                self._known.update(zip(new, means, strict=True))
            vectors = [self._known[text] for text in texts]
            for text in dict.fromkeys(texts):
                self._known.move_to_end(text)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return vectors


def load_encoder() -> CachedEncoder | None:
    """Load the encoder of the catalog; return None if it is not available."""
    from nlpkit.models.encoder import Encoder

    try:
        return CachedEncoder(Encoder.load(ENCODER).embed)
    except NlpkitError:
        return None


def rank_turns(turns: Sequence[Turn], question: str, embed: Embed | None) -> tuple[list[int], FoundBy]:
    """Return the numbers of the turns related to the question, the closest first, and what found them."""
    texts = [turn.text for turn in turns]
    scores = _overlaps(texts, question) if embed is None else _cosines(texts, question, embed)
    floor = 0.0 if embed is None else MIN_COSINE
    order = sorted(
        (turn for turn, score in enumerate(scores) if score > floor), key=lambda turn: (-scores[turn], -turn)
    )
    first: dict[str, int] = {}
    for turn in order:
        first.setdefault(_as_line(texts[turn]).casefold(), turn)  # a repeated text is quoted once
    return list(first.values()), "words" if embed is None else "encoder"


def summarize(turns: Sequence[Turn], token_budget: int, size: Callable[[str], int]) -> str:
    """Return the most informative sentences of the user's turns, in their order.

    A sentence is weighed by how rare its words are among the turns, as Luhn (1958) extracted sentences.

    Args:
        turns: the user's turns are read, replies are not.
        token_budget: tokens of the summary at most.
        size: counts the tokens of a text.
    """
    sentences = [
        sentence
        for turn in turns
        if turn.role == "user"
        for sentence in _SENTENCE.split(_as_line(turn.text))
        if len(sentence) >= MIN_SENTENCE
    ]
    bags = [frozenset(_words(sentence)) for sentence in sentences]
    counts = Counter(word for bag in bags for word in bag)
    # Sum of the words' inverse document frequencies; the root keeps long sentences from always winning
    weights = [
        sum(math.log(len(bags) / counts[word]) for word in bag) / math.sqrt(len(bag) + 3) for bag in bags
    ]
    chosen: list[int] = []
    for index in sorted(range(len(sentences)), key=lambda index: (-weights[index], index))[:MAX_SENTENCES]:
        cost = size(sentences[index]) + 2
        is_new = not any(_overlap_much(bags[index], bags[earlier]) for earlier in chosen)
        if weights[index] > 0 and cost <= token_budget and is_new:
            chosen.append(index)
            token_budget -= cost
    return " / ".join(sentences[index] for index in sorted(chosen))


def add_quotes(system: str, turns: Sequence[Turn], quotes: Quotes, *, heading: bool = True) -> str:
    """Return the system prompt with the quotes below it.

    Each turn takes one line, so that no text can look like another's.

    Args:
        system: the system prompt.
        turns: those that the quotes name by number.
        quotes: what is quoted.
        heading: whether a heading and the summary stand above the quoted turns.
    """
    lines = [f"> {turns[number].role}: {_as_line(turns[number].text)}" for number in sorted(quotes.turns)]
    if not heading:
        return "\n".join(lines)
    if quotes.summary:
        lines.insert(0, f"> summary: {quotes.summary}")
    block = "\n".join([HEADING, *lines]) if lines else ""
    return "\n\n".join(part for part in (system, block) if part)


def _as_line(text: str) -> str:
    return " ".join(text.split())


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _overlap_much(first: frozenset[str], second: frozenset[str]) -> bool:
    return len(first & second) > 0.6 * min(len(first), len(second))


def _mean(tokens: NDArray[Any]) -> NDArray[Any]:
    """Return the mean over the tokens, scaled to length 1; zeros for a text of no tokens."""
    import numpy as np

    if not len(tokens):
        return np.zeros(tokens.shape[1], dtype=np.float32)
    mean = tokens.mean(axis=0, dtype=np.float64)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-12), dtype=np.float32)


def _cosines(texts: Sequence[str], question: str, embed: Embed) -> list[float]:
    import numpy as np

    *vectors, target = [_mean(tokens) for tokens in embed([*texts, question])]
    cosines: list[float] = (np.stack(vectors) @ target).tolist() if vectors else []
    return cosines


def _overlaps(texts: Sequence[str], question: str) -> list[float]:
    """Return how many words each text shares with the question; rare ones weigh more."""
    bags = [frozenset(_words(text)) for text in texts]
    wanted = frozenset(_words(question))
    counts = Counter(word for bag in bags for word in bag)
    return [
        sum(math.log(1 + len(bags) / counts[word]) for word in bag & wanted) / math.sqrt(len(bag) + 3)
        for bag in bags
    ]
