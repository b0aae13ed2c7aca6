"""Conversations as files: rows for training, and Markdown for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from nlpkit.chat.messages import INTERRUPTED, Chat
from nlpkit.errors import DataError

_MARKS = re.compile(r"[\\`*_{}\[\]()#+\-.!|~=:@$^<>&]")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
ENDINGS = {"length": "cut at the maximum length", "stopped": "stopped", INTERRUPTED: INTERRUPTED}
"""Words for the ends of replies that the chat model did not end itself."""


def jsonl(chats: Sequence[Chat]) -> str:
    """Return one row for each conversation with a reply: id and messages, as `nlpkit train` reads them.

    Raises:
        DataError: no conversation has a reply.
    """
    rows = [row for row in map(_row, chats) if row["messages"]]
    if not rows:
        raise DataError("no conversation with a reply; expected at least one to export")
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def markdown(chat: Chat) -> str:
    """Return the conversation as Markdown with its title, its date and the name before each message."""
    parts = [f"# {escaped(chat.title or 'Conversation')}", f"*{_time(chat.created)}*"]
    if chat.system.strip():
        parts += ["**System prompt**", escaped(chat.system)]
    for message in chat.messages:
        name = "You" if message.role == "user" else message.chat_model or "Chat model"
        notes = [
            ENDINGS.get(message.finish, ""),
            f"rated {message.rating}" if message.rating else "",
        ]
        note = ", ".join(filter(None, notes))
        parts += [f"**{escaped(name)}**" + (f" *({note})*" if note else ""), escaped(message.text)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Return Markdown that shows the text as it is: no markup, link or HTML.

    Line breaks and indentation stay.
    """
    lines = [_line(line) for line in text.strip("\n").split("\n")]
    return "".join(_joined(lines))


def _row(chat: Chat) -> dict[str, object]:
    turns = chat.conversation.turns
    # A chat model that only opened the conversation answered nothing
    answered = any(turn.role == "assistant" for turn in turns[1:])
    messages = [{"role": "system", "content": chat.system}] if chat.system.strip() else []
    messages += [{"role": turn.role, "content": turn.text} for turn in turns]
    return {"id": chat.id, "messages": messages if answered else []}


def _line(line: str) -> str:
    body = line.lstrip(" \t")
    space = line[: len(line) - len(body)].expandtabs(4)
    return "&nbsp;" * len(space) + _MARKS.sub(
        lambda match: _ENTITIES.get(match[0], f"\\{match[0]}"), body.rstrip()
    )


def _joined(lines: Iterable[str]) -> Iterable[str]:
    """Yield the lines with a hard break between two, and empty lines as they are."""
    before = ""
    for number, line in enumerate(lines):
        if number:
            yield "\\\n" if before and line else "\n"
        yield line
        before = line


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
