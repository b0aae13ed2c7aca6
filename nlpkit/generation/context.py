"""What of a conversation the model sees: turns that fit, quotes of earlier ones, and a ledger of all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from nlpkit.data.examples import Conversation
from nlpkit.generation.earlier_turns import Embed, FoundBy, Quotes, add_quotes, rank_turns, summarize
from nlpkit.prompts.build import prompt_of
from nlpkit.prompts.template import ChatTemplate, Parts

Policy: TypeAlias = Literal["drop_oldest", "recall"]
"""What becomes of turns that no longer fit: dropped, or quoted where they matter to the last turn."""

CountedBy: TypeAlias = Literal["model", "server", "estimate"]
"""What counted the tokens: the model's tokenizer, the server that replied, or nothing but their bytes."""

REFILL_SHARE = 0.75
"""Share of the token budget that stays in use when turns are dropped.

The prompts of the following turns then begin alike, so that what they have in common is read only once.
"""

QUOTES_SHARE = 0.25
"""Share of the token budget that quotes of earlier turns may take."""

SUMMARY_SHARE = 0.3
"""Share of the quotes' tokens that the summary may take."""

MAX_QUOTES = 12
"""More quotes would drown the one that matters."""

MAX_CANDIDATES = 30
"""How many turns are tried as quotes: one that is too long leaves its tokens to the next."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The ledger: each turn, by its number from 0, is in exactly one of `seen`, `recalled` and `dropped`."""

    seen: tuple[int, ...]
    """Read by the model in full."""
    recalled: tuple[int, ...]
    """Quoted in the system prompt."""
    dropped: tuple[int, ...]
    """Not read, except for what the summary says of them."""
    tokens: int
    """Of the whole prompt."""
    token_budget: int
    """Tokens that the prompt may have."""
    summary: str = ""
    """Sentences of the dropped turns."""
    policy: Policy = "drop_oldest"
    found_by: FoundBy | None = None
    """What chose the recalled turns: the encoder or, without one, the words they share with the last turn."""
    counted_by: CountedBy = "model"

    @property
    def is_known(self) -> bool:
        """Return whether it says of each turn if it is seen; most servers do not report that."""
        return bool(self.seen or self.recalled or self.dropped)

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Context:
        """Return the ledger from its JSON form, today's or that of nlpkit 0.1.0."""
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in stored.items()
        }
        if "room" in values:  # an old name
            values["token_budget"] = values.pop("room")  # an old name
        return cls(**values)


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedPrompt:
    """A prompt within a token budget. It is built once and passed on to whatever generates the reply."""

    ids: list[int]
    conversation: Conversation
    """What the ids spell: the turns that are seen, and the quotes in the system prompt."""
    context: Context


def fit_prompt(
    conversation: Conversation,
    tokenizer: Any,
    token_budget: int,
    policy: Policy,
    *,
    load_embed: Callable[[], Embed | None] = lambda: None,
) -> FittedPrompt:
    """Build the prompt of the next reply.

    Args:
        conversation: with its system prompt.
        tokenizer: its chat template writes the prompt.
        token_budget: tokens of the prompt at most.
        policy: what becomes of turns that do not fit.
        load_embed: returns what embeds texts, if anything does. Called only if turns are to be recalled.

    Raises:
        DataError: not even the last turn fits.
    """
    template = ChatTemplate.of(tokenizer)
    parts = template.parts(conversation)
    start = 0
    if not _fits(template, parts, token_budget):
        quotes_budget = int(QUOTES_SHARE * token_budget) if policy == "recall" else 0
        start = first_turn_seen(template, parts, token_budget - quotes_budget)
    shown = dataclasses.replace(conversation, turns=conversation.turns[start:])
    quotes, found_by = Quotes(turns=(), summary=""), None
    if policy == "recall" and start:
        order, found_by = rank_turns(conversation.turns[:start], _question(conversation), load_embed())
        shown, parts, quotes = _recall(conversation, template, parts, order, start, token_budget)
    prompt = prompt_of(template, parts, start, token_budget, where=conversation.where)
    context = Context(
        seen=tuple(range(start, len(conversation.turns))),
        recalled=tuple(sorted(quotes.turns)),
        dropped=tuple(turn for turn in range(start) if turn not in quotes.turns),
        tokens=len(prompt.ids),
        token_budget=token_budget,
        summary=quotes.summary,
        policy=policy,
        found_by=found_by if quotes.turns else None,
    )
    return FittedPrompt(ids=prompt.ids, conversation=shown, context=context)


