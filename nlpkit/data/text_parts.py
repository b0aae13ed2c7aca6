"""A message's content as a list of parts, as OpenAI's API writes it."""

from __future__ import annotations

from collections.abc import Mapping

_TEXTS = frozenset({"text", "input_text", "output_text"})


def is_parts(content: object) -> bool:
    """Return whether a message's content is a list of parts."""
    return (
        isinstance(content, (list, tuple))
        and len(content) > 0
        and all(isinstance(part, Mapping) and "type" in part for part in content)
    )


def join_parts(content: object) -> str:
    """Return the texts of the parts, each a line of its own, as vLLM and `nlpkit serve` read them.

    Raises:
        ValueError: a part is not text; the message names its type.
    """
    parts = content if isinstance(content, (list, tuple)) else ()
    for part in parts:
        if not isinstance(part, Mapping):
            raise ValueError("a part that is no object with a type")
        kind = str(part.get("type"))
        if kind not in _TEXTS or not isinstance(part.get("text"), str):
            missing = " without text" if kind in _TEXTS else ""
            raise ValueError(f"a part of the type {kind!r:.40}{missing}")
    return "\n".join(part["text"] for part in parts)
