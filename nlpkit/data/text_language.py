"""The script and the language of a text."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

SURE = 0.8
"""Probability from which on a language is reported; short texts rarely reach it."""

_BEGINNING = 200  # characters that the language is judged by
_ONE_SCRIPT = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "BOPOMOFO": "CJK", "KANGXI": "CJK"}


def script(text: str) -> str | None:
    """Return the script of most letters (LATIN, CYRILLIC, CJK, ...); None where there are no letters."""
    if text.isascii():
        return "LATIN" if any(character.isalpha() for character in text) else None
    characters = unicodedata.normalize("NFKC", text)
    counts = Counter(name for character in characters if (name := _script_of(character)))
    return counts.most_common(1)[0][0] if counts else None


@functools.lru_cache(maxsize=4096)
def _script_of(character: str) -> str | None:
    """Unicode names begin with the script: 'CYRILLIC SMALL LETTER ZHE'."""
    if not character.isalpha() or unicodedata.category(character) == "Lm":
        return None
    name = unicodedata.name(character, "").split(" ")[0].split("-")[0]
    return _ONE_SCRIPT.get(name, name) or None


def scripts_of(texts: Iterable[str]) -> dict[str, int]:
    """Count texts by their script, the commonest first."""
    return dict(Counter(script(text) or "no letters" for text in texts).most_common())


def added(*counts: Mapping[str, int]) -> dict[str, int]:
    """Add up counts by script, the commonest first."""
    total: Counter[str] = Counter()
    for each in counts:
        total.update(each)
    return dict(total.most_common())


def unreadable_line(scripts: Mapping[str, int], of: int) -> str:
    """Say how many texts a model cannot read, and in which scripts they are."""
    count = sum(scripts.values())
    shown = ", ".join(f"{name} {number:,}" for name, number in list(scripts.items())[:5])
    return (
        f"{count:,} of {of:,} texts ({count / of:.1%}) are mostly unknown to the model's tokenizer "
        f"({shown}): their answers mean little"
    )


def detector() -> Callable[[str], str | None] | None:
    """Return a function that names a text's language (ISO 639), or None where it is not sure.

    None where py3langid is not installed.
    """
    if importlib.util.find_spec("py3langid") is None:
        return None
    langid: Any = importlib.import_module("py3langid.langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)

    def language(text: str) -> str | None:
        name, probability = identifier.classify(text[:_BEGINNING])
        return str(name) if probability >= SURE else None

    return language
