"""Conversations as training rows, and what became of them on the way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.data.examples import Conversation
from nlpkit.prompts.build import encode_conversation
from nlpkit.prompts.template import ChatTemplate, EncodedDialogue
from nlpkit.tasks.answers.reply import count_replies


@dataclass(frozen=True, kw_only=True)
class EncodedPart:
    """Conversations as rows, and what became of them on the way."""

    rows: tuple[EncodedDialogue, ...]
    left_out: int
    """Replies that fit no row together with the turn that they answer."""
    injected: int
    """Texts that spell one of the model's control tokens; to the model they are plain characters."""

    @property
    def learned(self) -> int:
        """Tokens that are learned."""
        return sum(row.learned for row in self.rows)

    @property
    def read(self) -> int:
        """Tokens that are only read."""
        return sum(len(row.input_ids) for row in self.rows) - self.learned


def encode_part(conversations: Sequence[Conversation], tokenizer: Any, max_tokens: int) -> EncodedPart:
    """Encode conversations as training rows."""
    rows = [
        row
        for conversation in conversations
        for row in encode_conversation(conversation, tokenizer, max_tokens)
    ]
    safe_tokenizer = ChatTemplate.of(tokenizer).safe_tokenizer
    texts = (
        text
        for conversation in conversations
        for text in (conversation.system, *(turn.text for turn in conversation.turns))
    )
    injected = sum(map(safe_tokenizer.spells_control_token, texts))
    return EncodedPart(
        rows=tuple(rows),
        left_out=count_replies(conversations) - sum(row.replies for row in rows),
        injected=injected,
    )
