"""A turn with its speaker and the turns before it as one window of ids.

    [CLS] speaker [SEP] turn [SEP] speaker [SEP] turn before [SEP] ... [SEP]

The turn comes first, then the turns before it, the latest first. Only nlpkit writes special tokens, so that
no text and no name can begin another turn.
"""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError
from nlpkit.tasks.encoding import MAX_CHARACTERS, MAX_WINDOWS, Encoded, Frame, Tokenizer, windows

NAME_TOKENS = 16
"""Tokens of a speaker's name that are read; at most a quarter of the window."""

FEWEST = 4
"""Tokens of a turn before that are worth reading where not all of it fits."""


def encode_turns(inputs: Sequence[TextInput], tokenizer: Tokenizer, max_tokens: int) -> list[Encoded]:
    """Encode turns in framed windows of at most `max_tokens`.

    Of the turns before, those that fit are read; the oldest of them may lose its beginning. A turn too long
    for one window is read in several, without the turns before it.

    Raises:
        ConfigError: the tokenizer puts no special tokens around a text.
    """
    frame = tokenizer.frame
    separator = _separator(frame)
    size = max_tokens - frame.size
    named = min(NAME_TOKENS, size // 4)
    spoken = [(turn.speaker, turn.text) for given in inputs for turn in given.context]
    spoken += [(given.speaker, given.text) for given in inputs]
    distinct = list(dict.fromkeys(text for turn in spoken for text in turn))
    ids = dict(zip(distinct, tokenizer.ids(distinct), strict=True))
    encoded = []
    for given in inputs:
        name, text = ids[given.speaker][:named], ids[given.text]
        cut = windows(text, size - len(name) - 1)
        read = [[*name, separator, *window] for window in cut]
        turns_cut = len(given.context)
        if len(read) == 1:
            before = [(ids[turn.speaker][:named], ids[turn.text]) for turn in reversed(given.context)]
            turns_cut -= _add_context(read[0], before, separator, size)
        encoded.append(
            Encoded(
                windows=[frame.around(window) for window in read],
                tokens=len(name) + 1 + len(text),
                partial=len(given.text) > MAX_CHARACTERS
                or (len(cut) == MAX_WINDOWS and len(text) > MAX_WINDOWS * size),
                turns_cut=turns_cut,
                unknown=0 if tokenizer.unknown_id is None else text.count(tokenizer.unknown_id),
            )
        )
    return encoded


def _add_context(
    turn: list[int], before: Sequence[tuple[list[int], list[int]]], separator: int, size: int
) -> int:
    """Put the turns before, the latest first, after a turn, as far as they fit; return how many fit whole."""
    for number, (name, text) in enumerate(before):
        left = size - len(turn) - len(name) - 2
        if left >= min(len(text), FEWEST):
            turn += [separator, *name, separator, *text[max(0, len(text) - left) :]]
        if left < len(text):
            return number
    return len(before)


def _separator(frame: Frame) -> int:
    """Return a special token that stands after a text, or before it."""
    tokens = (*frame.after, *frame.before)
    if not tokens:
        raise ConfigError(
            "this base puts no special tokens around a text, so that turns would run into each other; "
            "hint: choose an encoder, such as base.source: minilm-l6"
        )
    return tokens[0]
