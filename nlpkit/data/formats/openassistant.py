"""OpenAssistant's trees of messages: a row a message of the best-ranked path of each tree.

A tree is a row of JSON Lines with `prompt` and its nested `replies`, or many rows of a table of messages with
`message_id` and `parent_id`, which is held in memory. Below each message the path goes on with the reply of
the lowest rank, so that no message is learned twice; all other replies are counted.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from nlpkit.data.formats import columnar, json_document, json_lines
from nlpkit.data.formats.spoken_rows import DELETED, Tally, header, spoken
from nlpkit.data.rows import BadRow, DataFile, Record, Stream

Message = Mapping[str, Any]
Replies = Callable[[Message], Sequence[Message]]
"""Message -> the replies to it."""

_COLUMNAR = {".parquet": "parquet", ".pq": "parquet"}
_DROPPED = ("aborted_low_grade", "halted_by_moderator")
"""States of trees that were given up."""
_LOWER = "replies that are not on the best-ranked path of their tree"
_REFUSED = "messages that a review refused"
_BELOW = "replies below a deleted or refused message"
_ROLE = re.compile(r'"role"\s*:\s*"prompter"')
_TREE = re.compile(r'"prompt"\s*:\s*\{')


def fits(start: str) -> bool:
    """Return whether the first row is a tree, or a message of a table of them."""
    if '"message_id"' not in start or not _ROLE.search(start):
        return False
    return ('"message_tree_id"' in start and _TREE.search(start) is not None) or '"parent_id"' in start


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the header, then the rows of each tree."""
    yield header(file, columns)
    tally = Tally(file)
    messages: list[Record] = []
    for row in _read(file):
        if isinstance(row, BadRow):
            yield row
        elif isinstance(row, Record) and isinstance(row.fields.get("prompt"), Mapping):
            yield from _tree_rows(row, tally)
        elif isinstance(row, Record):
            messages.append(row)
    yield from _table_rows(messages, tally)
    yield from tally.left_out()


def _read(file: DataFile) -> Stream:
    """Yield the rows as they stand in the file."""
    suffix = file.path.suffix.lower() if file.path else ""
    if suffix in _COLUMNAR:
        return columnar.stream(replace(file, format=_COLUMNAR[suffix]), ())
    return json_document.stream(file, ()) if suffix == ".json" else json_lines.stream(file, ())


def _tree_rows(tree: Record, tally: Tally) -> Iterator[Record | BadRow]:
    if tree.fields.get("tree_state") in _DROPPED:
        tally.add("trees that were given up or stopped by a moderator")
        return
    root: Message = tree.fields["prompt"]  # type: ignore[assignment]
    path = _best_path(root, lambda message: _listed(message.get("replies")), tally)
    key = tree.fields.get("message_tree_id") or root.get("message_id")
    yield from _rows_of(path, [tree] * len(path), key, tally)


def _table_rows(messages: Sequence[Record], tally: Tally) -> Iterator[Record | BadRow]:
    """Yield the rows of the trees that a table of messages makes up."""
    places: dict[str, Record] = {}
    replies: dict[str, list[Message]] = {}
    for row in messages:
        id = str(row.fields.get("message_id") or "")
        if not id or id in places:
            reason = f"the message_id {id!r:.60} stands there twice" if id else "no message_id"
            yield BadRow(file=row.file, row=row.row, reason=reason, raw=json.dumps(row.fields, default=str))
            continue
        places[id] = row
        replies.setdefault(str(row.fields.get("parent_id") or ""), []).append(row.fields)

    def replies_to(message: Message) -> Sequence[Message]:
        return replies.get(str(message["message_id"]), [])

    prompts = replies.get("", [])
    for prompt in prompts:
        path = _best_path(prompt, replies_to, tally)
        key = prompt.get("message_tree_id") or prompt["message_id"]
        yield from _rows_of(path, [places[str(message["message_id"])] for message in path], key, tally)
    hanging = len(places) - sum(_size(prompt, replies_to) for prompt in prompts)
    tally.add("messages that belong to no prompt in the file", hanging)


def _best_path(root: Message, replies_to: Replies, tally: Tally) -> list[Message]:
    """Return the messages from the root down, each the best-ranked reply to the one before; count all others.

    A message that was deleted or that the review refused is on no path.
    """
    path: list[Message] = []
    choices: Sequence[Message] = [root]
    while usable := [message for message in choices if _is_usable(message, replies_to, tally)]:
        best = min(usable, key=_rank)
        path.append(best)
        tally.add(_LOWER, sum(_size(message, replies_to) for message in usable if message is not best))
        choices = replies_to(best)
    return path


def _is_usable(message: Message, replies_to: Replies, tally: Tally) -> bool:
    is_deleted = message.get("deleted") is True
    if not is_deleted and message.get("review_result") is not False:
        return True
    tally.add(DELETED if is_deleted else _REFUSED)
    tally.add(_BELOW, _size(message, replies_to) - 1)
    return False


def _rank(message: Message) -> tuple[bool, float]:
    """Return what the best reply has the least of: those without a rank come last, in their order."""
    rank = message.get("rank")
    if isinstance(rank, (int, float)) and not math.isnan(rank):
        return False, float(rank)
    return True, 0.0


def _size(message: Message, replies_to: Replies) -> int:
    """Return how many messages there are from this one down."""
    waiting, size = [message], 0
    while waiting:
        waiting += replies_to(waiting.pop())
        size += 1
    return size


def _listed(replies: object) -> list[Message]:
    return [reply for reply in replies if isinstance(reply, Mapping)] if isinstance(replies, list) else []


def _rows_of(
    path: Sequence[Message], rows: Sequence[Record], key: object, tally: Tally
) -> Iterator[Record | BadRow]:
    if len(path) == 1:
        tally.add("prompts without a reply")
        return
    for message, row in zip(path, rows, strict=True):
        fields = {"conversation": key, "speaker": message.get("role"), "text": message.get("text")}
        yield spoken(fields, file=row.file, row=row.row)
