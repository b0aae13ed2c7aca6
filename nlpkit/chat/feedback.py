"""What people liked, from the store to the rows that the preference recipe learns from (docs/preferences.md).

* rows_of
  x pairs      two replies to one message: chosen side by side, or one up and one down
  x rated      the other replies with a rating
"""

from __future__ import annotations

import json
import os
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.chat import message_queries
from nlpkit.errors import DataError

if TYPE_CHECKING:
    from nlpkit.chat.store import Store

Row: TypeAlias = dict[str, Any]
MessageRow: TypeAlias = sqlite3.Row | Mapping[str, Any]

_CUT = "a liked reply that was cut or stopped, which would teach the bot to end there"
_SAME = "two equal replies to one message, of which one was preferred"
_UNASKED = "a reply to nothing that the user said"
_BOTH = "two replies of which each was preferred once"


@dataclass(frozen=True, kw_only=True, slots=True)
class Feedback:
    """Rows of the preference recipe, and in words what was left out and why."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...] = ()

    @property
    def pairs(self) -> int:
        """How many of the rows are pairs."""
        return sum("chosen" in row for row in self.rows)


@dataclass(frozen=True, kw_only=True, slots=True)
class RatedChat:
    """All messages of a conversation by their numbers, and choices between two: chosen, rejected, why."""

    id: str
    nodes: Mapping[int, MessageRow]
    choices: Sequence[tuple[int, int, str]] = ()


def write_feedback(store: Store, target: Path | str, *, owner: str | None = None) -> Feedback:
    """The rows, written to `target` as JSON Lines, whole or not at all. `owner`: only what this one rated.

    Raises:
        DataError: nothing was rated, or the file cannot be written.
    """
    target = Path(target)
    found = store.preferences(owner)
    if not found.rows:
        why = "".join(f"; {one}" for one in found.left_out)
        raise DataError(
            f"{store.path}: no rated replies and no choices{why}; cure: rate replies in the chat first"
        )
    try:
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=f".{target.name}.") as folder:
            # People's words: readable by their owner only, as the store is
            with open(
                os.open(fresh := Path(folder) / target.name, os.O_WRONLY | os.O_CREAT, 0o600),
                "w",
                encoding="utf-8",
            ) as file:
                file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in found.rows)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, target)
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}; cure: name another file") from error
    return found


def trees_in(rows: Callable[..., list[sqlite3.Row]], owner: str | None) -> list[RatedChat]:
    """The conversations in which anything was rated or chosen, of one owner or of all; `rows` asks the store."""
    mine = ("owner = ?", (owner,)) if owner is not None else ("1", ())
    return [
        RatedChat(
            id=chat["id"],
            nodes={one["number"]: one for one in rows(message_queries.ALL, chat["number"])},
            choices=[
                (one["chosen"], one["rejected"], one["reason"])
                for one in rows(message_queries.CHOICES, chat["number"])
            ],
        )
        for chat in rows(
            f"SELECT * FROM chats WHERE {mine[0]} AND {message_queries.IS_RATED} ORDER BY number",  # noqa: S608
            *mine[1],
        )
    ]


def rows_of(trees: Iterable[RatedChat]) -> Feedback:
    """Pairs and rated replies of conversations. A reply that stands in a pair is not told again as a rated one."""
    left: Counter[str] = Counter()
    rows = []
    for row in (row for one in trees for row in _rows(one, left)):
        if row["messages"] and row["messages"][-1]["role"] == "user":
            rows.append(row)
        else:
            left[_UNASKED] += 1
    return Feedback(
        rows=tuple(rows), left_out=tuple(f"{count:,} left out: {why}" for why, count in left.most_common())
    )


def _rows(talk: RatedChat, left: Counter[str]) -> Iterator[Row]:
    pairs, done = _pairs(talk, left)
    for (chosen, rejected), reason in pairs.items():
        one, other = talk.nodes[chosen], talk.nodes[rejected]
        yield _row(talk, one, reason, chosen=one["text"], rejected=other["text"])
    for number, one in talk.nodes.items():
        if not one["rating"] or number in done:
            continue
        if one["rating"] == "up" and _is_cut(one):
            left[_CUT] += 1
        else:
            yield _row(talk, one, one["reason"], reply=one["text"], rating=one["rating"])


def _pairs(talk: RatedChat, left: Counter[str]) -> tuple[dict[tuple[int, int], str], set[int]]:
    """Which reply was preferred to which and why, each pair once, and the replies of which all is told by that.

    What contradicts itself is left out, its ratings too.
    """
    wanted = {(chosen, rejected): reason for chosen, rejected, reason in talk.choices} | _rated_pairs(talk)
    found: dict[tuple[int, int], str] = {}
    done: set[int] = set()
    for (chosen, rejected), reason in wanted.items():
        one, other = talk.nodes[chosen], talk.nodes[rejected]
        if (rejected, chosen) in wanted:
            left[_BOTH] += chosen < rejected
        elif one["text"].strip() == other["text"].strip():
            left[_SAME] += 1
        elif _is_cut(one):
            left[_CUT] += one["rating"] != "up"  # a rated one is counted with the rated ones
            continue
        else:
            found[chosen, rejected] = reason
        done |= {chosen, rejected}
    return found, done


def _rated_pairs(talk: RatedChat) -> dict[tuple[int, int], str]:
    """A pair for every liked and disliked reply to one message, until each has been in one, and why."""
    replies: dict[object, tuple[list[int], list[int]]] = {}
    for number, one in talk.nodes.items():
        if one["rating"] and not (one["rating"] == "up" and _is_cut(one)):
            replies.setdefault(one["parent"], ([], []))[one["rating"] == "down"].append(number)
    found = {}
    for liked, other in replies.values():
        for place in range(max(len(liked), len(other)) if liked and other else 0):
            pair = liked[place % len(liked)], other[place % len(other)]
            found[pair] = " / ".join(filter(None, (talk.nodes[one]["reason"] for one in pair)))
    return found


def _is_cut(one: MessageRow) -> bool:
    return one["finish"] in ("length", "stopped")


def _row(talk: RatedChat, replied: MessageRow, reason: str, **told: str) -> Row:
    messages: list[dict[str, str]] = []
    number = replied["parent"]
    while number is not None:
        node = talk.nodes[number]
        messages.insert(0, {"role": node["role"], "content": node["text"]})
        number = node["parent"]
    if replied["system"].strip():
        messages.insert(0, {"role": "system", "content": replied["system"]})
    row: Row = {"messages": messages, **told, "conversation": talk.id}
    return row | ({"reason": reason} if reason else {})
