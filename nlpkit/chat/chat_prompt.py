"""What a stored conversation asks of a chat model: the conversation as it reads it, and the sampling."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nlpkit.chat.attached_file import AttachedFile, with_file
from nlpkit.chat.messages import Chat, trend_of
from nlpkit.chat.sentiment import describe_sentiment
from nlpkit.data.examples import Conversation
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling

MOOD, SAMPLING = "mood", "sampling"
"""Settings of a conversation: whether the chat model knows the user's mood, and the sampling.

They override the session's.
"""


def sampling_of(chat: Chat) -> Sampling:
    """Return the sampling settings that are stored with the conversation.

    Raises:
        ConfigError: they are invalid.
    """
    stored = chat.settings.get(SAMPLING)
    return Sampling.of(
        stored if isinstance(stored, Mapping) else {},
        where=f"the sampling settings of conversation {chat.id}",
    )


def prompt_of(chat: Chat, chat_model: ChatModel, file: AttachedFile | None, *, mood: bool) -> Conversation:
    """Return the conversation as a chat model reads it.

    The system prompt gains the attached file, and the user's sentiment if that is switched on.

    Args:
        chat: the conversation.
        chat_model: will read it.
        file: is attached to it.
        mood: whether the sentiment is switched on, where the conversation's settings don't say.
    """
    conversation = chat.conversation
    if file is not None:
        conversation = with_file(conversation, file, chat_model)
    if not chat.settings.get(MOOD, mood):
        return conversation
    parts = (conversation.system.strip(), describe_sentiment(trend_of(chat.messages).sentiments))
    return dataclasses.replace(conversation, system="\n\n".join(filter(None, parts)))
