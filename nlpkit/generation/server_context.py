"""What is known of what a server's model sees: what it reports, its count of tokens, or an estimate."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nlpkit.data.examples import Conversation
from nlpkit.generation.context import Context

BYTES_A_TOKEN = 4
"""Of UTF-8, on average; languages and tokenizers differ."""

TOKENS_A_TURN = 4
"""What a chat template adds."""


def estimated_context(conversation: Conversation) -> Context:
    """Return how many tokens are sent, by an estimate; which turns the model sees is not known."""
    texts = [conversation.system, *(turn.text for turn in conversation.turns)]
    size = sum(len(text.encode(errors="replace")) for text in texts)
    tokens = size // BYTES_A_TOKEN + TOKENS_A_TURN * len(texts)
    return Context(seen=(), recalled=(), dropped=(), tokens=tokens, token_budget=0, counted_by="estimate")


def context_reported(reported: object, conversation: Conversation, *, tokens: int) -> Context:
    """Return the ledger that `nlpkit serve` reports, or else the server's count of tokens, or an estimate."""
    if context := _ledger(reported, len(conversation.turns)):
        return context
    if tokens:
        return Context(seen=(), recalled=(), dropped=(), tokens=tokens, token_budget=0, counted_by="server")
    return estimated_context(conversation)


def _ledger(reported: object, turns: int) -> Context | None:
    """Return a ledger of all turns; None for anything else, because any server may send anything."""
    from pydantic import TypeAdapter, ValidationError

    if not isinstance(reported, Mapping):
        return None
    values = {"token_budget": reported.get("room"), **reported}  # an old name
    known = {field.name: values[field.name] for field in dataclasses.fields(Context) if field.name in values}
    try:
        context = TypeAdapter(Context).validate_python(known)
    except ValidationError:
        return None
    numbers = sorted([*context.seen, *context.recalled, *context.dropped])
    is_whole = numbers == list(range(turns)) and min(context.tokens, context.token_budget) > 0
    return dataclasses.replace(context, summary="", counted_by="server") if is_whole else None
