"""What the store gives out: a conversation, and the messages of the path through it that is seen."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.chat.sentiment import Sentiment, SentimentTrend
from nlpkit.data.examples import Conversation, Role, Turn

if TYPE_CHECKING:
    from nlpkit.generation.context import Context

Rating: TypeAlias = Literal["up", "down"]

Visibility: TypeAlias = Literal["seen", "recalled", "dropped"]
"""Read as it was said, quoted in what the bot is told beforehand, or not read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatMessage:
    """One message of one side."""

    id: str
    role: Role
    text: str
    created: float
    """Seconds since 1970, UTC."""
    parent: str = ""
    """The message that it follows; nothing for the first."""
    rating: Rating | None = None
    reason: str = ""
    """Why it was rated so."""
    mood: Sentiment | None = None
    """Of a user's message, where one was read."""
    finish: str = ""
    """Of a reply: stop, length or stopped."""
    bot: str = ""
    """Who replied."""
    context: Context | None = None
    """What of the conversation the bot saw when it replied: numbers of the turns before, from 0."""
    version: int = 1
    versions: int = 1
    """Which of how many messages that follow the same one: edits and retries."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """A conversation with the messages that are seen, oldest first; a list of conversations holds none of them."""

    id: str
    title: str
    system: str
    run: str
    """What answers it: a run, an address, or nothing for the default."""
    created: float
    updated: float
    settings: Mapping[str, object] = field(default_factory=dict)
    messages: tuple[ChatMessage, ...] = ()

    @property
    def conversation(self) -> Conversation:
        """As a bot reads it: messages of one side in a row, such as a question that was never answered and the next, are one turn."""
        return Conversation(
            turns=turns_of(self.messages), system=self.system, id=self.id, where=f"conversation {self.id}"
        )


def turns_of(messages: Iterable[ChatMessage]) -> tuple[Turn, ...]:
    """The turns that messages make; those of one side in a row are joined as a file of conversations is read."""
    turns: list[Turn] = []
    for one in messages:
        if turns and turns[-1].role == one.role:
            turns[-1] = Turn(role=one.role, text=f"{turns[-1].text}\n{one.text}")
        else:
            turns.append(Turn(role=one.role, text=one.text))
    return tuple(turns)


def course_of(messages: Iterable[ChatMessage]) -> SentimentTrend:
    """The mood over the user's messages, as far as it was read."""
    return SentimentTrend(moods=tuple(one.mood for one in messages if one.role == "user" and one.mood))


def sight_of(messages: Sequence[ChatMessage]) -> dict[str, Visibility]:
    """Of each message before the last reply, by its id: what the bot saw of it; empty where that is not known."""
    last = max((place for place, one in enumerate(messages) if one.role == "assistant"), default=0)
    if not messages or (context := messages[last].context) is None:
        return {}
    found: dict[str, Visibility] = {}
    turn = -1
    for place, one in enumerate(messages[:last]):
        turn += place == 0 or messages[place - 1].role != one.role
        found[one.id] = (
            "seen" if turn in context.seen else "recalled" if turn in context.recalled else "dropped"
        )
    return found


def chat_of(row: sqlite3.Row, messages: Sequence[ChatMessage] = ()) -> Chat:
    """The conversation that a row of `chats` holds."""
    return Chat(
        id=row["id"],
        title=row["title"],
        system=row["system"],
        run=row["run"],
        created=row["created"],
        updated=row["updated"],
        settings=json.loads(row["settings"]),
        messages=tuple(messages),
    )


def message_of(row: sqlite3.Row) -> ChatMessage:
    """The message that a row of `messages`, with its parent's id and its place among its siblings, holds."""
    return ChatMessage(
        id=row["id"],
        role=row["role"],
        text=row["text"],
        created=row["created"],
        parent=row["parent_id"] or "",
        rating=row["rating"],
        reason=row["reason"],
        finish=row["finish"],
        bot=row["bot"],
        mood=Sentiment(**json.loads(row["mood"])) if row["mood"] else None,
        context=_context(row["context"]),
        version=row["version"],
        versions=row["versions"],
    )


def as_json(value: Sentiment | Context | None) -> str | None:
    """The value as it is stored."""
    return None if value is None else json.dumps(asdict(value))


def _context(stored: str | None) -> Context | None:
    if not stored:
        return None
    from nlpkit.generation.context import Context

    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in json.loads(stored).items()
    }
    return Context(**fields)
