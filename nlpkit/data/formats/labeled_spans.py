"""Opinions in a task of Label Studio: spans of a text, relations between them, and their polarity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Result = Mapping[str, Any]

ASPECT = ("aspect", "target", "term", "entity")
OPINION = ("opinion", "expression", "sentiment")
"""How the names of labels begin that say which part of an opinion a span is."""


def opinions_of(results: Sequence[Result], text: str) -> list[dict[str, Any]]:
    """Return what one annotator marked, as aspect, opinion and polarity.

    A relation joins an aspect and its opinion words. The polarity is the relation's label, or a choice or a
    label of one of its two spans. A span without a relation stays alone.

    Raises:
        ValueError: nothing shows which of two spans is the aspect, or an opinion has two polarities.
    """
    spans = _spans(results, text)
    opinions, joined = [], set[str]()
    for relation in results:
        if relation.get("type") != "relation":
            continue
        ends = [str(relation.get(end)) for end in ("from_id", "to_id")]
        if missing := [end for end in ends if end not in spans]:
            raise ValueError(f"a relation leads to {missing[0]!r}, which is no span")
        joined |= set(ends)
        aspect, opinion = _in_order([spans[end] for end in ends])
        names = [*(relation.get("labels") or ()), *opinion["polarities"], *aspect["polarities"]]
        opinions.append(_opinion(aspect, opinion, names))
    for key, span in spans.items():
        if key not in joined:
            is_opinion = span["role"] == "opinion"
            opinions.append(
                _opinion(None if is_opinion else span, span if is_opinion else None, span["polarities"])
            )
    return opinions


def has_spans(results: Sequence[Result]) -> bool:
    """Return whether an annotator marked spans of a text."""
    return any(_is_span(result) for result in results)


def _is_span(result: Result) -> bool:
    value = result.get("value")
    return isinstance(value, Mapping) and "labels" in value and "start" in value and "text" in value


def _spans(results: Sequence[Result], text: str) -> dict[str, dict[str, Any]]:
    spans: dict[str, dict[str, Any]] = {}
    for result in filter(_is_span, results):
        value, names = result["value"], [str(name) for name in result["value"]["labels"]]
        start, end = _characters(text, value["start"], value["end"], str(value["text"]))
        spans[str(result.get("id"))] = {
            "span": {"start": start, "end": end, "text": value["text"]},
            "role": next((role for role in map(_role, names) if role), ""),
            "polarities": [name for name in names if not _role(name)],
        }
    for result in results:
        value = result.get("value")
        if result.get("type") == "choices" and isinstance(value, Mapping) and str(result.get("id")) in spans:
            spans[str(result.get("id"))]["polarities"] += value.get("choices") or ()
    return spans


def _role(name: str) -> str:
    begin = name.casefold()
    return "aspect" if begin.startswith(ASPECT) else "opinion" if begin.startswith(OPINION) else ""


def _in_order(spans: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the aspect, then the opinion words."""
    first, second = spans
    roles = (first["role"], second["role"])
    if roles in (("aspect", "opinion"), ("aspect", ""), ("", "opinion")):
        return first, second
    if roles in (("opinion", "aspect"), ("", "aspect"), ("opinion", "")):
        return second, first
    words = " and ".join(repr(span["span"]["text"][:30]) for span in spans)
    raise ValueError(f"it does not show which of {words} is the aspect: expected labels Aspect and Opinion")


def _opinion(
    aspect: dict[str, Any] | None, opinion: dict[str, Any] | None, names: Sequence[str]
) -> dict[str, Any]:
    distinct = list(dict.fromkeys(names))
    if len(distinct) > 1:
        raise ValueError(f"an opinion has {len(distinct)} polarities: {', '.join(distinct)}")
    parts = {"aspect": aspect, "opinion": opinion}
    held = {name: part["span"] for name, part in parts.items() if part is not None}
    return held | ({"polarity": distinct[0]} if distinct else {})


def _characters(text: str, start: int, end: int, shown: str) -> tuple[int, int]:
    """Return offsets as Python counts characters: a browser counts one like an emoji as two."""
    if text[start:end] == shown:
        return start, end
    units = text.encode("utf-16-le")
    before, held = units[: 2 * start], units[2 * start : 2 * end]
    if held.decode("utf-16-le", "replace") == shown:
        first = len(before.decode("utf-16-le", "replace"))
        return first, first + len(shown)
    return start, end  # the task that reads it says where they differ
