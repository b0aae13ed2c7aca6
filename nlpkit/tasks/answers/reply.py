"""A reply in words, which a chat model generates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nlpkit.data.conversation_splits import conversation_groups, conversation_strata
from nlpkit.data.examples import Conversation, Turn
from nlpkit.metrics.metric import Metric

TURNS = 8
"""Of a conversation, this many turns up to a reply are compared with those that were trained on."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """The next reply of a conversation."""

    served_by: ClassVar[Literal["chat model"]] = "chat model"
    unit: ClassVar[str] = "conversations"
    metrics: ClassVar[tuple[Metric[Any], ...]] = ()

    def groups(self, examples: Sequence[Conversation], *, near_duplicates: float, seed: int) -> list[int]:
        """Group views and parts of one conversation, and near-equal ones."""
        return conversation_groups(examples, near_duplicates=near_duplicates, seed=seed)

    def strata(self, examples: Sequence[Conversation]) -> list[str]:
        """Return how long each conversation is, roughly."""
        return conversation_strata(examples)

    def describe(self, parts: Mapping[str, Sequence[Conversation]]) -> dict[str, Any]:
        """Count the replies of each part."""
        return {"replies": {name: count_replies(part) for name, part in parts.items()}, "labels": {}}

    def identity(self, example: Conversation) -> tuple[Any, ...]:
        """Return system prompt and turns."""
        return (example.system, example.turns)

    def texts(self, example: Conversation) -> list[str]:
        """Return each reply with the turns before it."""
        return [
            with_history(example.turns[: index + 1])
            for index, turn in enumerate(example.turns)
            if turn.role == "assistant"
        ]


def with_history(turns: Sequence[Turn]) -> str:
    """Return the last turn below those before it, as a text to find it by."""
    return "\n".join(turn.text for turn in turns[-TURNS:])


def count_replies(conversations: Sequence[Conversation]) -> int:
    """Count the turns of the side that is learned."""
    return sum(turn.role == "assistant" for conversation in conversations for turn in conversation.turns)
