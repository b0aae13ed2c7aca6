"""Texts to ids, with or without transformers: what a classifier needs of a tokenizer, and no more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nlpkit.errors import RunError
from nlpkit.tasks.encoding import MAX_CHARACTERS, Frame, Offsets, placed_ids, token_ids

FILE = "tokenizer.json"


@dataclass(frozen=True, kw_only=True)
class TextTokenizer:
    """A function from texts to ids, and the special tokens around them."""

    ids: Callable[[Sequence[str]], list[list[int]]]
    """The ids of each text, neither cut nor framed; no text can write a special token."""
    placed: Callable[[Sequence[str]], list[tuple[list[int], Offsets]]]
    """The ids of each text, and the characters of each token."""
    frame: Frame
    pad_id: int
    unknown_id: int | None = None
    """The id of what it does not know; None where it can spell everything."""

    @classmethod
    def of(cls, tokenizer: Any) -> TextTokenizer:
        """Wrap a transformers tokenizer."""
        return cls(
            ids=partial(token_ids, tokenizer),
            placed=partial(placed_ids, tokenizer),
            frame=Frame.of(tokenizer),
            pad_id=tokenizer.pad_token_id,
            unknown_id=tokenizer.unk_token_id,
        )

    @classmethod
    def read(cls, folder: Path, *, frame: Frame, pad_id: int) -> TextTokenizer:
        """Read a tokenizer.json without importing transformers, which takes seconds.

        Raises:
            RunError: the file is missing or damaged.
        """
        from tokenizers import Tokenizer

        try:
            tokenizer = Tokenizer.from_file(str(folder / FILE))
        except Exception as error:  # the library raises nothing narrower
            raise RunError(f"{folder / FILE}: cannot be read: {error}") from None
        tokenizer.no_truncation()
        tokenizer.no_padding()
        # As transformers' split_special_tokens: a text that says [SEP] is those characters
        tokenizer.encode_special_tokens = True

        def ids(texts: Sequence[str]) -> list[list[int]]:
            cut = [text[:MAX_CHARACTERS] for text in texts]
            return [encoding.ids for encoding in tokenizer.encode_batch_fast(cut, add_special_tokens=False)]

        def placed(texts: Sequence[str]) -> list[tuple[list[int], Offsets]]:
            cut = [text[:MAX_CHARACTERS] for text in texts]
            encoded = tokenizer.encode_batch(cut, add_special_tokens=False)
            return [(encoding.ids, encoding.offsets) for encoding in encoded]

        return cls(ids=ids, placed=placed, frame=frame, pad_id=pad_id, unknown_id=_unknown_id(tokenizer))


def _unknown_id(tokenizer: Any) -> int | None:
    # A unigram model does not tell its own; all that are known call it so
    unknown: int | None = tokenizer.token_to_id(getattr(tokenizer.model, "unk_token", None) or "<unk>")
    return unknown
