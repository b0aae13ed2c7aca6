"""The scripts of a source in turn: an invalid one stops the reading, or is left out and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from nlpkit.data.conversation_columns import LEAVE_OUT, OR_LEAVE_OUT, RefusedError, in_words
from nlpkit.data.conversation_shapes import Layout, Script, layout_of
from nlpkit.data.records import BadRow, Record, read_records
from nlpkit.data.rows import LeftOut, unreadable_text
from nlpkit.data.text_parts import is_parts, join_parts
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationSource


@dataclass(frozen=True, kw_only=True, slots=True)
class ScriptReading:
    """What became of the scripts of a source: in words what was left out and why."""

    skipped: tuple[str, ...]
    left_out: int
    """How many were left out."""
    unused: tuple[str, ...]
    """Columns, and keys of messages, that hold something and are not used."""


@dataclass(kw_only=True, slots=True)
class _Left:
    """What is left out: how often for each reason, and the first message of it."""

    counts: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, message: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        for done in (f"; {LEAVE_OUT}", OR_LEAVE_OUT):
            message = message.removesuffix(done)
        self.first.setdefault(kind, message)

    def words(self) -> tuple[str, ...]:
        most_first = sorted(self.counts, key=lambda kind: -self.counts[kind])
        return tuple(
            f"{self.counts[kind]:,} left out: {kind}; the first: {self.first[kind]}" for kind in most_first
        )


def scripts_in(
    path: Path | str, source: ConversationSource, use: Callable[[Script], None], *, label: str | None = None
) -> ScriptReading:
    """Give each script of a file or a folder to `use`, which raises RefusedError where one is invalid.

    Args:
        path: the file or folder.
        source: how it is read.
        use: what is done with a script.
        label: the column, or the key of a message, that holds the label of a turn.

    Raises:
        DataError: the file cannot be read, lacks a column or holds no conversation, or one is invalid.
    """
    bad: list[BadRow] = []
    left_out: list[LeftOut] = []
    records = read_records(
        path,
        format=source.format,
        encoding=source.encoding,
        on_bad=bad.append if source.on_bad == "skip" else None,
        on_left_out=left_out.append,
    )
    reading = scripts_of(records, source, use, bad=bad, label=label)
    return replace(reading, skipped=(*(row.words for row in left_out), *reading.skipped))


def scripts_of(
    records: Iterable[Record],
    source: ConversationSource,
    use: Callable[[Script], None],
    *,
    bad: Sequence[BadRow] = (),
    label: str | None = None,
) -> ScriptReading:
    """Give each script of records to `use`; `bad` may still grow while the records are read.

    Raises:
        DataError: a column is not there, no shape fits, no conversation is left, or one is invalid.
    """
    records = iter(records)
    if (start := next(records, None)) is None:
        why = f"; the first: {bad[0].where}: {bad[0].reason}" if bad else ""
        raise DataError(f"{source.source}: no row that can be read{why}")
    layout, records = layout_of(chain([start], records), source, label=label)
    left = _Left()
    used = 0
    unused: dict[str, None] = {}
    for rows in layout.conversations(records):
        try:
            script = layout.script(rows)
            use(script)
        except RefusedError as error:
            if source.on_bad == "stop":
                raise
            left.add(error.kind, str(error))
            continue
        used += 1
        unused.update(dict.fromkeys(script.unused))
    _count_bad(bad, layout, left)
    skipped = left.words()
    if not used:
        raise DataError(f"{source.source}: no conversations{''.join(f'; {reason}' for reason in skipped)}")
    return ScriptReading(skipped=skipped, left_out=sum(left.counts.values()), unused=tuple(unused))


def _count_bad(bad: Sequence[BadRow], layout: Layout, left: _Left) -> None:
    parts = [row for row in bad if not row.is_conversation]
    if parts and layout.shape == "turns":
        raise DataError(
            f"{parts[0].where}: {parts[0].reason}; it cannot be left out, "
            "because the conversation that it belongs to, which is not known, would have a hole"
        )
    for row in bad:
        left.add("a row that cannot be read", f"{row.where}: {row.reason}")


def text_in(value: object, where: str, *, empty: bool = False) -> str:
    """Return the text as it is, or its parts joined; null counts as empty only where a text may be empty."""
    if is_parts(value):
        try:
            value = join_parts(value)
        except ValueError as error:
            detail = f"expected parts of text, found {error}; {LEAVE_OUT}"
            raise RefusedError(where, "a part that is not text", detail) from None
    if not isinstance(value, str):
        if value is None and empty:
            return ""
        raise RefusedError(where, "a turn that is not text", f"expected text, found {in_words(value)}")
    # Most text passes both checks at once; only the rest is checked more closely.
    if (not value.isascii() or "\0" in value) and (reason := unreadable_text(value)):
        raise RefusedError(where, "text that cannot be used", reason)
    if not empty and not value.strip():
        raise RefusedError(
            where, "an empty turn", "the turn is empty; hint: fill it, or remove the conversation"
        )
    return value
