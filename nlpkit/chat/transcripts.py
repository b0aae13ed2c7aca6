"""Conversations as files: the rows that training reads, and Markdown for people."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from nlpkit.chat.messages import Chat
from nlpkit.errors import DataError

_MARKS = re.compile(r"[\\`*_{}\[\]()#+\-.!|~=:@$^<>&]")
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}


def jsonl(chats: Sequence[Chat]) -> str:
    """A row for each conversation with a reply: its id, and messages of role and content, as `nlpkit train dialogue` reads them.

    Raises:
        DataError: there is no such conversation.
    """
    rows = [row for row in map(_row, chats) if row["messages"]]
    if not rows:
        raise DataError("no conversation with a reply; expected one at least to export")
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def markdown(chat: Chat) -> str:
    """The conversation with a title, times and who speaks."""
    parts = [f"# {escaped(chat.title or 'Conversation')}", f"*{_time(chat.created)}*"]
    if chat.system.strip():
        parts += ["**Told beforehand**", escaped(chat.system)]
    for one in chat.messages:
        name = "You" if one.role == "user" else one.bot or "Bot"
        notes = [
            {"length": "cut at its longest", "stopped": "stopped"}.get(one.finish, ""),
            f"rated {one.rating}" if one.rating else "",
        ]
        note = ", ".join(filter(None, notes))
        parts += [f"**{escaped(name)}**" + (f" *({note})*" if note else ""), escaped(one.text)]
    return "\n\n".join(parts) + "\n"


def escaped(text: str) -> str:
    """Markdown that reads as the text does: no mark, link or HTML comes of it, and lines and spaces at their beginning stay."""
    lines = [_line(one) for one in text.strip("\n").split("\n")]
    return "".join(_joined(lines))


def _row(chat: Chat) -> dict[str, object]:
    turns = chat.conversation.turns
    # A bot that only opened the conversation answered nothing
    answered = any(turn.role == "assistant" for turn in turns[1:])
    told = [{"role": "system", "content": chat.system}] if chat.system.strip() else []
    return {
        "id": chat.id,
        "messages": told + [{"role": one.role, "content": one.text} for one in turns] if answered else [],
    }


def _line(line: str) -> str:
    body = line.lstrip(" \t")
    space = line[: len(line) - len(body)].expandtabs(4)
    return "&nbsp;" * len(space) + _MARKS.sub(
        lambda found: _ENTITIES.get(found[0], f"\\{found[0]}"), body.rstrip()
    )


def _joined(lines: Iterable[str]) -> Iterable[str]:
    """Lines with a hard break between two, and empty ones as they are."""
    before = ""
    for number, line in enumerate(lines):
        if number:
            yield "\\\n" if before and line else "\n"
        yield line
        before = line


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).strftime("%Y-%m-%d %H:%M UTC")
