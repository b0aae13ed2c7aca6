"""Token ids to text while they come: no chunk ends inside a character, none holds a control token."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

REPLACEMENT = "\ufffd"
"""What a tokenizer writes for bytes that are no complete character, or not yet."""

CARRY = 8
"""Tokens of a begun reply that are decoded with the first new ones."""


class Detokenizer:
    """The text of one reply. Its chunks together are what the tokenizer makes of all ids at once."""

    def __init__(self, tokenizer: Any, control_ids: Collection[int], begun: Sequence[int] = ()) -> None:
        """Begin a reply, or go on after the ids of one that was begun."""
        self._tokenizer = tokenizer
        self._control_ids = control_ids
        self._ids = list(begun[-CARRY:])
        self._start = 0
        """The first token of the last chunk."""
        self._done = len(self._ids)
        """How many tokens were given out as text."""

    def push(self, token: int) -> str:
        """Add a token and return the text that it completes; often none."""
        if token in self._control_ids:
            return ""
        self._ids.append(token)
        before, now = self._decode_tail()
        if len(now) <= len(before) or now.endswith(REPLACEMENT):
            return ""
        self._start, self._done = self._done, len(self._ids)
        return now[len(before) :]

    def end(self) -> str:
        """Return the text that is left, without an incomplete character at its end."""
        before, now = self._decode_tail()
        self._done = self._start = len(self._ids)
        return now[len(before) :].rstrip(REPLACEMENT)

    def _decode_tail(self) -> tuple[str, str]:
        """Return the text of the last chunk, and the same with all tokens after it.

        Some tokenizers write a token differently at the start of a text. New tokens are therefore decoded
        with the last chunk.
        """
        return self._decode(self._ids[self._start : self._done]), self._decode(self._ids[self._start :])

    def _decode(self, ids: list[int]) -> str:
        if not ids:
            return ""
        text: str = self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
        return text
