"""Texts to token ids. Every cut and every window is decided here, once, for training and for serving alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MAX_WINDOWS = 64
"""A text longer than this many windows is read in as many, spread evenly over it."""

OVERLAP = 0.125
"""Share of a window that it has in common with the one before."""

MAX_CHARACTERS = 1_000_000
"""A text is cut to this before tokenizing, so that none takes seconds: far more than MAX_WINDOWS can hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One example as the model sees it: plain ints, with special tokens."""

    input_ids: list[int]
    target: list[float]
    weight: float
    cut: int
    """How many tokens of the text did not fit."""


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text, neither cut nor padded nor framed by special tokens."""
    if not texts:
        return []
    cut = [text[:MAX_CHARACTERS] for text in texts]
    encoded = tokenizer(
        cut,
        add_special_tokens=False,
        split_special_tokens=True,  # a text that says [SEP] is those characters, not the end of a text
        truncation=False,
        padding=False,
        verbose=False,
        return_attention_mask=False,
    )
    return list(encoded["input_ids"])


@dataclass(frozen=True)
class Frame:
    """The special tokens that stand around a single text."""

    before: tuple[int, ...]
    after: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Any) -> Frame:
        """The tokenizer's own frame, seen by encoding a word with and without it."""
        bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        framed = list(tokenizer("a")["input_ids"])
        start = next(place for place in range(len(framed)) if framed[place : place + len(bare)] == bare)
        return cls(tuple(framed[:start]), tuple(framed[start + len(bare) :]))

    @property
    def size(self) -> int:
        """How many tokens of a window it takes."""
        return len(self.before) + len(self.after)

    def around(self, ids: list[int]) -> list[int]:
        """The ids with the special tokens around them."""
        return [*self.before, *ids, *self.after]


def windows(ids: list[int], room: int) -> list[list[int]]:
    """The ids in overlapping windows of at most `room`: all of them, or MAX_WINDOWS spread evenly over a longer text."""
    if len(ids) <= room:
        return [ids]
    step = max(1, room - int(room * OVERLAP))
    starts = [*range(0, len(ids) - room, step), len(ids) - room]
    if len(starts) > MAX_WINDOWS:
        last = len(starts) - 1
        starts = [starts[round(place * last / (MAX_WINDOWS - 1))] for place in range(MAX_WINDOWS)]
    return [ids[start : start + room] for start in starts]
