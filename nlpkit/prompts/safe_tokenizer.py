"""A tokenizer that writes control tokens for a template, and never for a person's text."""

from __future__ import annotations

import functools
import itertools
import re
import threading
from typing import Any

from nlpkit.errors import DataError

CACHED_CHARACTERS = 2_000
"""Length of the longest text whose ids are cached: a conversation is encoded again for each of its turns."""

MAX_CHARACTERS = 1_000_000
"""A text is refused beyond this, before a tokenizer spends seconds on it."""


class SafeTokenizer:
    """Encodes people's texts without control tokens, and a template's own text with them. For any thread."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._lock = threading.Lock()
        self._cached = functools.lru_cache(maxsize=4096)(self._encode_text)
        # Runs of spaces (▁▁ in SentencePiece) and single letters are text, even where they are added tokens
        added = {
            token_id: token.content
            for token_id, token in tokenizer.added_tokens_decoder.items()
            if token.content.strip("▁ \t\r\n") and (token.special or len(token.content) > 1)
        }
        self.control_ids: frozenset[int] = frozenset(added)
        # A tokenizer without bytes writes its unknown token for what it does not know: that is text
        self._unknown = {tokenizer.unk_token_id} - {tokenizer.eos_token_id, tokenizer.bos_token_id}
        longest_first = sorted(added.values(), key=len, reverse=True)
        # (?!) matches nothing
        self._controls = re.compile("|".join(map(re.escape, longest_first)) or "(?!)")
        self._newline = self._encode_alone("\n")
        self._adds_space = self._encode_alone("\na") != [*self._newline, *self._encode_alone("a")]

    def encode_text(self, text: str) -> list[int]:
        """Return the ids of a person's text, without any control token.

        Raises:
            DataError: it is too long, or a control token in it cannot be spelled as characters.
        """
        if len(text) > MAX_CHARACTERS:
            raise DataError(f"a text of {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")
        return list(self._cached(text)) if len(text) <= CACHED_CHARACTERS else self._encode_text(text)

    def _encode_text(self, text: str) -> list[int]:
        ids = self._encode_split(text)
        if self.control_ids.isdisjoint(ids):
            return ids
        # Tokens that are not marked as special match in any text. Cut each of them after its first character.
        cuts = [0, *(match.start() + 1 for match in self._controls.finditer(text)), len(text)]
        ids = [
            token for start, end in itertools.pairwise(cuts) for token in self._encode_split(text[start:end])
        ]
        if strange := (self.control_ids - self._unknown).intersection(ids):
            token = self._tokenizer.convert_ids_to_tokens(min(strange))
            raise DataError(
                f"the text contains {token!r}, which this model's tokenizer cannot spell as characters; "
                "hint: remove it"
            )
        return ids

    def spells_control_token(self, text: str) -> bool:
        """Return whether a text spells a control token. It is harmless, as it is read as plain characters."""
        return self._controls.search(text) is not None

    def encode_literal(self, text: str, *, first: bool) -> list[int]:
        """Return the ids of a template's own text, control tokens included.

        Args:
            text: what the template writes between two messages.
            first: whether the prompt begins with it.
        """
        return self._encode(text, split=False, first=first) if text else []

    def _encode_split(self, text: str) -> list[int]:
        return self._encode(text, split=True, first=False) if text else []

    def _encode(self, text: str, *, split: bool, first: bool) -> list[int]:
        """Encode a part of a prompt.

        SentencePiece puts a space before the start of a text. A part in the middle must not get one, so it is
        encoded after a newline, whose ids are then cut off.
        """
        if first or not self._adds_space:
            return self._encode_alone(text, split=split)
        ids = self._encode_alone(f"\n{text}", split=split)
        count = len(self._newline)
        return ids[count:] if ids[:count] == self._newline else self._encode_alone(text, split=split)

    def _encode_alone(self, text: str, *, split: bool = True) -> list[int]:
        # A tokenizer keeps `split_special_tokens` as its state: with two threads at once, one could write
        # control tokens into a person's text
        with self._lock:
            encoded: list[int] = self._tokenizer(
                text, add_special_tokens=False, split_special_tokens=split, verbose=False
            )["input_ids"]
        return encoded
