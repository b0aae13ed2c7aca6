"""Opinions in records: lists of aspect, opinion words and polarity, by tokens, characters or words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from nlpkit.data.examples import Opinion, Span
from nlpkit.data.records import Record
from nlpkit.errors import DataError, nearest
from nlpkit.settings.data import OpinionSource
from nlpkit.tasks.label_names import parsed_list

COLUMNS = ("triplets", "opinions")
"""Columns that are known to hold opinions, where the source does not name one."""

_TOKEN = re.compile(r"\S+")

_FORMS = "hint: each opinion is {aspect, opinion, polarity}, or a list of these three"


def opinion_column(record: Record, source: OpinionSource) -> str:
    """Return the column that holds the opinions: the one that is named, else one that is known."""
    if source.label in record.fields:
        return source.label
    return next((name for name in COLUMNS if name in record.fields), source.label)


def opinions_in(
    record: Record, source: OpinionSource, text: str, *, needs_words: bool
) -> tuple[Opinion, ...]:
    """Return the opinions that a record holds, each once.

    Raises:
        DataError: there is no such column, it is no list of opinions, or a span is none of the text, with
            file and row.
    """
    column = opinion_column(record, source)
    if column not in record.fields:
        raise DataError(
            f"{record.where}: no column {column!r}{nearest(column, record.fields)}; expected the opinions; "
            "hint: name their column, as with `label: triplets` below the source, or --label"
        )
    held = parsed_list(record.fields[column])
    if held is None or held == "":
        return ()
    if isinstance(held, (str, bytes, Mapping)) or not hasattr(held, "__iter__"):
        raise DataError(
            f"{record.where}: column {column!r} holds {str(held)[:90]!r}; expected a list of opinions; "
            f"{_FORMS}"
        )
    opinions: dict[tuple[Span, Span | None], Opinion] = {}
    for number, item in enumerate(held, 1):
        where = f"{record.where}: opinion {number} of column {column!r}"
        opinion = _opinion(item, source, text, where, needs_words=needs_words)
        before = opinions.setdefault((opinion.aspect, opinion.opinion), opinion)
        if before.polarity != opinion.polarity:
            raise DataError(
                f"{where} is {opinion.polarity!r}, and the same spans are {before.polarity!r} before; "
                "hint: keep one of them"
            )
    return tuple(opinions.values())


def _opinion(item: Any, source: OpinionSource, text: str, where: str, *, needs_words: bool) -> Opinion:
    aspect, words, polarity = _parts(item, where)
    if not isinstance(polarity, str) or not polarity.strip():
        raise DataError(f"{where} has no polarity; {_FORMS}")
    name = source.labels.get(polarity.strip(), polarity.strip())
    of = _span(aspect, source, text, f"{where}: the aspect")
    stated = _span(words, source, text, f"{where}: the opinion words") if needs_words else None
    if of is None:
        raise DataError(f"{where} has no aspect; {_FORMS}")
    if needs_words and stated is None:
        raise DataError(f"{where} has no opinion words; hint: find aspects alone, with task.find: terms")
    return Opinion(aspect=of, opinion=stated, polarity=name)


def _parts(item: Any, where: str) -> tuple[Any, Any, Any]:
    if isinstance(item, Mapping):
        known = ("aspect", "opinion", "polarity")
        if "aspect" not in item or "polarity" not in item:
            lacking = "aspect" if "aspect" not in item else "polarity"
            raise DataError(f"{where} lacks {lacking!r}, it has {', '.join(map(str, item))[:60]}; {_FORMS}")
        return item["aspect"], item.get(known[1]), item["polarity"]
    if isinstance(item, Sequence) and not isinstance(item, str) and len(item) in (2, 3):
        return item[0], item[1] if len(item) == 3 else None, item[-1]
    raise DataError(f"{where} is {str(item)[:40]!r}; {_FORMS}")


def _span(held: Any, source: OpinionSource, text: str, where: str) -> Span | None:
    """Return the characters that a span stands for, without space at its ends; None for none at all."""
    if held is None or held == "" or (isinstance(held, Sequence) and not held):
        return None
    if isinstance(held, str):
        return _by_words(held, text, where)
    if isinstance(held, Mapping):
        start, end = held.get("start"), held.get("end")
        if start is None and end is None and isinstance(held.get("text"), str):
            return _by_words(held["text"], text, where)
        span = _by_characters([start, end], text, where)
        if isinstance(held.get("text"), str) and held["text"].strip() != text[span.start : span.end]:
            raise DataError(
                f"{where} is {held['text'][:40]!r}, but the characters {span.start} to {span.end} are "
                f"{text[span.start : span.end][:40]!r}; hint: offsets count characters of the text from 0"
            )
        return span
    numbers = list(held) if hasattr(held, "__iter__") else [held]
    if source.positions == "characters":
        return _by_characters(numbers, text, where)
    return _by_tokens(numbers, text, where)


def _by_words(words: str, text: str, where: str) -> Span:
    start = text.find(words.strip())
    if start < 0:
        raise DataError(f"{where} {words[:40]!r} does not stand in the text")
    if text.find(words.strip(), start + 1) >= 0:
        raise DataError(
            f"{where} {words[:40]!r} stands in the text more than once; hint: give its place, as with "
            f'{{"start": {start}, "end": {start + len(words.strip())}}}'
        )
    return Span(start=start, end=start + len(words.strip()))


def _by_characters(numbers: Sequence[Any], text: str, where: str) -> Span:
    if len(numbers) != 2 or not all(_is_whole(number) for number in numbers):
        raise DataError(f"{where} is {str(list(numbers))[:40]}; expected its first character and its end")
    start, end = numbers
    if end <= start:
        kind = "empty" if end == start else "reversed"
        raise DataError(f"{where} is {kind}: {start} to {end}; expected a start below its end")
    if start < 0 or end > len(text):
        raise DataError(f"{where}, {start} to {end}, lies outside the text of {len(text)} characters")
    held = text[start:end]
    if not held.strip():
        raise DataError(f"{where}, {start} to {end}, holds nothing but space")
    return Span(start=start + len(held) - len(held.lstrip()), end=end - len(held) + len(held.rstrip()))


def _by_tokens(numbers: Sequence[Any], text: str, where: str) -> Span:
    if not all(_is_whole(number) for number in numbers):
        raise DataError(f"{where} is {str(list(numbers))[:40]}; expected the positions of its tokens")
    tokens = list(_TOKEN.finditer(text))
    first, last = numbers[0], numbers[-1]
    if list(numbers) != list(range(first, first + len(numbers))):
        raise DataError(
            f"{where} has the tokens {str(list(numbers))[:40]}, which do not follow one another; "
            "hint: for a first and a last character, set `positions: characters` below the source"
        )
    if first < 0 or last >= len(tokens):
        raise DataError(
            f"{where} has the tokens {str(list(numbers))[:40]}, which lie outside the text of {len(tokens)} "
            "tokens; hint: tokens are counted from 0 and separated by blanks; for characters set "
            "`positions: characters` below the source"
        )
    return Span(start=tokens[first].start(), end=tokens[last].end())


def _is_whole(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)
