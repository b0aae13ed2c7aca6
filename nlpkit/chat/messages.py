"""What the store returns: a conversation with its messages. Also how both are read from their rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from nlpkit.chat.sentiment import Sentiment, SentimentTrend
from nlpkit.data.examples import Conversation, Role, SpokenTurn, Turn

if TYPE_CHECKING:
    from nlpkit.generation.context import Context

Rating: TypeAlias = Literal["up", "down"]

INTERRUPTED = "interrupted"
"""The end of a reply that still grows. It remains if the server is killed or the chat model fails."""

Visibility: TypeAlias = Literal["seen", "recalled", "dropped"]
"""The chat model read a message as a turn, read it quoted in the system prompt, or did not read it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatMessage:
    """A message of the user or a reply of the chat model."""

    id: str
    role: Role
    text: str
    created: float
    """Seconds since 1970, UTC."""
    parent: str = ""
    """Id of the message that it follows; empty for the first."""
    rating: Rating | None = None
    reason: str = ""
    """Why the user rated it so."""
    sentiment: Sentiment | None = None
    """Sentiment of a user's message, if a classifier predicted one."""
    finish: str = ""
    """How a reply ended: stop, length, stopped, or interrupted while it still grows."""
    chat_model: str = ""
    """Name of the chat model that replied."""
    context: Context | None = None
    """Which turns the chat model saw when it replied; turns are numbered from 0."""
    version: int = 1
    """Number of this message among the edits or retries that follow the same message."""
    versions: int = 1
    """How many edits or retries there are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chat:
    """A conversation with its current messages, oldest first. A list of conversations has no messages."""

    id: str
    title: str
    system: str
    run: str
    """The chat model that answers: a run, an address, or empty for the default."""
    created: float
    updated: float
    settings: Mapping[str, object] = field(default_factory=dict)
    messages: tuple[ChatMessage, ...] = ()

    @property
    def conversation(self) -> Conversation:
        """Return the conversation as a chat model reads it.

        Consecutive messages of one role become one turn.
        """
        return Conversation(
            turns=turns_of(self.messages), system=self.system, id=self.id, where=f"conversation {self.id}"
        )


def turns_of(messages: Iterable[ChatMessage]) -> tuple[Turn, ...]:
    """Return the turns of some messages; consecutive messages of one role are joined, as in training data."""
    turns: list[Turn] = []
    for message in messages:
        if turns and turns[-1].role == message.role:
            turns[-1] = Turn(role=message.role, text=f"{turns[-1].text}\n{message.text}")
        else:
            turns.append(Turn(role=message.role, text=message.text))
    return tuple(turns)


def trend_of(messages: Iterable[ChatMessage]) -> SentimentTrend:
    """Return the sentiment of the user's messages, as far as it was predicted."""
    return SentimentTrend(
        sentiments=tuple(
            message.sentiment for message in messages if message.role == "user" and message.sentiment
        )
    )


def visibility_of(messages: Sequence[ChatMessage]) -> dict[str, Visibility]:
    """Return, by id, what the chat model saw of each message before the last reply; empty if unknown."""
    last = max((index for index, message in enumerate(messages) if message.role == "assistant"), default=0)
    context = messages[last].context if messages else None
    if context is None or not context.is_known:
        return {}
    visibility: dict[str, Visibility] = {}
    turn = -1
    for index, message in enumerate(messages[:last]):
        turn += index == 0 or messages[index - 1].role != message.role
        visibility[message.id] = (
            "seen" if turn in context.seen else "recalled" if turn in context.recalled else "dropped"
        )
    return visibility


def spoken(messages: Sequence[ChatMessage]) -> tuple[SpokenTurn, ...]:
    """Return messages as a classifier of turns reads them."""
    return tuple(SpokenTurn(speaker=message.role, text=message.text) for message in messages)


def last_said(messages: Sequence[ChatMessage]) -> tuple[str, tuple[SpokenTurn, ...]]:
    """Return the user's last message whose sentiment is known, and what was said before it; else nothing."""
    known = [at for at, message in enumerate(messages) if message.role == "user" and message.sentiment]
    return (messages[known[-1]].text, spoken(messages[: known[-1]])) if known else ("", ())


def chat_of(row: sqlite3.Row, messages: Sequence[ChatMessage] = ()) -> Chat:
    """Return the conversation in a row of `chats`."""
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
    """Return the message in a row of `messages` that also holds the parent's id and the version numbers."""
    return ChatMessage(
        id=row["id"],
        role=row["role"],
        text=row["text"],
        created=row["created"],
        parent=row["parent_id"] or "",
        rating=row["rating"],
        reason=row["reason"],
        finish=row["finish"],
        chat_model=row["bot"],
        sentiment=Sentiment(**json.loads(row["mood"])) if row["mood"] else None,
        context=_context(row["context"]),
        version=row["version"],
        versions=row["versions"],
    )


def as_json(value: Sentiment | Context | None) -> str | None:
    """Return the value in the form in which it is stored."""
    if value is None:
        return None
    return json.dumps(asdict(value) if isinstance(value, Sentiment) else context_record(value))


def context_record(context: Context) -> dict[str, Any]:
    """Return the context with the keys of stored messages and of the server's responses."""
    stored = {"token_budget": "room"}  # an old name
    record = {stored.get(name, name): value for name, value in asdict(context).items()}
    if context.counted_by == "model":
        del record["counted_by"]
    return record


def _context(stored: str | None) -> Context | None:
    if not stored:
        return None
    from nlpkit.generation.context import Context

    return Context.of(json.loads(stored))
