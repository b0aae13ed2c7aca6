from __future__ import annotations

import pytest

from nlpkit.sources.mojibake import repair


def damage(text: str, rounds: int) -> str:
    """UTF-8 read as Windows-1252 and written as Mac Roman, `rounds` times; "_" stands for the rest."""
    import ftfy.bad_codecs  # noqa: F401  (registers sloppy-windows-1252)

    raw = text.encode()
    for _ in range(rounds):
        seen = raw.decode("sloppy-windows-1252")
        raw = b"".join(bytes([ord(char)]) if 0x80 <= ord(char) < 0xA0 else mac(char) for char in seen)
    return raw.decode("mac_roman")


def mac(char: str) -> bytes:
    try:
        return char.encode("mac_roman")
    except UnicodeEncodeError:
        return b"_"


@pytest.mark.parametrize("rounds", [1, 2, 3])
@pytest.mark.parametrize(
    "text",
    [
        "“It’s — well – ‘fine’…”",
        "so good 😂😂",
        "😍 wow",
        "👏👏👏",
        "I ❤️ this",
        "thanks 🙏",
        "no damage at all",
    ],
)
def test_what_can_be_read_is_as_it_was_written(text: str, rounds: int) -> None:
    assert repair(damage(text, rounds)) == text


def test_real_rows_of_the_file() -> None:
    assert repair("wonäó»t fix it, you said to goäó_?") == "won’t fix it, you said to go…?"
    assert repair("‰ÛÏ@someone: no‰Ûù _Ù÷â_Ù÷â") == "“@someone: no” 😂😂"
    assert repair("doesn’¢_äŒ_Ü¢t ’¢_äŒ_—ù ’¢_äŒÅ–ok’¢_äŒÎù") == "doesn’t — “ok”"
    assert repair("‰\xa0Õ http") == "→ http"


def test_what_is_lost_becomes_one_replacement_character_beside_what_is_not() -> None:
    # The last byte of the second emoji has no place in Mac Roman.
    assert repair("ok _Ù÷â_Ù÷_ then") == "ok 😂� then"
    assert repair("they‰Ûª_‰Ûª_Ì_Å_re") == "they�re"


@pytest.mark.parametrize("text", ["café", "voilà, señor", "plain ascii_text", "5 £", "it’s…"])
def test_text_without_damage_stays(text: str) -> None:
    assert repair(text) == text