def first_turn_seen(template: ChatTemplate, parts: Parts, token_budget: int) -> int:
    """Return the first turn that is still seen.

    It depends on the conversation alone, followed question by question as it grew. When the turns exceed the
    token budget, the oldest are dropped until the rest takes REFILL_SHARE of it. The start then stays
    where it is until they exceed the budget again.
    """
    count, start = len(parts.turns), 0
    for end in range(1, count + 1):
        asks = end == count or parts.turns[end - 1] == "user"
        if asks and template.size(parts, start, end, add_generation_prompt=True) > token_budget:
            start = max(start, template.dropped(parts, end, int(REFILL_SHARE * token_budget)))
            if parts.turns[start] == "assistant" and start < end - 1:
                start += 1  # a reply without its question says little
    return start


def _fits(template: ChatTemplate, parts: Parts, token_budget: int) -> bool:
    # The texts alone are counted first: a template around thousands of turns takes long to render
    if sum(map(len, parts.texts)) > token_budget:
        return False
    return template.size(parts, 0, len(parts.turns), add_generation_prompt=True) <= token_budget


def _recall(
    conversation: Conversation,
    template: ChatTemplate,
    parts: Parts,
    order: list[int],
    start: int,
    token_budget: int,
) -> tuple[Conversation, Parts, Quotes]:
    """Quote turns before `start` in the system prompt, in this order, within the token budget."""
    lost = conversation.turns[:start]
    left = token_budget - template.size(parts, start, len(parts.turns), add_generation_prompt=True)
    quotes = _choose_quotes(conversation, order, template, min(int(QUOTES_SHARE * token_budget), left))
    while True:
        system = add_quotes(conversation.system, lost, quotes)
        quoted = dataclasses.replace(parts, system=template.content(system))
        size = template.size(quoted, start, len(parts.turns), add_generation_prompt=True)
        if size <= token_budget or not (quotes.turns or quotes.summary):
            shown = dataclasses.replace(conversation, system=system, turns=conversation.turns[start:])
            return shown, quoted, quotes
        # The quotes were counted one by one; joined they may take a few tokens more
        quotes = Quotes(turns=quotes.turns[:-1], summary=quotes.summary if quotes.turns else "")


def _question(conversation: Conversation) -> str:
    """Return what the user said last."""
    return next((turn.text for turn in reversed(conversation.turns) if turn.role == "user"), "")


def _choose_quotes(
    conversation: Conversation, order: list[int], template: ChatTemplate, token_budget: int
) -> Quotes:
    """Return the turns to quote, the most relevant first, and a summary of those that are not quoted."""

    def size(text: str) -> int:
        return len(template.content(text))

    turns = conversation.turns
    # What the heading and an empty summary take, and 4 tokens for the joints
    left = token_budget - size(add_quotes("", turns, Quotes(turns=(), summary="."))) - 4
    for_summary = int(SUMMARY_SHARE * token_budget)
    chosen: list[int] = []
    for turn in order[:MAX_CANDIDATES]:
        cost = size(add_quotes("", turns, Quotes(turns=(turn,), summary=""), heading=False)) + 1
        if len(chosen) < MAX_QUOTES and cost <= left - for_summary:
            chosen.append(turn)
            left -= cost
    last = max(order, default=-1)
    rest = [turns[turn] for turn in range(last + 1) if turn not in chosen]
    return Quotes(turns=tuple(chosen), summary=summarize(rest, min(left, for_summary), size))
