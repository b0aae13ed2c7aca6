"""Emoji are read by name where the base does not know them (S16), in a run and in every export of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import normalizers

from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.models.emoji_names import character_map, unknown_emoji, with_emoji_names
from nlpkit.models.pretrained import load_tokenizer
from nlpkit.tasks.encoding import Frame, token_ids


@pytest.mark.parametrize(
    ("text", "read_as"),
    [
        ("I am 😡!", "I am enraged face !"),
        ("ok🎉fine", "ok party popper fine"),
        ("👏🏽", "clapping hands"),  # a skin tone says nothing
        ("❤️", "red heart"),  # with the selector that makes it a picture
        ("👨‍👧", "man girl"),  # a family is joined out of people
        ("😂😂", "face with tears of joy face with tears of joy"),
        ("no emoji: é, 日本, ½", "no emoji: é, 日本, ½"),
    ],
)
def test_s16_an_emoji_is_read_as_its_name(tiny_base: Path, text: str, read_as: str) -> None:
    base = load_tokenizer(tiny_base)
    assert token_ids(with_emoji_names(base), [text]) == token_ids(base, [read_as])


def test_s16_the_names_are_saved_with_the_tokenizer(tiny_base: Path, tmp_path: Path) -> None:
    tokenizer = with_emoji_names(load_tokenizer(tiny_base))
    tokenizer.save_pretrained(tmp_path)
    texts = ["I am 😡!", "[SEP] 👍", "plain"]
    expected = token_ids(tokenizer, texts)
    assert token_ids(load_tokenizer(tmp_path), texts) == expected  # as a run is loaded
    exported = TextTokenizer.read(tmp_path, frame=Frame.of(tokenizer), pad_id=0)
    assert exported.ids(texts) == expected  # as an export is, without transformers
    assert exported.unknown_id == tokenizer.unk_token_id


def test_s16_what_a_base_knows_stays_as_it_is(tiny_base: Path) -> None:
    from tokenizers import Tokenizer

    tokenizer = load_tokenizer(tiny_base)
    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.model = type(backend.model)({**backend.get_vocab(False), "😡": 999}, unk_token="[UNK]")
    names = unknown_emoji(backend, tokenizer.unk_token_id)
    assert "😡" not in names
    assert names["😢"] == " crying face "


def test_a_tokenizer_that_can_spell_everything_is_left_alone(tiny_base: Path) -> None:
    tokenizer = load_tokenizer(tiny_base)
    tokenizer.unk_token = None
    assert with_emoji_names(tokenizer) is tokenizer


def test_a_character_map_replaces_its_characters_and_no_others() -> None:
    names = {"😡": " enraged ", "😢": "", "☂": " umbrella ", "é": "e"}
    read = normalizers.Precompiled(character_map(names))
    assert read.normalize_str("a😡b😢c☂d é") == "a enraged bc umbrella d e"
    # the same first bytes, and what only a part of a key would match
    untouched = "😠 😣 ☁ è \x00 \x9f 日"
    assert read.normalize_str(untouched) == untouched
