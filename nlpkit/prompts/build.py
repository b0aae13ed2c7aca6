"""Conversations to token ids: the one place where prompts are built, for training, evaluation and chat.

The template's own text is encoded with control tokens, a person's text without any: no text can end a turn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError
from nlpkit.prompts.template import READ_ONLY, ChatTemplate, EncodedDialogue, Parts

CARRY = 0.25
"""Share of a training row that turns of the row before may take, as context that is not learned."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """What the model reads before it replies."""

    ids: list[int]
    dropped: int
    """How many of the oldest turns did not fit."""


def build_prompt(conversation: Conversation, tokenizer: Any, token_budget: int) -> Prompt:
    """Return the ids that ask for the next reply: the system prompt and as many of the last turns as fit.

    Raises:
        DataError: not even the last turn fits the token budget.
    """
    template = ChatTemplate.of(tokenizer)
    parts = template.parts(conversation)
    dropped = template.dropped(parts, len(parts.turns), token_budget)
    return prompt_of(template, parts, dropped, token_budget, where=conversation.where)


def prompt_of(
    template: ChatTemplate, parts: Parts, dropped: int, token_budget: int, *, where: str = ""
) -> Prompt:
    """Return the prompt of an encoded conversation without its first `dropped` turns.

    Raises:
        DataError: it does not fit the token budget.
    """
    ids = template.fill(parts, dropped, len(parts.turns), add_generation_prompt=True)
    if len(ids) > token_budget:
        at = f"{where}: " if where else ""
        raise DataError(
            f"{at}the last turn with its system prompt takes {len(ids):,} tokens; "
            f"expected at most {token_budget:,}"
        )
    return Prompt(ids=ids, dropped=dropped)


def encode_reply(text: str, tokenizer: Any) -> list[int]:
    """Return the ids that answer a prompt with this text, the end token included."""
    template = ChatTemplate.of(tokenizer)
    return [*template.content(text), *template.closing]


def encode_text(text: str, tokenizer: Any) -> list[int]:
    """Return the ids of a person's text. No control token is among them, whatever the text says."""
    return ChatTemplate.of(tokenizer).content(text)


def encode_conversation(conversation: Conversation, tokenizer: Any, max_tokens: int) -> list[EncodedDialogue]:
    """Return the conversation in rows of at most `max_tokens`, each reply learned once.

    A reply that fits no row together with the turn that it answers is left out. Some templates write a reply
    differently once another follows (they drop the model's thoughts). They get a row for each reply, so that
    it is learned after its own prompt.
    """
    template = ChatTemplate.of(tokenizer)
    parts = template.parts(conversation)
    if not template.is_steady:
        replies = [turn for turn, role in enumerate(parts.turns) if role == "assistant"]
        return [row for turn in replies if (row := _encode_single(template, parts, turn, max_tokens))]
    rows = [template.learn(parts, *window) for window in _windows(template, parts, max_tokens)]
    return [row for row in rows if row.replies]


def _encode_single(
    template: ChatTemplate, parts: Parts, turn: int, max_tokens: int
) -> EncodedDialogue | None:
    """Return one reply after the prompt that asks for it; None where both do not fit."""
    reply = [*parts.texts[turn], *template.closing]
    start = template.dropped(parts, turn, max_tokens - len(reply))
    ids = template.fill(parts, start, turn, add_generation_prompt=True)
    if len(ids) + len(reply) > max_tokens:
        return None
    return EncodedDialogue(input_ids=[*ids, *reply], labels=[READ_ONLY] * len(ids) + reply, replies=1)


def _windows(template: ChatTemplate, parts: Parts, max_tokens: int) -> list[tuple[int, int, int]]:
    """Return (first turn, first turn learned, end) of each training row.

    A reply is in the row of the turn that it answers. Where both fit no row, both are left out.
    """
    count, start, learned = len(parts.turns), 0, 0
    windows = []
    while learned < count:
        end = learned
        while end < count and template.size(parts, start, end + 1) <= max_tokens:
            end += 1
        while learned < end < count and parts.turns[end - 1] == "user":
            end -= 1  # the reply to this turn starts the next row, and the turn goes with it
        if end > learned:
            windows.append((start, learned, end))
            learned = start = end
            while start and template.size(parts, start - 1, end) <= CARRY * max_tokens:
                start -= 1
        elif start < learned:
            start += 1  # with less context the turn may fit
        else:
            is_answered = parts.turns[learned : learned + 2] == ("user", "assistant")
            learned = start = learned + (2 if is_answered else 1)
    return windows
