"""Texts to token ids. Every cut and every window is decided here, once, for training and for serving
alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeAlias

from nlpkit.data.examples import Picture
from nlpkit.errors import RunError

Offsets: TypeAlias = list[tuple[int, int]]

MAX_WINDOWS = 64
"""A text longer than this many windows is read in as many, spread evenly over it."""

OVERLAP = 0.125
"""Share of a window that it has in common with the one before."""

UNREADABLE = 1 / 3
"""Share of unknown tokens from which on a text counts as unreadable to the model."""

_JOINER = "\u200d"

MAX_CHARACTERS = 1_000_000
"""A text is cut to this before tokenizing, so that none takes seconds: far more than MAX_WINDOWS can hold."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where tokens stand in their text."""

    text: str
    offsets: list[Offsets]
    """The first and last character (exclusive) of each token of a window, special tokens left out."""
    starts: list[int]
    """The number of the first token of each window."""
    before: int
    """Special tokens before the first token of a window."""


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
    places: Places | None = None
    """Where the tokens stand in the text, for a task that answers with parts of it."""
    picture: Picture | None = None
    """The picture that is read with it, for a task that reads pictures."""

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
    return list(_tokenized(tokenizer, texts)["input_ids"])


def placed_ids(tokenizer: Any, texts: Sequence[str]) -> list[tuple[list[int], Offsets]]:
    """Return the ids of each text as `token_ids` does, and the characters of each token.

    Raises:
        RunError: the tokenizer does not know where its tokens stand.
    """
    if not texts:
        return []
    if not tokenizer.is_fast:
        raise RunError(
            "the base's tokenizer does not know which characters a token stands for; hint: a base with a "
            "tokenizer.json, such as base.source: minilm-l6"
        )
    encoded = _tokenized(tokenizer, texts, return_offsets_mapping=True)
    return list(zip(encoded["input_ids"], encoded["offset_mapping"], strict=True))


def _tokenized(tokenizer: Any, texts: Sequence[str], **more: bool) -> Any:
    return tokenizer(
        [text[:MAX_CHARACTERS] for text in texts],
        add_special_tokens=False,
        split_special_tokens=True,  # a text that says [SEP] is those characters, not the end of a text
        truncation=False,
        padding=False,
        verbose=False,
        return_attention_mask=False,
        **more,
    )


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
    def placed(self) -> Callable[[Sequence[str]], list[tuple[list[int], Offsets]]]:
        """The ids of each text, and the characters of each token."""

    @property
    def unknown_id(self) -> int | None:
        """The id of what it does not know; None where it can spell everything."""


def encode_texts(texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
    """Encode plain texts in framed windows of at most `max_tokens`."""
    return [
        _encoded(text, ids, tokenizer, max_tokens)
        for text, ids in zip(texts, tokenizer.ids(texts), strict=True)
    ]


def encode_placed(texts: Sequence[str], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
    """Encode plain texts as `encode_texts` does, with the place of each token."""
    size = max_tokens - tokenizer.frame.size
    encoded = []
    for text, (ids, offsets) in zip(texts, tokenizer.placed(texts), strict=True):
        shown, starts = whole_characters(text, offsets), window_starts(len(ids), size)
        places = Places(
            text=text,
            offsets=[shown[start : start + size] for start in starts],
            starts=starts,
            before=len(tokenizer.frame.before),
        )
        encoded.append(replace(_encoded(text, ids, tokenizer, max_tokens), places=places))
    return encoded


def _encoded(text: str, ids: list[int], tokenizer: Tokenizer, max_tokens: int) -> Encoded:
    frame = tokenizer.frame
    size = max_tokens - frame.size
    cut = windows(ids, size)
    return Encoded(
        windows=[frame.around(window) for window in cut],
        tokens=len(ids),
        partial=len(text) > MAX_CHARACTERS or (len(cut) == MAX_WINDOWS and len(ids) > MAX_WINDOWS * size),
        unknown=0 if tokenizer.unknown_id is None else ids.count(tokenizer.unknown_id),
    )


def whole_characters(text: str, offsets: Offsets) -> Offsets:
    """Return offsets without space at their ends, and with all that belongs to their first and last
    character.

    Some tokenizers count the space before a word to it, leave out accents and signs that only change how a
    character looks, or cut before them.
    """
    shown = []
    for start, end in offsets:
        first, last = start, end
        while first < last and text[first].isspace():
            first += 1
        while last > first and text[last - 1].isspace():
            last -= 1
        if first == last:  # nothing but space
            first, last = start, end
        while last < len(text) and last > first and _belongs_to_previous(text, last):
            last += 1
        while 0 < first < last and _belongs_to_previous(text, first):
            first -= 1
        shown.append((first, last))
    return shown


def _belongs_to_previous(text: str, at: int) -> bool:
    # marks, variation selectors, skin tones, and what a zero-width joiner joins
    return (
        unicodedata.category(text[at]).startswith("M")
        or "\U0001f3fb" <= text[at] <= "\U0001f3ff"
        or text[at] == _JOINER
        or text[at - 1] == _JOINER
    )


def windows(ids: list[int], size: int) -> list[list[int]]:
    """Cut ids into overlapping windows of at most `size`; of a longer text take MAX_WINDOWS, spread evenly
    over it.
    """
    return [ids[start : start + size] for start in window_starts(len(ids), size)]


def window_starts(count: int, size: int) -> list[int]:
    """Return where the windows of so many tokens begin."""
    if count <= size:
        return [0]
    step = max(1, size - int(size * OVERLAP))
    starts = [*range(0, count - size, step), count - size]
    if len(starts) > MAX_WINDOWS:
        last = len(starts) - 1
        starts = [starts[round(number * last / (MAX_WINDOWS - 1))] for number in range(MAX_WINDOWS)]
    return starts
