"""Splits of conversations: whole ones, with all that belongs to them on one side."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.data.examples import Conversation
from nlpkit.data.near import near_groups


def conversation_strata(conversations: Sequence[Conversation]) -> list[str]:
    """Return lengths by powers of two, alike in all parts.

    Else short conversations, of which `each` makes one view only, are held out more often.
    """
    return [str(len(conversation.turns).bit_length()) for conversation in conversations]


def conversation_groups(
    conversations: Sequence[Conversation], *, near_duplicates: float, seed: int
) -> list[int]:
    """Group conversations: those of one id, and those of near-equal texts, through chains too."""
    texts = ["\n".join(turn.text for turn in conversation.turns) for conversation in conversations]
    near = near_groups(texts, threshold=near_duplicates, seed=seed)
    leaders: dict[tuple[str, object], tuple[str, object]] = {}

    def leader(key: tuple[str, object]) -> tuple[str, object]:
        while (above := leaders.setdefault(key, key)) != key:
            leaders[key] = leaders.setdefault(above, above)
            key = above
        return key

    for index, (conversation, group) in enumerate(zip(conversations, near, strict=True)):
        # A conversation without an id is its own.
        leaders[leader(("id", conversation.id or index))] = leader(("near", group))
    numbers: dict[tuple[str, object], int] = {}
    return [numbers.setdefault(leader(("near", group)), len(numbers)) for group in near]
