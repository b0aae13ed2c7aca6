"""Dialogue: the next reply in a conversation."""

from __future__ import annotations

from typing import Literal

from nlpkit.data.examples import Conversation
from nlpkit.settings import Settings


class Dialogue(Settings):
    """The next reply in a conversation. How one becomes ids stands in prompt.py."""

    kind: Literal["dialogue"] = "dialogue"
    system: str = ""
    """What the bot is told before every conversation that has no system prompt, persona or topic of its own."""

    def told(self, conversation: Conversation) -> Conversation:
        """The conversation with this task's system prompt where it has none."""
        if conversation.system or not self.system:
            return conversation
        return Conversation(
            turns=conversation.turns, system=self.system, id=conversation.id, where=conversation.where
        )
