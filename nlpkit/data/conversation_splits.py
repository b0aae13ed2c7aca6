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
    """A group for each conversation: those of one id share it, and those whose joined texts are near-equal, through chains too."""
    texts = ["\n".join(turn.text for turn in one.turns) for one in conversations]
    near = near_groups(texts, threshold=near_duplicates, seed=seed)
    leaders: dict[tuple[str, object], tuple[str, object]] = {}

    def leader(one: tuple[str, object]) -> tuple[str, object]:
        while (above := leaders.setdefault(one, one)) != one:
            leaders[one] = leaders.setdefault(above, above)
            one = above
        return one

    for place, (conversation, group) in enumerate(zip(conversations, near, strict=True)):
        # A conversation without an id is its own.
        leaders[leader(("id", conversation.id or place))] = leader(("near", group))
    numbers: dict[tuple[str, object], int] = {}
    return [numbers.setdefault(leader(("near", group)), len(numbers)) for group in near]
