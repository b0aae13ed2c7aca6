"""Limits and cleaning of what people send."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from nlpkit.chat.refusals import LimitError
from nlpkit.data.rows import unreadable_text
from nlpkit.settings import Settings

_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters and symbols that are invisible."""

MAX_SETTINGS = 20_000
"""Characters of a conversation's settings, as JSON."""

MAX_AUTO_TITLE = 48
"""Characters of a title that is made of the first words."""


class ChatLimits(Settings):
    """How much one conversation may hold."""

    max_characters: Annotated[int, Field(ge=1)] = 8000
    """Characters of a message."""
    max_turns: Annotated[int, Field(ge=1)] = 1000
    """Turns of the user on the current path."""
    max_system: Annotated[int, Field(ge=1)] = 4000
    """Characters of the system prompt."""
    max_title: Annotated[int, Field(ge=1)] = 200
    """Characters of a title."""
    max_reason: Annotated[int, Field(ge=1)] = 2000
    """Characters of the reason for a rating."""


def clean_message(text: object, limits: ChatLimits) -> str:
    """Return a message without control characters; emoji, joiners and direction marks stay.

    Raises:
        LimitError: it is no text, too long, or invisible.
    """
    cleaned = clean(text, limits.max_characters, what="the message")
    if not is_visible(cleaned):
        raise LimitError("the message is empty, or nothing in it can be seen; expected text")
    return cleaned


def clean(text: object, max_characters: int, *, what: str) -> str:
    """Return the text without half characters and control characters, except line breaks and tabs.

    Raises:
        LimitError: it is no text, or too long.
    """
    if not isinstance(text, str):
        raise LimitError(f"{what} is not text; expected text")
    if len(text) > max_characters:  # checked first, so that a megabyte costs nothing
        raise LimitError(f"{what} has {len(text):,} characters; expected at most {max_characters:,}")
    lines = re.sub(r"\r\n?|[\x85\u2028\u2029]", "\n", text)
    return "".join(
        character
        for character in lines
        if character in "\n\t" or unicodedata.category(character) not in ("Cc", "Cs")
    )


def is_visible(text: str) -> bool:
    """Return whether the text has a visible character: a letter, a digit, a sign, an emoji."""
    return any(unicodedata.category(character)[0] in "LNPS" and character not in _BLANK for character in text)


def title_of(text: str) -> str:
    """Return as many of the first words as fit a title, on one line."""
    words = text[: 20 * MAX_AUTO_TITLE].split()
    title = words[0][:MAX_AUTO_TITLE] if words else ""
    for word in words[1:]:
        if len(title) + 1 + len(word) > MAX_AUTO_TITLE:
            break
        title += f" {word}"
    return title


def storable(text: object, what: str) -> str:
    """Return the text if a database can store it.

    Raises:
        LimitError: it is no text, or contains a NUL or half a character.
    """
    if not isinstance(text, str):
        raise LimitError(f"{what} is not text; expected text")
    if reason := unreadable_text(text):
        raise LimitError(f"{what} contains {reason}")
    return text


def settings_json(settings: Mapping[str, object]) -> str:
    """Return the settings of a conversation as JSON.

    Raises:
        LimitError: they contain values that JSON does not have, or are too long.
    """
    try:
        stored = json.dumps(dict(settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LimitError("the settings contain a value other than text, number, list or boolean") from error
    if len(stored) > MAX_SETTINGS:
        raise LimitError(f"the settings have {len(stored):,} characters; expected at most {MAX_SETTINGS:,}")
    return stored
