"""Rows of a file as preferences: which columns hold the conversation, the replies and the rating."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.data.preferences import Preference, RatedReply, ReplyPair
from nlpkit.data.records import Record, text_of
from nlpkit.data.text_parts import is_parts, join_parts
from nlpkit.errors import DataError, nearest
from nlpkit.settings import Settings

ROLES: dict[str, Role | None] = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "model"), "assistant"),
    "system": None,
}
"""What a message's role may be called; the system's message is no turn."""

UP, DOWN = frozenset({"up", "1", "+1", "true"}), frozenset({"down", "-1", "false"})
"""Ratings that need no explanation. 0 is not among them: it may mean disliked or not rated."""


def _rating_keys(value: object) -> object:
    return {rating_key(key): side for key, side in value.items()} if isinstance(value, dict) else value


def rating_key(value: object) -> str:
    """Return a rating in one spelling, such as for 1, 1.0, "1" and " UP "."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().casefold()


class PreferenceSource(Settings):
    """Where rated replies or pairs come from, and which columns hold what."""

    source: str
    """A file, a folder, `hub:org/name`, or a catalog name."""
    messages: str = "messages"
    """The column of the conversation before the reply: a list of role and content, or its JSON."""
    prompt: str = "prompt"
    """The column of the message before the reply, where there was only one; a list of messages too."""
    system: str | None = None
    """The column of the system prompt; default: `system` where there is such a column."""
    conversation: str | None = None
    """The column of the conversation's id: rows of one conversation all stay in training or all are held out.
    """
    reply: str = "reply"
    """The column of the reply that was rated, or of the messages that end with it."""
    rating: str = "rating"
    """The column of its rating: up or down, 1 or -1, true or false."""
    ratings: Annotated[dict[str, Literal["up", "down"]], BeforeValidator(_rating_keys)] = Field(default={})
    """What the file calls a rating -> `up` or `down`, such as `{5: up, 1: down}`."""
    chosen: str = "chosen"
    """The column of the reply that was preferred, for pairs."""
    rejected: str = "rejected"
    """The column of the other reply, for pairs."""
    format: str | None = None
    """csv, tsv, tsv-plain, jsonl, parquet or arrow, where the file's name does not say it."""
    encoding: str | None = None
    """The text encoding, when it is not UTF-8."""
    limit: int | None = Field(default=None, ge=1)
    """Take at most this many rows, chosen by the seed."""


def parse(record: Record, source: PreferenceSource) -> Preference:
    """Parse the pair or the rated reply of a row.

    Raises:
        DataError: a column is missing, a text is empty, a role or rating is unknown, or a pair has one reply
            twice.
    """
    if source.chosen in record.fields or source.rejected in record.fields:
        chosen, rejected = _reply(record, source.chosen), _reply(record, source.rejected)
        history = _history(record, source, implied=(chosen[0], rejected[0]))
        if chosen[1].strip() == rejected[1].strip():
            raise DataError(
                f"{record.where}: {source.chosen!r} and {source.rejected!r} hold the same reply; "
                "expected two different ones"
            )
        return ReplyPair(history=history, chosen=chosen[1], rejected=rejected[1])
    for column in (source.reply, source.rating):
        if column not in record.fields:
            expected = f"expected {source.reply!r} and {source.rating!r}, "
            expected += f"or {source.chosen!r} and {source.rejected!r}"
            raise DataError(
                f"{record.where}: no column {column!r}; {expected}{nearest(column, record.fields)}"
            )
    before, reply = _reply(record, source.reply)
    return RatedReply(
        history=_history(record, source, implied=(before,)), reply=reply, liked=_liked(record, source)
    )


def _liked(record: Record, source: PreferenceSource) -> bool:
    value = record.fields[source.rating]
    key = rating_key(value)
    side = source.ratings.get(key, key)
    if side in UP or side in DOWN:
        return side in UP
    known = ", ".join(source.ratings) or "up, down, 1, -1, true, false"
    shown = "nothing" if value is None or not key else repr(value)[:40]
    raise DataError(
        f"{record.where}, column {source.rating!r}: found {shown}; expected one of {known}; "
        "hint: say what it means with `ratings`, such as `ratings: {5: up, 1: down}`"
    )


def _reply(record: Record, column: str) -> tuple[list[Any], str]:
    """Return the messages that stand before the reply in its own column, if any, and the reply."""
    value = record.fields.get(column)
    if not isinstance(value, (list, tuple)) or not value:
        return [], text_of(record, column)
    *before, last = value
    role, text = _message(record, column, len(value), last)
    if ROLES[role] != "assistant":
        raise DataError(
            f"{record.where}, column {column!r}: the last message is the {role}'s; expected the assistant's"
        )
    return before, text


