"""Texts whose characters were damaged by several rounds of wrong encodings, as they were before."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

# What UTF-8 looks like when it was read as Windows-1252: the first bytes of punctuation, symbols and emoji.
_UTF8_SEEN = re.compile("â€|â[œ\u009d„†‡˜™š›]|[_ð]Ÿ[\u008d\u008f\u0090˜™‘’“”•–—¤¦]|Ã[\u00a0-¿]|ï¸")
# Bytes without a character in Windows-1252 were not changed; read as Mac Roman they are these letters.
_PASSED_ON = str.maketrans("Åçèêù", "\u0081\u008d\u008f\u0090\u009d")
# Mac Roman lacks some of the characters: the first byte of an emoji, the last of an ellipsis and of a
# heart became "_".
_LOST = (
    (re.compile("_(?=Ÿ[\u008d\u008f\u0090˜™‘’“”•–—¤¦])"), "ð"),
    (re.compile("â€_"), "â€¦"),
    (re.compile("â\u009d_"), "â\u009d¤"),
)
# Some tweets were written as UTF-8 twice; what is left of their punctuation can still be recognized.
_TWICE = {"Å–": "“", "Îù": "”", "_Ü¢": "’", "_—ù": "—", "_—“": "–", "Î_": "…"}
_TWICE_SEEN = re.compile("’¢_äŒ(" + "|".join(_TWICE) + ")")
_RUN = re.compile(r"_?(?:[^\x00-\x7f]_?)+")
_PUNCTUATION = frozenset("…’“”‘—–•£°½®©")


def repair(text: str) -> str:
    """Return the text as it was before UTF-8 was read as Windows-1252 and written as Mac Roman.

    This happened up to three times.

    Args:
        text: decoded as Mac Roman, the encoding that it was written in last. What was lost for good becomes
            U+FFFD.
    """
    import ftfy

    if text.isascii():
        return text
    text = _TWICE_SEEN.sub(lambda match: _TWICE[match[1]], text)
    seen = next((earlier for earlier in _rounds(text) if _UTF8_SEEN.search(earlier)), text)
    for pattern, whole in _LOST:
        seen = pattern.sub(whole, seen)
    fixed = ftfy.fix_text(seen, ftfy.TextFixerConfig(uncurl_quotes=False, unescape_html=False, explain=False))
    return _RUN.sub(lambda match: _give_up(match[0]), fixed)


def _rounds(text: str) -> Iterator[str]:
    """Yield the text, and what it was one, two and three rounds before."""
    import ftfy.bad_codecs  # noqa: F401  (registers sloppy-windows-1252, which keeps the bytes without a character)

    yield text.translate(_PASSED_ON)
    for _ in range(3):
        try:
            text = text.translate(_PASSED_ON).encode("sloppy-windows-1252").decode("mac_roman")
        # A character that Windows-1252 lacks was not damaged this often.
        except UnicodeEncodeError:
            return
        yield text.translate(_PASSED_ON)


def _give_up(run: str) -> str:
    """Return a run of odd characters if it can be read, else its emoji and U+FFFD for unreadable parts."""
    odd = run.replace("_", "")
    if (len(odd) == 1 and odd.islower()) or all(_says(char) for char in odd):
        return run
    return re.sub("\ufffd+", "\ufffd", "".join(char if _is_symbol(char) else "\ufffd" for char in run))


def _says(char: str) -> bool:
    return char in _PUNCTUATION or _is_symbol(char)


def _is_symbol(char: str) -> bool:
    """Return whether it is an arrow, a symbol, an emoji or a selector, and no wrongly read byte."""
    drawn = unicodedata.category(char) in {"So", "Sk", "Sm", "Cf", "Mn", "Me"}
    return drawn and char >= "\u2190" and not char.encode("mac_roman", "ignore")
