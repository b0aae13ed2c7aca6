"""Texts to token ids. Every cut and every window is decided here, once, for training and for serving
alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

MAX_WINDOWS = 64
"""A text longer than this many windows is read in as many, spread evenly over it."""

OVERLAP = 0.125
"""Share of a window that it has in common with the one before."""

UNREADABLE = 1 / 3
"""Share of unknown tokens from which on a text counts as unreadable to the model."""

MAX_CHARACTERS = 1_000_000
"""A text is cut to this before tokenizing, so that none takes seconds: far more than MAX_WINDOWS can hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """One input as the model reads it: ids with special tokens, in one window or several."""

    windows: list[list[int]]
    tokens: int
    """Tokens of the whole input, special tokens left out."""
    partial: bool
    """Whether it is so long that the windows leave some of it out."""
    unknown: int = 0
    """Tokens that stand for what the tokenizer does not know."""
    turns_cut: int = 0
    """Turns before it that are not read, or not from their beginning, because they do not fit."""

    @property
    def is_unreadable(self) -> bool:
        """Whether so many of its tokens are unknown that an answer means little."""
        return is_unreadable(self.unknown, self.tokens)


def is_unreadable(unknown: int, tokens: int) -> bool:
    """Return whether so many tokens of a text are unknown that an answer to it means little."""
    return unknown > 0 and unknown >= UNREADABLE * tokens


def token_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return the ids of each text, neither cut nor padded nor framed by special tokens."""
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
        """Read the tokenizer's own frame off a word encoded with and without it."""
        bare = list(tokenizer("a", add_special_tokens=False)["input_ids"])
        framed = list(tokenizer("a")["input_ids"])
        start = next(index for index in range(len(framed)) if framed[index : index + len(bare)] == bare)
        return cls(tuple(framed[:start]), tuple(framed[start + len(bare) :]))

    @property
    def size(self) -> int:
        """How many tokens of a window it takes."""
        return len(self.before) + len(self.after)

    def around(self, ids: list[int]) -> list[int]:
        """Put the special tokens around the ids."""
        return [*self.before, *ids, *self.after]


class Tokenizer(Protocol):
    """What encoding needs of a tokenizer."""

    @property
    def frame(self) -> Frame: ...
    @property
    def ids(self) -> Callable[[Sequence[str]], list[list[int]]]:
        """The ids of each text, neither cut nor framed."""

    @property
    def unknown_id(self) -> int | None:
        """The id of what it does not know; None where it can spell everything."""


def encode_texts(texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
    """Encode plain texts in framed windows of at most `max_tokens`."""
    frame = tokenizer.frame
    size = max_tokens - frame.size
    encoded = []
    for text, ids in zip(texts, tokenizer.ids(texts), strict=True):
        cut = windows(ids, size)
        encoded.append(
            Encoded(
                windows=[frame.around(window) for window in cut],
                tokens=len(ids),
                partial=len(text) > MAX_CHARACTERS
                or (len(cut) == MAX_WINDOWS and len(ids) > MAX_WINDOWS * size),
                unknown=0 if tokenizer.unknown_id is None else ids.count(tokenizer.unknown_id),
            )
        )
    return encoded


def windows(ids: list[int], size: int) -> list[list[int]]:
    """Cut ids into overlapping windows of at most `size`; of a longer text take MAX_WINDOWS, spread evenly
    over it.
    """
    if len(ids) <= size:
        return [ids]
    step = max(1, size - int(size * OVERLAP))
    starts = [*range(0, len(ids) - size, step), len(ids) - size]
    if len(starts) > MAX_WINDOWS:
        last = len(starts) - 1
        starts = [starts[round(number * last / (MAX_WINDOWS - 1))] for number in range(MAX_WINDOWS)]
    return [ids[start : start + size] for start in starts]
