"""Ratings and choices as rows of the preference recipe (docs/preferences.md).

* feedback_of
  x pairs      two replies to one message: chosen in a comparison, or one rated up and one down
  x ratings    the other replies with a rating
* write_feedback
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from nlpkit.chat.messages import INTERRUPTED
from nlpkit.data.preferences import FEWEST, FEWEST_HELD, needed
from nlpkit.errors import DataError
from nlpkit.files import refuse_path

Row: TypeAlias = dict[str, Any]
MessageRow: TypeAlias = sqlite3.Row | Mapping[str, Any]

_CUT = "a liked reply that was cut or stopped, which would teach the chat model to end there"
_SAME = "two equal replies to one message, of which one was preferred"
_UNASKED = "a reply that follows no message of the user"
_BOTH = "two replies of which each was preferred once"


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """Rows of the preference recipe, and how many replies were left out for which reason."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()
    source: str = ""
    """Where the ratings come from, for messages."""

    @property
    def pairs(self) -> int:
        """Return how many of the rows are pairs."""
        return sum("chosen" in row for row in self.rows)

    @property
    def shortage(self) -> str:
        """Return what the rows lack for a preference training; empty where that can begin."""
        if len(self.rows) < FEWEST + FEWEST_HELD:
            return f"too few for a preference training, which needs {needed()}"
        ratings = {row.get("rating") for row in self.rows}
        if len(ratings) == 1 and not self.pairs:
            return f"all are rated {ratings.pop()}: a preference training needs liked and disliked replies"
        return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RatedChat:
    """All messages of a conversation by their numbers, and the choices between two.

    Chosen, rejected, reason.
    """

    id: str
    messages: Mapping[int, MessageRow]
    choices: Sequence[tuple[int, int, str]] = ()


def write_feedback(feedback: Feedback, target: Path | str) -> None:
    """Write the rows to `target` as JSON Lines, completely or not at all.

    Raises:
        ConfigError: the target is the store, a link, a folder or a device.
        DataError: there are no rows, or the file cannot be written.
    """
    target = Path(target)
    refuse_path(target, {"the store": Path(feedback.source)}, hint="-o ratings.jsonl")
    if not feedback.rows:
        why = "".join(f"; {reason}" for reason in feedback.left_out)
        raise DataError(
            f"{feedback.source}: no rated replies and no choices{why}; hint: rate replies in the chat first"
        )
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            fresh = Path(folder) / target.name
            # What people wrote is readable by its owner only, as the store is
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in feedback.rows)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, target)
    except OSError as error:
        raise DataError(
            f"{target}: cannot be written: {error.strerror}; hint: name another file with --output"
        ) from error


def feedback_of(chats: Iterable[RatedChat], *, source: str = "") -> Feedback:
    """Return the pairs and rated replies of conversations.

    A reply in a pair does not appear again as a rated one.
    """
    left_out: Counter[str] = Counter()
    rows = []
    for row in (row for chat in chats for row in _rows(chat, left_out)):
        if row["messages"] and row["messages"][-1]["role"] == "user":
            rows.append(row)
        else:
            left_out[_UNASKED] += 1
    reasons = tuple(f"{count:,} left out: {reason}" for reason, count in left_out.most_common())
    return Feedback(rows=tuple(rows), left_out=reasons, source=source)


def _rows(chat: RatedChat, left_out: Counter[str]) -> Iterator[Row]:
    pairs, done = _pairs(chat, left_out)
    for (chosen, rejected), reason in pairs.items():
        better, worse = chat.messages[chosen], chat.messages[rejected]
        yield _row(chat, better, reason, chosen=better["text"], rejected=worse["text"])
    for number, message in chat.messages.items():
        if not message["rating"] or number in done:
            continue
        if message["rating"] == "up" and _is_cut(message):
            left_out[_CUT] += 1
        else:
            yield _row(chat, message, message["reason"], reply=message["text"], rating=message["rating"])


def _pairs(chat: RatedChat, left_out: Counter[str]) -> tuple[dict[tuple[int, int], str], set[int]]:
    """Return the preferred pairs with their reasons, and the replies whose ratings the pairs cover.

    Contradicting pairs are left out, and so are their ratings.
    """
    wanted = {(chosen, rejected): reason for chosen, rejected, reason in chat.choices} | _rated_pairs(chat)
    pairs: dict[tuple[int, int], str] = {}
    done: set[int] = set()
    for (chosen, rejected), reason in wanted.items():
        better, worse = chat.messages[chosen], chat.messages[rejected]
        if (rejected, chosen) in wanted:
            left_out[_BOTH] += chosen < rejected
        elif better["text"].strip() == worse["text"].strip():
            left_out[_SAME] += 1
        elif _is_cut(better):
            left_out[_CUT] += better["rating"] != "up"  # a rated one is counted with the rated ones
            continue
        else:
            pairs[chosen, rejected] = reason
        done |= {chosen, rejected}
    return pairs, done


def _rated_pairs(chat: RatedChat) -> dict[tuple[int, int], str]:
    """Pair the liked with the disliked replies to one message until each is in a pair.

    Return pairs and reasons.
    """
    replies: dict[object, tuple[list[int], list[int]]] = {}
    for number, message in chat.messages.items():
        if message["rating"] and not (message["rating"] == "up" and _is_cut(message)):
            replies.setdefault(message["parent"], ([], []))[message["rating"] == "down"].append(number)
    pairs = {}
    for liked, disliked in replies.values():
        for index in range(max(len(liked), len(disliked)) if liked and disliked else 0):
            pair = liked[index % len(liked)], disliked[index % len(disliked)]
            pairs[pair] = " / ".join(filter(None, (chat.messages[number]["reason"] for number in pair)))
    return pairs


def _is_cut(message: MessageRow) -> bool:
    return message["finish"] in ("length", "stopped", INTERRUPTED)


def _row(chat: RatedChat, rated: MessageRow, reason: str, **answer: str) -> Row:
    messages: list[dict[str, str]] = []
    number = rated["parent"]
    while number is not None:
        message = chat.messages[number]
        messages.insert(0, {"role": message["role"], "content": message["text"]})
        number = message["parent"]
    if rated["system"].strip():
        messages.insert(0, {"role": "system", "content": rated["system"]})
    row: Row = {"messages": messages, **answer, "conversation": chat.id}
    return row | ({"reason": reason} if reason else {})
