"""Conversations to token ids: the one place where a prompt is made, for training, evaluation and chat alike.

The template's part is encoded with its control tokens, a person's part without any: text can not become the end of a turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError
from nlpkit.prompts.template import READ_ONLY, ChatTemplate, EncodedDialogue, Parts

CARRY = 0.25
"""Share of the room that a part of a long conversation gives to the turns before it, which are only read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What the model reads before it answers."""

    ids: list[int]
    dropped: int
    """How many of the oldest turns did not fit."""


def build_prompt(conversation: Conversation, tokenizer: Any, room: int) -> Prompt:
    """The ids that ask for the next reply, at most `room` of them: the system's text and as many of the last turns as fit.

    Raises:
        DataError: not even the last turn fits.
    """
    template = ChatTemplate.of(tokenizer)
    parts = template.parts(conversation)
    dropped = template.dropped(parts, len(parts.turns), room)
    ids = template.fill(parts, dropped, len(parts.turns), asking=True)
    if len(ids) <= room:
        return Prompt(ids=ids, dropped=dropped)
    where = f"{conversation.where}: " if conversation.where else ""
    raise DataError(
        f"{where}the last turn, with all that goes around it, takes {len(ids):,} tokens; there is room for {room:,}"
    )


def encode_reply(text: str, tokenizer: Any) -> list[int]:
    """The ids that answer a prompt with this text, the end token included."""
    template = ChatTemplate.of(tokenizer)
    return [*template.content(text), *template.closing]


def encode_text(text: str, tokenizer: Any) -> list[int]:
    """The ids of what a person wrote; no control token is among them, whatever the text says."""
    return ChatTemplate.of(tokenizer).content(text)


def encode_conversation(conversation: Conversation, tokenizer: Any, max_tokens: int) -> list[EncodedDialogue]:
    """The conversation in rows of at most `max_tokens`, each reply learnt once; replies that fit no row are left out.

    A template that writes a reply differently once another follows (some drop the model's thoughts) gets a row for each reply, so
    that each is learnt after the very prompt that will ask for it.
    """
    template = ChatTemplate.of(tokenizer)
    parts = template.parts(conversation)
    if not template.is_steady:
        replies = [place for place, turn in enumerate(parts.turns) if turn == "assistant"]
        return [row for place in replies if (row := _single(template, parts, place, max_tokens))]
    rows = []
    for start, learnt, end in _windows(template, parts, max_tokens):
        row = template.learn(parts, start, learnt, end)
        if row.replies:
            rows.append(row)
    return rows


def _single(template: ChatTemplate, parts: Parts, place: int, max_tokens: int) -> EncodedDialogue | None:
    """The reply at `place` after the prompt that asks for it; None where both do not fit."""
    answer = [*parts.texts[place], *template.closing]
    start = template.dropped(parts, place, max_tokens - len(answer))
    ids = template.fill(parts, start, place, asking=True)
    if len(ids) + len(answer) > max_tokens:
        return None
    return EncodedDialogue(input_ids=[*ids, *answer], labels=[READ_ONLY] * len(ids) + answer, replies=1)


def _windows(template: ChatTemplate, parts: Parts, max_tokens: int) -> list[tuple[int, int, int]]:
    """(first turn read, first turn learnt, end) of each row."""
    count, start, learnt = len(parts.turns), 0, 0
    found = []
    while learnt < count:
        end = learnt
        while end < count and template.size(parts, start, end + 1) <= max_tokens:
            end += 1
        if learnt + 1 < end < count and parts.turns[end - 1] == "user":
            end -= 1  # a row ends with a reply, so that none is learnt without what it answers
        if end > learnt:
            found.append((start, learnt, end))
            learnt = start = end
            while start and template.size(parts, start - 1, end) <= CARRY * max_tokens:
                start -= 1
        elif start < learnt:
            start += 1  # with less before it the turn may fit
        else:
            learnt = start = learnt + 1  # it fits no row
    return found