def _history(record: Record, source: PreferenceSource, *, implied: Sequence[list[Any]]) -> Conversation:
    """Return the conversation before the reply, part of which may stand in the reply's own column."""
    if any(messages != implied[0] for messages in implied):
        raise DataError(
            f"{record.where}: {source.chosen!r} and {source.rejected!r} begin with different messages; "
            "expected one conversation and two replies to it"
        )
    columns = (name for name in (source.messages, source.prompt) if name != source.reply)
    column = next((name for name in columns if name in record.fields), None)
    if column is None and not implied[0]:
        hint = nearest(source.messages, record.fields)
        raise DataError(
            f"{record.where}: no column {source.messages!r} or {source.prompt!r}; "
            f"expected the conversation before the reply{hint}"
        )
    prompt, turns = _turns(record, column or source.chosen, [*_messages(record, column), *implied[0]])
    if turns and turns[-1].role == "assistant":
        raise DataError(
            f"{record.where}, column {column!r}: the last turn is the assistant's; "
            "expected the user's, to which the assistant replied"
        )
    system = _system(record, source)
    if system and prompt and system != prompt:
        raise DataError(
            f"{record.where}: a system message and a column {source.system or 'system'!r} that differs; "
            "expected one of them"
        )
    name = record.fields.get(source.conversation) if source.conversation else None
    if source.conversation and name is None:
        raise DataError(
            f"{record.where}: no column {source.conversation!r}{nearest(source.conversation, record.fields)}"
        )
    return Conversation(
        turns=turns, system=system or prompt, id="" if name is None else str(name), where=record.where
    )


def _system(record: Record, source: PreferenceSource) -> str:
    if source.system is not None and source.system not in record.fields:
        raise DataError(f"{record.where}: no column {source.system!r}{nearest(source.system, record.fields)}")
    column = source.system or "system"
    return text_of(record, column, empty="allow").strip() if record.fields.get(column) is not None else ""


def _messages(record: Record, column: str | None) -> list[Any]:
    """Return the messages of a column: a list, its JSON, or one text that is the user's."""
    value = record.fields[column] if column else []
    if isinstance(value, str) and column:
        text = text_of(record, column)
        if not text.lstrip().startswith("[{"):
            return [{"role": "user", "content": text}]
        try:
            value = json.loads(text)
        except ValueError as error:
            raise DataError(f"{record.where}, column {column!r}: not JSON: {error}") from None
    if not isinstance(value, (list, tuple)):
        raise DataError(
            f"{record.where}, column {column!r}: expected a list of messages, found {type(value).__name__}"
        )
    return list(value)


def _turns(record: Record, column: str, messages: Sequence[Any]) -> tuple[str, tuple[Turn, ...]]:
    """Return the system prompt and the turns; several messages of one side are one turn."""
    prompt: list[str] = []
    turns: list[Turn] = []
    for number, message in enumerate(messages, start=1):
        name, text = _message(record, column, number, message)
        role = ROLES[name]
        if role is None:
            if turns or prompt:
                raise DataError(
                    f"{record.where}, column {column!r}, message {number}: a system message; "
                    "expected at most one, the first"
                )
            prompt.append(text)
        elif turns and turns[-1].role == role:
            turns[-1] = replace(turns[-1], text=f"{turns[-1].text}\n{text}")
        else:
            turns.append(Turn(role=role, text=text))
    return "".join(prompt), tuple(turns)


def _message(record: Record, column: str, number: int, message: Any) -> tuple[str, str]:
    """Return the role, one of ROLES, and the text of a message."""
    where = f"{record.where}, column {column!r}, message {number}"
    if not isinstance(message, Mapping):
        raise DataError(f"{where}: expected an object of role and content, found {type(message).__name__}")
    role, text = message.get("role", message.get("from")), message.get("content", message.get("value"))
    if not isinstance(role, str) or role.casefold() not in ROLES:
        hint = "" if role is None else nearest(str(role), ROLES)
        raise DataError(f"{where}: the role {role!r}; expected one of {', '.join(ROLES)}{hint}")
    if is_parts(text):
        try:
            text = join_parts(text)
        except ValueError as error:
            raise DataError(f"{where}: expected parts of text, found {error}; hint: remove the row") from None
    if not isinstance(text, str) or not text.strip():
        raise DataError(
            f"{where}: {'an empty text' if isinstance(text, str) else 'no text'}; expected a text"
        )
    return role.casefold(), text
