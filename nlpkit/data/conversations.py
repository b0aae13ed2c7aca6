"""Conversations of two sides from a file: the speaker that the model learns, its system prompt, and what is
refused. All other speakers are the user.

* conversations_in
  x conversation_scripts    what is left out, and counted
    x conversation_shapes   rows of every shape -> scripts: who says what, where
    x conversation_columns  what else stands in a row: refused where it changes the meaning, or listed
  x views                   a script -> conversations: roles given, turns of one side merged
    x conversation_speakers which role or name a line has, and whom the model learns to be
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from nlpkit.data.conversation_columns import LEAVE_OUT, RefusedError
from nlpkit.data.conversation_scripts import ScriptReading, scripts_in, scripts_of, text_in
from nlpkit.data.conversation_shapes import Script
from nlpkit.data.conversation_speakers import (
    CALLED,
    SIDES,
    bots_of,
    key_of,
    named_speakers,
    speaker_of,
)
from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.data.records import BadRow, Record
from nlpkit.settings.data import ConversationSource


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


def conversations_in(path: Path | str, source: ConversationSource) -> Reading:
    """Read the conversations of a file or a folder.

    Reading stops at the first invalid one, or leaves them out and counts them, as the config says.

    Raises:
        DataError: the file cannot be read, lacks a column or holds no conversation, or one is invalid.
    """
    conversations = _Views(bot=source.bot)
    return conversations.reading(scripts_in(path, source, conversations.add))


def conversations_of(
    records: Iterable[Record], source: ConversationSource, *, bad: Sequence[BadRow] = ()
) -> Reading:
    """Make conversations of records; `bad` may still grow while the records are read.

    Raises:
        DataError: a column is not there, no shape fits, no conversation is left, or one is invalid.
    """
    conversations = _Views(bot=source.bot)
    return conversations.reading(scripts_of(records, source, conversations.add, bad=bad))


@dataclass(kw_only=True, slots=True)
class _Views:
    """The conversations of scripts that were read so far."""

    bot: str | None
    made: list[Conversation] = field(default_factory=list)
    speakers: Counter[str] = field(default_factory=Counter)
    one_sided: int = 0

    def add(self, script: Script) -> None:
        sides = views(script, self.bot)
        self.made += sides
        self.speakers.update(speaker_of(line, script, self.bot) for line in script.lines)
        self.one_sided += self.bot == "each" and len(sides) == 1

    def reading(self, read: ScriptReading) -> Reading:
        skipped = read.skipped
        if self.one_sided:
            skipped += (
                f"{self.one_sided:,} conversations stand there from one side only: the other answers nothing",
            )
        return Reading(
            conversations=tuple(self.made),
            skipped=skipped,
            left_out=read.left_out,
            unused=read.unused,
            speakers=self.speakers,
        )


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
        text_in(part, f"{script.where}, system", empty=True)
        for value in script.system
        for part in _parts(value)
    ]
    turns: list[tuple[str, list[str]]] = []
    speakers: dict[str, None] = {}
    for line in script.lines:
        speaker = speaker_of(line, script, bot)
        if CALLED.get(speaker.casefold()) == "system":
            prompts.append(text_in(line.text, line.where, empty=True))
            continue
        text = text_in(line.text, line.where)
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


def _too_short(script: Script, turns: Sequence[tuple[str, Sequence[str]]]) -> RefusedError:
    if not turns:
        return RefusedError(script.where, "no turn", "no turn; expected two speakers")
    ((speaker, texts),) = turns
    what = f"{len(texts)} messages, all of {speaker!r:.60}" if len(texts) > 1 else f"of {speaker!r:.60}"
    return RefusedError(
        script.where, "one turn only", f"one turn only ({what}); expected one that is answered; {LEAVE_OUT}"
    )
