"""Scripts of conversations: who says what, in rows of every shape, each line with the place it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal, TypeAlias

from nlpkit.data.conversation_columns import RefusedError, in_words, unused_columns
from nlpkit.data.conversation_lines import Line, held, message_lines, row_lines
from nlpkit.data.records import Record
from nlpkit.data.rows import require
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationSource

Shape: TypeAlias = Literal["messages", "alpaca", "pairs", "turns"]

_HEAD = 20
"""Records from which the columns are taken."""
_LISTS = ("conversations", "conversation")
"""Other names of the column with the list of messages."""
_IDS = ("id", "conversation_id")
_ASIDES = ("input", "context")
"""Columns of what a question is about. It is read after the question."""
_REPLIES = ("output", "response")
"""Columns of the reply to an `instruction`: Alpaca's and Dolly's."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Script:
    """The lines of one conversation; `roles` where their speakers are roles such as `user`, not names."""

    lines: tuple[Line, ...]
    system: tuple[object, ...]
    """What the system column holds."""
    roles: bool
    id: str
    where: str
    unused: tuple[str, ...] = ()
    """Columns that hold something and are not used."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layout:
    """How conversations lie in the rows of a source.

    `column` has the list of messages, or `asked` the question and `reply` its answer, where there are such.
    """

    source: ConversationSource
    shape: Shape
    column: str = ""
    asked: str = ""
    reply: str = ""
    system: str | None = None
    label: str | None = None
    """The column, or the key of a message, that holds the label of a turn."""

    def conversations(self, records: Iterable[Record]) -> Iterator[list[Record]]:
        """Yield the rows of each conversation, in the order of their first rows."""
        if self.shape != "turns":
            yield from ([record] for record in records)
            return
        rows: dict[str, list[Record]] = {}
        for record in records:
            rows.setdefault(self._conversation_of(record), []).append(record)
        yield from rows.values()

    def script(self, rows: Sequence[Record]) -> Script:
        """Return the script of one conversation's rows.

        Raises:
            RefusedError: a list of messages is none, or a message or a row lacks its speaker or its text.
        """
        first, source = rows[0], self.source
        where = first.where
        unused = [name for row in rows for name in self._unused(row)]
        if self.shape == "turns":
            key = self._conversation_of(first)
            where = f"{first.file}, conversation {key!r:.80}"
            lines, roles = row_lines(rows, source, where, self.label), False
        elif self.shape == "messages":
            key = _id(first, source)
            preferred = "from" if source.shape == "sharegpt" else "role"
            lines, roles, keys = message_lines(first, self.column, preferred, self.label)
            unused += [f"{self.column}.{name}" for name in keys]
        else:
            key = _id(first, source)
            lines, roles = self._exchange(first), True
        system = (
            tuple(row.fields[self.system] for row in rows if self.system in row.fields) if self.system else ()
        )
        return Script(
            lines=tuple(lines),
            system=system,
            roles=roles,
            id=f"{source.source}#{key}" if key else first.where,
            where=where,
            unused=tuple(unused),
        )

    def _unused(self, record: Record) -> list[str]:
        source, is_turn = self.source, self.shape == "turns"
        used = {source.conversation, *_IDS, self.column, self.asked, self.reply, self.system}
        used |= {source.speaker, source.text, self.label} if is_turn else set()
        used |= set(_ASIDES) if self.asked else set()
        return unused_columns(record, used, reply=self.reply or self.column, is_turn=is_turn)

    def _exchange(self, record: Record) -> list[Line]:
        """Return a question, with what it is about, and its reply."""
        where, fields = record.where, record.fields
        asked = held(fields, self.asked, where)
        for name in _ASIDES:
            if name in (self.asked, self.reply, self.system):
                continue
            more = fields.get(name)
            if more is not None and not isinstance(more, str):
                at = f"{where}, turn 1, column {name!r}"
                raise RefusedError(at, "a turn that is not text", f"expected text, found {in_words(more)}")
            if isinstance(asked, str) and more and more.strip():
                asked = f"{asked}\n\n{more}" if asked.strip() else more
        return [
            Line(speaker="user", text=asked, where=f"{where}, turn 1, column {self.asked!r}"),
            Line(
                speaker="assistant",
                text=held(fields, self.reply, where),
                where=f"{where}, turn 2, column {self.reply!r}",
            ),
        ]

    def _conversation_of(self, record: Record) -> str:
        """Return which conversation a row belongs to."""
        column = self.source.conversation
        if key := _key(record.fields.get(column)):
            return key
        raise DataError(
            f"{record.where}, column {column!r}: expected the conversation's id, text or a whole number, "
            f"found {in_words(record.fields.get(column))}; it cannot be left out, "
            "because the conversation that it belongs to would have a hole"
        )


def layout_of(
    records: Iterator[Record], source: ConversationSource, *, label: str | None = None
) -> tuple[Layout, Iterator[Record]]:
    """Find out how conversations lie in records (at least one), by the config or the columns; return all
    records too. `label` is the column, or the key of a message, of a turn's label.

    Raises:
        DataError: a column that the shape needs is not there, or no shape fits the columns.
    """
    head = list(islice(records, _HEAD))
    records = chain(head, records)
    columns = list(dict.fromkeys(key for record in head for key in record.fields))
    file = head[0].file
    system = source.system
    if system is not None:
        require([system], columns, file=file)
    shape = _shape(columns, source, file) if label is None else _labeled_shape(columns, source)
    needed = (_list_column(columns, source),) if shape == "messages" else _needed(source, columns)[shape]
    if label is not None and shape == "turns":
        keys = (*needed, label)
        require(
            dict(zip(keys, ("conversation", "speaker", "text", "label"), strict=True)), columns, file=file
        )
    require(needed, columns, file=file)
    if system is None and "system" in columns and "system" not in needed:
        system = "system"
    if shape == "messages":
        return Layout(source=source, shape=shape, column=needed[0], system=system, label=label), records
    if shape == "turns":
        return Layout(source=source, shape=shape, system=system, label=label), records
    asked, reply = needed
    return Layout(source=source, shape=shape, asked=asked, reply=reply, system=system), records


def _shape(columns: Sequence[str], source: ConversationSource, file: str) -> Shape:
    if source.shape != "auto":
        return "messages" if source.shape == "sharegpt" else source.shape
    known = set(columns)
    needed = _needed(source, columns)
    if known.issuperset(needed["turns"]):
        return "turns"
    if _list_column(columns, source) in known:
        return "messages"
    fits = [shape for shape in _by_name(source) if known.issuperset(needed[shape])]
    if fits:
        return fits[0]
    looked = f"{source.messages!r} or 'conversations' (a list of messages), "
    looked += f"{_words(needed['turns'])} (a row a turn), "
    looked += f"{_words(needed['alpaca'])} (alpaca), {_words(needed['pairs'])} (pairs)"
    problem = f"no shape of conversations fits the columns {', '.join(columns)}"
    raise DataError(f"{file}: {problem}; looked for {looked}; hint: {_suggestion(columns)}")


def _labeled_shape(columns: Sequence[str], source: ConversationSource) -> Shape:
    """Return the shape of conversations whose turns have labels: a list of messages, or a row a turn."""
    is_a_row_a_turn = source.speaker in columns or source.text in columns
    return "messages" if _list_column(columns, source) in columns and not is_a_row_a_turn else "turns"


def _by_name(source: ConversationSource) -> tuple[Shape, Shape]:
    """Return the shapes of one question and one reply; first the pairs, where the config names columns."""
    is_named = (source.prompt, source.reply) != ("prompt", "reply")
    return ("pairs", "alpaca") if is_named else ("alpaca", "pairs")


def _needed(source: ConversationSource, columns: Sequence[str]) -> dict[Shape, tuple[str, ...]]:
    return {
        "turns": (source.conversation, source.speaker, source.text),
        "alpaca": ("instruction", next((name for name in _REPLIES if name in columns), "output")),
        "pairs": (source.prompt, source.reply),
    }


def _suggestion(columns: Sequence[str]) -> str:
    if {"chosen", "rejected"} <= set(columns):
        return "`recipe: preference` learns from pairs of replies"
    if {"message_id", "parent_id", "role"} <= set(columns):
        return "say `format: openassistant` for a table of OpenAssistant's messages"
    if set(columns) == {"text", "label"}:
        return "these are labeled texts: `recipe: sentiment` learns the labels"
    if len(columns) == 2:
        return f"for pairs, say `prompt: {columns[0]}` and `reply: {columns[1]}`"
    return (
        "say which column holds what, such as `messages:`, or `conversation:`, `speaker:` and `text:`, "
        "or `prompt:` and `reply:`"
    )


def _words(names: Sequence[str]) -> str:
    return ", ".join(repr(name) for name in names[:-1]) + f" and {names[-1]!r}"


def _list_column(columns: Sequence[str], source: ConversationSource) -> str:
    others = _LISTS if source.messages == "messages" else ()
    return next((name for name in (source.messages, *others) if name in columns), source.messages)


def _id(record: Record, source: ConversationSource) -> str:
    """Return the id of a row's conversation; empty without one."""
    return next((key for name in (source.conversation, *_IDS) if (key := _key(record.fields.get(name)))), "")


def _key(value: object) -> str:
    return (
        str(value)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value).strip()
        else ""
    )
