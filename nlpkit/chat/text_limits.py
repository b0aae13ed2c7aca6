"""How much of what people send is taken, and in what form it is kept."""

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
"""Letters and symbols that show nothing."""

MOST_SETTINGS = 20_000
"""Characters of a conversation's settings, as JSON."""

TITLE = 48
"""Characters of a title that is made of the first words."""


class ChatLimits(Settings):
    """How much one conversation may hold."""

    max_characters: Annotated[int, Field(ge=1)] = 8000
    """Of a message."""
    max_turns: Annotated[int, Field(ge=1)] = 1000
    """Of the user, on the path that is seen."""
    max_system: Annotated[int, Field(ge=1)] = 4000
    """Characters of what the bot is told beforehand."""
    max_title: Annotated[int, Field(ge=1)] = 200
    """Characters of a title."""
    max_reason: Annotated[int, Field(ge=1)] = 2000
    """Characters of why a reply was liked or not."""


def message(text: object, limits: ChatLimits) -> str:
    """What someone said, as it is kept: without control characters; emoji, joiners and marks of direction stay.

    Raises:
        LimitError: no text, too long, or nothing in it can be seen.
    """
    cleaned = clean(text, limits.max_characters, what="the message")
    if not is_visible(cleaned):
        raise LimitError("the message is empty, or nothing in it can be seen; expected text")
    return cleaned


def clean(text: object, most: int, *, what: str) -> str:
    """The text without control characters (but line breaks and tabs) and halves of characters.

    Raises:
        LimitError: no text, or too long.
    """
    if not isinstance(text, str):
        raise LimitError(f"{what} is not text; expected text")
    if len(text) > most:  # looked at first: a megabyte costs nothing then
        raise LimitError(f"{what} has {len(text):,} characters; expected at most {most:,}")
    lines = re.sub(r"\r\n?|[\x85\u2028\u2029]", "\n", text)
    return "".join(one for one in lines if one in "\n\t" or unicodedata.category(one) not in ("Cc", "Cs"))


def is_visible(text: str) -> bool:
    """Whether there is anything to see: a letter, a digit, a sign, an emoji."""
    return any(unicodedata.category(one)[0] in "LNPS" and one not in _BLANK for one in text)


def title_of(text: str) -> str:
    """The first words, as many as fit a title, on one line."""
    words = text[: 20 * TITLE].split()
    title = words[0][:TITLE] if words else ""
    for word in words[1:]:
        if len(title) + 1 + len(word) > TITLE:
            break
        title += f" {word}"
    return title


def storable(text: object, what: str) -> str:
    """The text, where a database can hold it.

    Raises:
        LimitError: it is no text, or holds a NUL or half a character.
    """
    if not isinstance(text, str):
        raise LimitError(f"{what} is not text; expected text")
    if reason := unreadable_text(text):
        raise LimitError(f"{what} holds {reason}")
    return text


def settings_json(settings: Mapping[str, object]) -> str:
    """The settings of a conversation as JSON.

    Raises:
        LimitError: they hold what JSON cannot, or too much.
    """
    try:
        found = json.dumps(dict(settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise LimitError("the settings hold something that is no text, number, list or yes and no") from error
    if len(found) > MOST_SETTINGS:
        raise LimitError(f"the settings have {len(found):,} characters; expected at most {MOST_SETTINGS:,}")
    return found
