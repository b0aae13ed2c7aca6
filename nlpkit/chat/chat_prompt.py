"""What a stored conversation asks of a chat model: the conversation as it reads it, and the sampling."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from nlpkit.chat.messages import Chat, trend_of
from nlpkit.chat.sentiment import describe_sentiment
from nlpkit.data.examples import Conversation
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


def prompt_of(chat: Chat, *, mood: bool) -> Conversation:
    """Return the conversation, with the user's sentiment in the system prompt if that is switched on.

    `mood` says whether it is, where the conversation's settings don't.
    """
    conversation = chat.conversation
    if not chat.settings.get(MOOD, mood):
        return conversation
    parts = (conversation.system.strip(), describe_sentiment(trend_of(chat.messages).sentiments))
    return dataclasses.replace(conversation, system="\n\n".join(filter(None, parts)))
