"""A reply in words, which a chat model generates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from nlpkit.data.conversation_splits import conversation_groups, conversation_strata
from nlpkit.data.examples import Conversation
from nlpkit.metrics.metric import Metric


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


def count_replies(conversations: Sequence[Conversation]) -> int:
    """Count the turns of the side that is learned."""
    return sum(turn.role == "assistant" for conversation in conversations for turn in conversation.turns)
