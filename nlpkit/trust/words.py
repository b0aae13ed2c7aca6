"""The words of a text, for explanations: what can be left out by itself.

A word is a run of letters and digits, an address, an emoji with all that belongs to it, or a run of other
signs. Scripts that put no space between words are cut where the tokenizer cuts them.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import TypeAlias

from nlpkit.data.examples import Span
from nlpkit.tasks.encoding import Offsets

Kind: TypeAlias = str
"""Of a character: a letter, one of a script without spaces, a sign, or a space."""
LETTER, UNSPACED, SIGN, SPACE, SAME = "letter", "unspaced", "sign", "space", "same"

_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"]+")
_WITHIN = frozenset("'\u2019-_.,")
"""Signs that stay inside a word between two letters or digits; the last two only between digits."""
_BEFORE = frozenset("@#")
"""Signs that begin a word."""
_UNSPACED = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3400, 0x9FFF),  # Han
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)


def words_of(text: str, tokens: Offsets) -> list[Span]:
    """Return the words of a text, which hold all that is no space.

    Args:
        text: any.
        tokens: the characters of each of its tokens, in order.
    """
    kept = _indivisible(text)
    starts = [span.start for span in kept]
    words: list[Span] = []
    at = 0
    while at < len(text):
        index = bisect.bisect_left(starts, at)
        if index < len(kept) and starts[index] == at:
            words.append(kept[index])
            at = kept[index].end
            continue
        end = kept[index].start if index < len(kept) else len(text)
        words += _runs(text, at, end)
        at = end
    return list(_cut(text, words, tokens))


def without(text: str, words: Sequence[Span], removed: Collection[int]) -> str:
    """Return a text without the words of these numbers, the spaces around them closed up."""
    if not removed:
        return text
    parts: list[str] = []
    last = -1
    for number, word in enumerate(words):
        if number in removed:
            continue
        if parts:
            gap = text[words[number - 1].end : word.start]
            before = text[words[last].end - 1]
            if not gap and last < number - 1 and _kind(before) == _kind(text[word.start]) == LETTER:
                gap = " "  # two words that were apart stay two
            parts.append(gap)
        parts.append(text[word.start : word.end])
        last = number
    return "".join(parts)


def owners(words: Sequence[Span], tokens: Offsets) -> list[int]:
    """Return the number of each token's word: that in which it begins, or the next one."""
    ends = [word.end for word in words]
    return [min(bisect.bisect_right(ends, start), len(words) - 1) for start, _ in tokens]


def pieces(words: Sequence[Span], most: int) -> list[Span]:
    """Return the words, or where they are more than `most`, as many runs of words that follow each other."""
    size = -(-len(words) // most)
    runs = [words[start : start + size] for start in range(0, len(words), size)]
    return [Span(start=run[0].start, end=run[-1].end) for run in runs]


def _indivisible(text: str) -> list[Span]:
    """Return the emoji and addresses of a text."""
    spans = [Span(start=match.start(), end=match.end()) for match in _ADDRESS.finditer(text)]
    if not text.isascii():
        from emoji import emoji_list

        spans += [Span(start=each["match_start"], end=each["match_end"]) for each in emoji_list(text)]
    apart: list[Span] = []
    for span in sorted(spans):
        if not apart or span.start >= apart[-1].end:
            apart.append(span)
    return apart


def _runs(text: str, start: int, end: int) -> Iterator[Span]:
    """Yield the runs of characters of one kind."""
    begun, kind = start, SPACE
    for at in range(start, end):
        here = _kind_at(text, at)
        if here == SAME and kind != SPACE:
            continue
        if here == SAME:  # with nothing to belong to
            here = SPACE if unicodedata.category(text[at]) == "Cf" else SIGN
        begins_word = kind == SIGN and begun == at - 1 and text[begun] in _BEFORE and here == LETTER
        if here != kind and not begins_word:
            if kind != SPACE:
                yield Span(start=begun, end=at)
            begun = at
        kind = here
    if kind != SPACE and begun < end:
        yield Span(start=begun, end=end)


def _kind_at(text: str, at: int) -> Kind:
    char = text[at]
    if char in _WITHIN and 0 < at < len(text) - 1:
        around = text[at - 1] + text[at + 1]
        if around.isdigit() or (char not in ".," and around.isalnum() and _kind(around[0]) == LETTER):
            return SAME
    return _kind(char)


def _kind(char: str) -> Kind:
    category = unicodedata.category(char)
    if category[0] == "M" or category == "Cf":  # accents, vowel signs, joiners, variation selectors
        return SAME
    if category[0] in "LN":
        return UNSPACED if any(low <= ord(char) <= high for low, high in _UNSPACED) else LETTER
    return SPACE if char.isspace() or category[0] in "ZC" else SIGN


def _cut(text: str, words: Sequence[Span], tokens: Offsets) -> Iterator[Span]:
    """Yield the words, those of scripts without spaces cut where tokens begin."""
    starts = sorted({start for start, _ in tokens})
    for word in words:
        if _kind(text[word.start]) != UNSPACED:
            yield word
            continue
        within = starts[bisect.bisect_right(starts, word.start) : bisect.bisect_left(starts, word.end)]
        cuts = [word.start, *(start for start in within if _kind(text[start]) == UNSPACED), word.end]
        yield from (Span(start=begun, end=end) for begun, end in pairwise(cuts))
