"""What of a conversation the model sees: the part that fits, what is recalled of the rest, and a ledger of every turn."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nlpkit.data.examples import Conversation
from nlpkit.generation.earlier_turns import Embed, FoundBy, Recalled, ranking, summary_of, written
from nlpkit.prompts.build import build_prompt
from nlpkit.prompts.template import ChatTemplate, Parts

Policy: TypeAlias = Literal["drop_oldest", "recall"]
"""What becomes of turns that no longer fit: gone, or a summary of them and those that matter to the last turn are quoted."""

KEPT = 0.75
"""Share of the room that stays full when turns must go. The prompt then begins alike for many turns, and is read only once."""

RECALL_ROOM = 0.25
"""Share of the room that quotes of earlier turns may take."""

SUMMARY_ROOM = 0.3
"""Share of the quotes' room that the summary may take."""

MOST_RECALLED = 12
"""More quotes would drown the one that matters."""

CANDIDATES = 30
"""Turns that are tried: a long one that does not fit leaves its place to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The ledger: each turn of the conversation, by its number from 0, is in exactly one of `seen`, `recalled` and `dropped`."""

    seen: tuple[int, ...]
    """Read as they were said."""
    recalled: tuple[int, ...]
    """Quoted in what the bot is told beforehand."""
    dropped: tuple[int, ...]
    """Not read, but for what the summary says of them."""
    tokens: int
    """Of the whole prompt."""
    room: int
    """Tokens that the prompt may have."""
    summary: str = ""
    """Sentences of the dropped turns."""
    policy: Policy = "drop_oldest"
    found_by: FoundBy | None = None
    """What chose the recalled turns: the encoder or, where there is none, the words they share with the last turn."""


def fit_context(
    conversation: Conversation, tokenizer: Any, room: int, policy: Policy, *, embed: Embed | None = None
) -> tuple[Conversation, Context]:  # fmt: skip
    """The conversation as the model will see it, and the ledger. `embed` gives the embeddings of texts, as `Encoder.embed` does.

    Raises:
        DataError: not even the last turn fits.
    """
    template = ChatTemplate.of(tokenizer)
    parts = template.parts(conversation)
    count = len(parts.turns)
    if _fits(template, parts, room):
        return conversation, _ledger(conversation, tokenizer, room, policy, start=0)
    start = window_start(template, parts, room if policy == "drop_oldest" else room - int(RECALL_ROOM * room))
    shorter = dataclasses.replace(conversation, turns=conversation.turns[start:])
    ledger = _ledger(shorter, tokenizer, room, policy, start=start)
    if policy == "drop_oldest" or not start or start == count:
        return shorter, ledger
    return _recall(conversation, shorter, tokenizer, ledger, embed)


def window_start(template: ChatTemplate, parts: Parts, room: int) -> int:
    """The first turn that is still seen.

    Told from the conversation alone, question by question as it grew: when the turns overflow the room, the oldest go until they fill
    KEPT of it, and then the start stays where it is until they overflow again.
    """
    count, start = len(parts.turns), 0
    for end in range(1, count + 1):
        asked = end == count or parts.turns[end - 1] == "user"
        if asked and template.size(parts, start, end, asking=True) > room:
            start = max(start, template.dropped(parts, end, int(KEPT * room)))
            if parts.turns[start] == "assistant" and start < end - 1:
                start += 1  # a reply whose question is gone says little
    return start


def _fits(template: ChatTemplate, parts: Parts, room: int) -> bool:
    # The texts alone are counted first: a template around thousands of turns takes long to render
    if sum(map(len, parts.texts)) > room:
        return False
    return template.size(parts, 0, len(parts.turns), asking=True) <= room


def _ledger(conversation: Conversation, tokenizer: Any, room: int, policy: Policy, *, start: int) -> Context:
    """The ledger of a conversation that lost its first `start` turns and nothing else."""
    return Context(
        seen=tuple(range(start, start + len(conversation.turns))),
        recalled=(),
        dropped=tuple(range(start)),
        tokens=len(build_prompt(conversation, tokenizer, room).ids),
        room=room,
        policy=policy,
    )


def _recall(
    conversation: Conversation, shorter: Conversation, tokenizer: Any, ledger: Context, embed: Embed | None
) -> tuple[Conversation, Context]:  # fmt: skip
    """The shorter conversation with quotes of the turns it lost in its system part."""
    lost = conversation.turns[: len(ledger.dropped)]
    order, found_by = ranking(lost, _asked(conversation), embed)
    room = min(int(RECALL_ROOM * ledger.room), ledger.room - ledger.tokens)
    quotes = _chosen(conversation, order, tokenizer, room)
    while True:
        told = written(conversation.system, lost, quotes)
        longer = dataclasses.replace(shorter, system=told)
        template = ChatTemplate.of(tokenizer)
        tokens = template.size(template.parts(longer), 0, len(longer.turns), asking=True)
        if tokens <= ledger.room or not (quotes.turns or quotes.summary):
            break
        # The parts were counted one by one; joined they may spell a little longer
        quotes = (
            dataclasses.replace(quotes, summary="")
            if not quotes.turns
            else dataclasses.replace(quotes, turns=quotes.turns[:-1])
        )
    recalled = tuple(sorted(quotes.turns))
    dropped = tuple(one for one in ledger.dropped if one not in quotes.turns)
    found = found_by if recalled else None
    return longer, dataclasses.replace(
        ledger, recalled=recalled, dropped=dropped, tokens=tokens, summary=quotes.summary, found_by=found
    )  # fmt: skip


def _asked(conversation: Conversation) -> str:
    """What the user said last."""
    return next((one.text for one in reversed(conversation.turns) if one.role == "user"), "")


def _chosen(conversation: Conversation, order: list[int], tokenizer: Any, room: int) -> Recalled:
    """The turns to quote, the likeliest to matter first, and the summary of those that are not quoted."""
    template = ChatTemplate.of(tokenizer)

    def size(text: str) -> int:
        return len(template.content(text))

    lost = conversation.turns
    left = room - size(written("", lost, Recalled(turns=(), summary="."))) - 4
    for_summary = int(SUMMARY_ROOM * room)
    turns: list[int] = []
    for place in order[:CANDIDATES]:
        cost = size(written("", lost, Recalled(turns=(place,), summary=""), quotes_only=True)) + 1
        if len(turns) < MOST_RECALLED and cost <= left - for_summary:
            turns.append(place)
            left -= cost
    start = max(order, default=-1) + 1
    rest = [lost[place] for place in range(start) if place not in turns]
    return Recalled(turns=tuple(turns), summary=summary_of(rest, min(left, for_summary), size))
