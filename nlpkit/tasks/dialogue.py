"""Dialogue: the next reply in a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Literal

from nlpkit.data.conversations import conversations_in
from nlpkit.data.examples import Conversation
from nlpkit.settings import Settings
from nlpkit.settings.data import ConversationSource
from nlpkit.settings.training import DialogueTraining
from nlpkit.tasks.answers.reply import Reply
from nlpkit.tasks.reading import Reading


class Dialogue(Settings):
    """The next reply in a conversation. `nlpkit.prompts` turns one into ids."""

    kind: Literal["dialogue"] = "dialogue"
    system: str = ""
    """The system prompt of every conversation that has no system prompt, persona or topic of its own."""

    source_settings: ClassVar[type[ConversationSource]] = ConversationSource
    training_settings: ClassVar[type[DialogueTraining]] = DialogueTraining
    family: ClassVar[Reply] = Reply()

    def read(self, path: Path, source: ConversationSource) -> Reading[Conversation]:
        """Read the conversations of a file or folder; both views of one conversation have the same origin."""
        reading = conversations_in(path, source)
        return Reading(
            examples=tuple(map(self.with_system, reading.conversations)),
            skipped=reading.skipped,
            left_out=reading.left_out,
            unused=reading.unused,
            origins=tuple(conversation.where for conversation in reading.conversations),
        )

    def fit(self, examples: Sequence[Conversation]) -> Dialogue:
        """Return the task as it is: it takes nothing from the data."""
        return self

    def with_system(self, conversation: Conversation) -> Conversation:
        """Return the conversation with this task's system prompt where it has none."""
        if conversation.system or not self.system:
            return conversation
        return replace(conversation, system=self.system)
