"""Token ids to text while they come: no piece ends inside a character, none holds a control token."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

HALF = "\ufffd"
"""What a tokenizer writes for bytes that are no whole character, or not yet."""


class Detokenizer:
    """The text of one answer. The pieces together are what the tokenizer makes of all ids at once."""

    def __init__(self, tokenizer: Any, control_ids: Collection[int]) -> None:
        self._tokenizer = tokenizer
        self._control_ids = control_ids
        self._ids: list[int] = []
        self._start = 0
        self._given = 0

    def push(self, token: int) -> str:
        """The text that this token brings to its end; often none."""
        if token in self._control_ids:
            return ""
        self._ids.append(token)
        # Some tokenizers write a token otherwise at the start of a text, so that each is read after those of the last piece
        before, now = (
            self._decoded(self._ids[self._start : self._given]),
            self._decoded(self._ids[self._start :]),
        )
        if len(now) <= len(before) or now.endswith(HALF):
            return ""
        self._start, self._given = self._given, len(self._ids)
        return now[len(before) :]

    def end(self) -> str:
        """What is left, without the half character at its end."""
        before, now = (
            self._decoded(self._ids[self._start : self._given]),
            self._decoded(self._ids[self._start :]),
        )
        self._given = self._start = len(self._ids)
        return now[len(before) :].rstrip(HALF)

    def _decoded(self, ids: list[int]) -> str:
        text: str = (
            self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
            if ids
            else ""
        )
        return text
