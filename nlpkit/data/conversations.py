"""Conversations of two sides from a file: the speaker that the model learns, its system prompt, and what is
refused. All other speakers are the user.

* conversations_in
  x conversation_shapes     rows of every shape -> scripts: who says what, where
    x conversation_columns  what else stands in a row: refused where it changes the meaning, or listed
  x views                   a script -> conversations: roles given, turns of one side merged
    x conversation_speakers which role or name a line has, and whom the model learns to be
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from pathlib import Path

from nlpkit.data.conversation_columns import LEAVE_OUT, OR_LEAVE_OUT, RefusedError, in_words
from nlpkit.data.conversation_shapes import Layout, Script, layout_of
from nlpkit.data.conversation_speakers import (
    CALLED,
    SIDES,
    bots_of,
    key_of,
    named_speakers,
    speaker_of,
)
from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.data.records import BadRow, Record, read_records
from nlpkit.data.rows import LeftOut, unreadable_text
from nlpkit.data.text_parts import is_parts, join_parts
from nlpkit.errors import DataError
from nlpkit.settings import ConversationSource


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """The conversations of a source, in its order, and in words what was left out and why."""

    conversations: tuple[Conversation, ...]
    skipped: tuple[str, ...] = ()
    left_out: int = 0
    """How many were left out."""
    unused: tuple[str, ...] = ()
    """Columns, and keys of messages, that hold something and are not used."""
    speakers: Mapping[str, int] = field(default_factory=dict)
    """How many messages each speaker has, by the name or the role in the file."""


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


def conversations_in(path: Path | str, source: ConversationSource) -> Reading:
    """Read the conversations of a file or a folder.

    Reading stops at the first invalid one, or leaves them out and counts them, as the config says.

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
    reading = conversations_of(records, source, bad=bad)
    return replace(reading, skipped=(*(row.words for row in left_out), *reading.skipped))


def conversations_of(
    records: Iterable[Record], source: ConversationSource, *, bad: Sequence[BadRow] = ()
) -> Reading:
    """Make conversations of records; `bad` may still grow while the records are read.

    Raises:
        DataError: a column is not there, no shape fits, no conversation is left, or one is invalid.
    """
    records = iter(records)
    if (start := next(records, None)) is None:
        why = f"; the first: {bad[0].where}: {bad[0].reason}" if bad else ""
        raise DataError(f"{source.source}: no row that can be read{why}")
    layout, records = layout_of(chain([start], records), source)
    left = _Left()
    one_sided = 0
    conversations: list[Conversation] = []
    unused: dict[str, None] = {}
    speakers: Counter[str] = Counter()
    for rows in layout.conversations(records):
        try:
            script = layout.script(rows)
            found_views = views(script, source.bot)
        except RefusedError as error:
            if source.on_bad == "stop":
                raise
            left.add(error.kind, str(error))
            continue
        conversations += found_views
        unused.update(dict.fromkeys(script.unused))
        speakers.update(speaker_of(line, script, source.bot) for line in script.lines)
        one_sided += source.bot == "each" and len(found_views) == 1
    _count_bad(bad, layout, left)
    skipped = left.words()
    if one_sided:
        skipped += (f"{one_sided:,} conversations stand there from one side only: the other answers nothing",)
    if not conversations:
        raise DataError(f"{source.source}: no conversations{''.join(f'; {reason}' for reason in skipped)}")
    return Reading(
        conversations=tuple(conversations),
        skipped=skipped,
        left_out=sum(left.counts.values()),
        unused=tuple(unused),
        speakers=speakers,
    )


def _count_bad(bad: Sequence[BadRow], layout: Layout, left: _Left) -> None:
    parts = [row for row in bad if not row.is_conversation]
    if parts and layout.shape == "turns":
        raise DataError(
            f"{parts[0].where}: {parts[0].reason}; it cannot be left out, "
            "because the conversation that it belongs to, which is not known, would have a hole"
        )
    for row in bad:
        left.add("a row that cannot be read", f"{row.where}: {row.reason}")


def views(script: Script, bot: str | None) -> list[Conversation]:
    """Return the conversation from the model's side; for `each`, once from every side that answers something.

    Raises:
        RefusedError: it is invalid, or there is no reply of the bot in it.
    """
    system, turns = _heard(script, bot)
    bots = bots_of(list(dict.fromkeys(speaker for speaker, _ in turns)), script, bot)
    answering = [name for name in bots if any(speaker == name for speaker, _ in turns[1:])]
    if not answering:
        detail = f"no reply of the bot, {bots[0]!r:.60}: it opens the conversation and answers nothing"
        detail = f"{detail}; {LEAVE_OUT}"
        raise RefusedError(script.where, "no reply of the bot", detail)
    return [_view(turns, name, system, script) for name in answering]


def _heard(script: Script, bot: str | None) -> tuple[str, list[tuple[str, str]]]:
    """Return the system prompt, and the turns of all speakers, those of one in a row merged."""
    prompts = [
        _text(part, f"{script.where}, system", empty=True)
        for value in script.system
        for part in _parts(value)
    ]
    turns: list[tuple[str, list[str]]] = []
    speakers: dict[str, None] = {}
    for line in script.lines:
        speaker = speaker_of(line, script, bot)
        if CALLED.get(speaker.casefold()) == "system":
            prompts.append(_text(line.text, line.where, empty=True))
            continue
        text = _text(line.text, line.where)
        speakers[speaker] = None
        if len(speakers) > 2 and bot in SIDES:
            detail = (
                f"expected two speakers, found a third, {speaker!r:.60}, "
                f"after {named_speakers(list(speakers)[:2])}; "
                f"hint: say whom the model learns to be, such as {key_of(speaker)}"
            )
            raise RefusedError(line.where, "three speakers or more", detail)
        if not turns or turns[-1][0] != speaker:
            turns.append((speaker, []))
        turns[-1][1].append(text)
    if len(turns) < 2:
        raise _too_short(script, turns)
    return "\n\n".join(dict.fromkeys(part for part in prompts if part.strip())), [
        (speaker, "\n".join(texts)) for speaker, texts in turns
    ]


def _view(spoken: Sequence[tuple[str, str]], bot: str, system: str, script: Script) -> Conversation:
    def role(speaker: str) -> Role:
        return "assistant" if speaker == bot else "user"

    turns = tuple(
        Turn(role=side, text="\n".join(text for _, text in run))
        for side, run in groupby(spoken, key=lambda turn: role(turn[0]))
    )
    return Conversation(turns=turns, system=system, id=script.id, where=script.where)


def _parts(value: object) -> Iterable[object]:
    """Return the parts of a system prompt: a persona may be a list of sentences; null is none."""
    if value is None:
        return ()
    return value if isinstance(value, (list, tuple)) else (value,)


def _text(value: object, where: str, *, empty: bool = False) -> str:
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


def _too_short(script: Script, turns: Sequence[tuple[str, Sequence[str]]]) -> RefusedError:
    if not turns:
        return RefusedError(script.where, "no turn", "no turn; expected two speakers")
    ((speaker, texts),) = turns
    what = f"{len(texts)} messages, all of {speaker!r:.60}" if len(texts) > 1 else f"of {speaker!r:.60}"
    return RefusedError(
        script.where, "one turn only", f"one turn only ({what}); expected one that is answered; {LEAVE_OUT}"
    )
