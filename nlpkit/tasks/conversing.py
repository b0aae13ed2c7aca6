"""Conversations from wherever they lie: source -> records -> conversations."""

from __future__ import annotations

import random
from collections.abc import Sequence

from nlpkit.data.conversations import Reading, conversations_in
from nlpkit.data.examples import Conversation
from nlpkit.settings import ConversationSource
from nlpkit.sources import resolve


def read_conversations(sources: Sequence[ConversationSource], *, seed: int) -> Reading:
    """Every conversation of the sources, in their order; where a source has a limit, so many of it, chosen by the seed.

    Raises:
        DataError: a file or a conversation is wrong, or a source holds no conversation.
    """
    conversations: list[Conversation] = []
    skipped: list[str] = []
    for source in sources:
        reading = conversations_in(resolve(source.source, kind="data"), source)
        conversations += _limited(reading.conversations, source.limit, seed)
        skipped += [f"{source.source}: {one}" for one in reading.skipped]
    return Reading(conversations=tuple(conversations), skipped=tuple(skipped))


def _limited(conversations: Sequence[Conversation], limit: int | None, seed: int) -> Sequence[Conversation]:
    """The chosen ones in their order; both views of a conversation count as one, and are chosen together."""
    places = list(dict.fromkeys(one.where for one in conversations))
    if limit is None or limit >= len(places):
        return conversations
    chosen = set(random.Random(seed).sample(places, limit))  # noqa: S311
    return [one for one in conversations if one.where in chosen]
