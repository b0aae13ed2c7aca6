"""Speakers of a conversation: which role or name a line has, and which of them the model learns to be."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from nlpkit.data.conversation_columns import OR_LEAVE_OUT, RefusedError, in_words
from nlpkit.data.conversation_lines import Line
from nlpkit.data.conversation_shapes import Script
from nlpkit.errors import nearest

_ROLES = {
    "system": ("system", "developer"),
    "user": ("user", "human", "prompter", "person"),
    "assistant": ("assistant", "bot", "chatbot", "gpt", "chatgpt", "model", "ai"),
}
"""The roles that there are, each with its other names."""
CALLED: dict[str, str] = {name: role for role, names in _ROLES.items() for name in names}
_NEVER = frozenset(
    {
        "tool",
        "function",
        "tool_call",
        "tool_response",
        "function_call",
        "function_response",
        "observation",
        "ipython",
    }
)
"""Roles that nobody speaks in, whatever the config calls the chat model."""
SIDES = ("first", "second", "each")
_SHOWN = 6
"""Speakers that a message names."""


def speaker_of(line: Line, script: Script, bot: str | None) -> str:
    """Return who speaks: a name as it stands there, or a role that is allowed under its first name."""
    value = line.speaker
    if isinstance(value, int) and not isinstance(value, bool) and not script.roles:
        value = str(value)
    if not isinstance(value, str):
        raise RefusedError(
            line.where, "a turn without a speaker", f"expected who speaks, as text, found {in_words(value)}"
        )
    name = value.strip()
    if not name:
        raise RefusedError(
            line.where, "a turn without a speaker", "nobody speaks (the role or the name is empty)"
        )
    if not script.roles and name.casefold() not in _NEVER:
        return name
    if role := CALLED.get(name.casefold()):
        return role
    named = bot is not None and bot not in SIDES and bot.casefold() not in CALLED
    if not named or name.casefold() in _NEVER:
        hint = (
            "" if name.casefold() in _NEVER else f"; hint: if the model learns to be it, say {key_of(name)}"
        )
        detail = f"the role {name!r:.60} is not allowed{nearest(name[:60], CALLED)}{hint}"
        raise RefusedError(line.where, f"the role {name!r:.60}", detail)
    return name


def bots_of(speakers: Sequence[str], script: Script, bot: str | None) -> list[str]:
    """Return the speakers that the model learns to be; more than one only for `each`."""
    first, second, *others = speakers
    if bot in SIDES:
        return {"first": [first], "second": [second]}.get(bot, [first, second])
    wanted = bot or "assistant"
    for fits in (_is, _is_nearly, _has_the_role):
        fitting = [name for name in speakers if fits(name, wanted)]
        if len(fitting) == 1:
            return fitting
        if fitting:
            several = "several" if others else "both"
            detail = (
                f"{several} speakers, {named_speakers(fitting)}, may be the bot; "
                f"hint: say the name, {key_of(fitting[1])}"
            )
            raise RefusedError(script.where, "two speakers that may be the bot", detail)
    looked = f"{bot!r:.60}" if bot else f"'assistant' (or {', '.join(_ROLES['assistant'][1:])})"
    hint = nearest(bot, speakers) if bot else ""
    hint = hint if hint.startswith("; did") else ""
    side = f"whom the model learns to be: {key_of(second)}, or another"
    if not others:
        side = "which side the model learns: `bot: second`, or a speaker's"
    elsewhere = OR_LEAVE_OUT if bot else ""
    detail = (
        f"no turn of the bot: looked for {looked}, found the speakers "
        f"{named_speakers(speakers[:_SHOWN])}{hint}; hint: say {side} name{elsewhere}"
    )
    raise RefusedError(script.where, "no turn of the bot", detail)


def _is(name: str, wanted: str) -> bool:
    return name == wanted


def _is_nearly(name: str, wanted: str) -> bool:
    return name.casefold() == wanted.casefold()


def _has_the_role(name: str, wanted: str) -> bool:
    role = CALLED.get(wanted.casefold())
    return role is not None and CALLED.get(name.casefold()) == role


def named_speakers(speakers: Iterable[str]) -> str:
    return " and ".join(f"{speaker!r:.60}" for speaker in speakers)


def key_of(name: str) -> str:
    """Return the key of a config that names the bot, quoted where YAML would read a name otherwise."""
    is_plain = name.replace(" ", "_").isidentifier()
    return f"`bot: {name if is_plain else json.dumps(name, ensure_ascii=False)}`"
