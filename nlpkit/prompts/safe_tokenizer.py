"""A tokenizer as two pens: one writes a template's control tokens, the other never does, whatever a text says."""

from __future__ import annotations

import functools
import itertools
import re
import threading
from typing import Any

from nlpkit.errors import DataError

REMEMBERED = 2_000
"""Characters of a text that is remembered: a conversation is spelled anew for each of its turns."""

MAX_CHARACTERS = 1_000_000
"""A text is refused beyond this, before a tokenizer spends seconds on it."""


class SafeTokenizer:
    """How a tokenizer spells what people wrote, and what a template says."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._one_at_a_time = threading.Lock()
        self._known = functools.lru_cache(maxsize=4096)(self._text)
        # Runs of spaces (SentencePiece's look like ▁▁) and single letters are text, though some tokenizers add them as tokens
        added = {
            number: one.content
            for number, one in tokenizer.added_tokens_decoder.items()
            if one.content.strip("▁ \t\r\n") and (one.special or len(one.content) > 1)
        }
        self.control_ids = frozenset(added)
        # Where bytes are not spelled out, what a tokenizer does not know becomes its unknown token: text, not control
        self._unknown = {tokenizer.unk_token_id} - {tokenizer.eos_token_id, tokenizer.bos_token_id}
        longest_first = sorted(added.values(), key=len, reverse=True)
        self._controls = re.compile(
            "|".join(map(re.escape, longest_first)) or "(?!)"
        )  # which matches nothing
        self._line = self._bare("\n")
        self._prefixed = self._bare("\na") != [*self._line, *self._bare("a")]

    def text(self, text: str) -> list[int]:
        """The ids of a person's text, without any control token.

        Raises:
            DataError: it is too long, or a control token can only be spelled as itself.
        """
        if len(text) > MAX_CHARACTERS:
            raise DataError(f"a text of {len(text):,} characters; expected at most {MAX_CHARACTERS:,}")
        return list(self._known(text)) if len(text) <= REMEMBERED else self._text(text)

    def _text(self, text: str) -> list[int]:
        ids = self._plain(text)
        if self.control_ids.isdisjoint(ids):
            return ids
        # Tokens that are not marked as special are matched in any text: each is cut after its first character
        cuts = [0, *(found.start() + 1 for found in self._controls.finditer(text)), len(text)]
        ids = [one for start, end in itertools.pairwise(cuts) for one in self._plain(text[start:end])]
        if strange := (self.control_ids - self._unknown).intersection(ids):
            token = self._tokenizer.convert_ids_to_tokens(min(strange))
            raise DataError(
                f"the text holds {token!r}, which this model's tokenizer cannot spell as characters; cure: remove it"
            )
        return ids

    def names_control(self, text: str) -> bool:
        """Whether a text spells a control token: harmless, since it is read as plain characters, but worth a look."""
        return self._controls.search(text) is not None

    def literal(self, text: str, *, first: bool) -> list[int]:
        """The ids of a template's own words, control tokens included; `first` where nothing stands before them."""
        return self._encoded(text, split=False, first=first) if text else []

    def _plain(self, text: str) -> list[int]:
        return self._encoded(text, split=True, first=False) if text else []

    def _encoded(self, text: str, *, split: bool, first: bool) -> list[int]:
        """The ids of a piece; SentencePiece puts a space before the start of a text, which a piece in the middle must not get."""
        if first or not self._prefixed:
            return self._bare(text, split=split)
        ids = self._bare(f"\n{text}", split=split)
        return (
            ids[len(self._line) :] if ids[: len(self._line)] == self._line else self._bare(text, split=split)
        )

    def _bare(self, text: str, *, split: bool = True) -> list[int]:
        # A tokenizer keeps `split_special_tokens` as its state: two threads at once could write control tokens into a person's text
        with self._one_at_a_time:
            encoded: list[int] = self._tokenizer(
                text, add_special_tokens=False, split_special_tokens=split, verbose=False
            )["input_ids"]
        return encoded
