"""Emoji read by name: where a tokenizer does not know 😡, its text becomes "enraged face".

The names become part of the tokenizer itself, as a SentencePiece character map (the normalizer `Precompiled`
of `tokenizers`): saved with a run, they are read alike in training, scoring and every export.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Any

_JOINING = ("\ufe0e", "\ufe0f", *map(chr, range(0x1F3FB, 0x1F400)))
"""Variation selectors and skin tones: they change how an emoji looks, and are dropped."""


def with_emoji_names(tokenizer: Any) -> Any:
    """Return a tokenizer that reads emoji by their English names where it would read `unknown`.

    Emoji that it knows, or whose name it does not know either, stay as they are; so does a tokenizer that can
    spell every text in bytes.
    """
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or tokenizer.unk_token_id is None:
        return tokenizer
    names = unknown_emoji(backend, tokenizer.unk_token_id)
    if not names:
        return tokenizer
    from tokenizers import Tokenizer, normalizers
    from transformers import PreTrainedTokenizerFast

    read = Tokenizer.from_str(backend.to_str())
    reading = normalizers.Precompiled(character_map(names))
    read.normalizer = normalizers.Sequence([reading, *([read.normalizer] if read.normalizer else [])])
    # A class of its own model would build its normalizer anew when it is loaded, and lose the names
    return PreTrainedTokenizerFast(
        tokenizer_object=read,
        model_max_length=tokenizer.model_max_length,
        padding_side=tokenizer.padding_side,
        **tokenizer.special_tokens_map,
    )


def unknown_emoji(backend: Any, unknown: int) -> dict[str, str]:
    """Return emoji of one character that a tokenizer does not know -> their names, which it knows.

    A name has a space on either side, so that it never joins the word next to it.
    """
    from emoji import EMOJI_DATA

    names = {
        character: f" {entry['en'].strip(':').replace('_', ' ')} "
        for character, entry in EMOJI_DATA.items()
        if len(character) == 1
    }
    names.update(dict.fromkeys(_JOINING, ""))
    encoded = backend.encode_batch([*names, *names.values()], add_special_tokens=False)
    as_they_are, by_name = encoded[: len(names)], encoded[len(names) :]
    return {
        character: name
        for (character, name), plain, read in zip(names.items(), as_they_are, by_name, strict=True)
        if unknown in plain.ids and unknown not in read.ids
    }


def character_map(names: Mapping[str, str]) -> bytes:
    """Return a character map in SentencePiece's form: the trie's size, the trie, the names.

    The trie is a double array of 32-bit units (Darts, as SentencePiece reads it): the low byte of a unit is
    its label, bit 8 says that a key ends here, bits 10 to 31 lead to its children. Each inner node has a
    block of 256 units here; the value of a key stands in any unit that is free.
    """
    units = [0] * 256
    blocks: dict[bytes, int] = {}
    ends: list[tuple[int, int]] = []
    texts = bytearray()

    def lead(unit: int, target: int, label: int) -> None:
        units[unit] = (unit ^ target) << 10 | label

    def new_block() -> int:
        units.extend([0] * 256)
        return len(units) - 256

    blocks[b""] = new_block()
    lead(0, blocks[b""], 0)
    for character, name in names.items():
        key = character.encode()
        for end in range(1, len(key)):
            if key[:end] not in blocks:
                blocks[key[:end]] = new_block()
                lead(blocks[key[: end - 1]] ^ key[end - 1], blocks[key[:end]], key[end - 1])
        unit = blocks[key[:-1]] ^ key[-1]
        units[unit] = key[-1]  # taken
        ends.append((unit, len(texts)))
        texts += name.encode() + b"\0"
    for (unit, value), slot in zip(ends, _free(units), strict=False):
        lead(unit, slot, units[unit] | 1 << 8)
        units[slot] = value | 1 << 31
    trie = struct.pack(f"<{len(units)}I", *units)
    return struct.pack("<I", len(trie)) + trie + bytes(texts)


def _free(units: list[int]) -> Iterator[int]:
    return (index for index in range(1, len(units)) if not units[index])
