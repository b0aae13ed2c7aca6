"""Preferences of people: replies rated up or down, and pairs of replies of which one was preferred."""

from __future__ import annotations

import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError

FEWEST = 10
"""Rows below which nothing can be learned."""
FEWEST_HELD = 4
"""Held-out rows below which nothing can be compared."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RatedReply:
    """A reply that a person liked or not, and the conversation before it."""

    history: Conversation
    reply: str
    liked: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyPair:
    """Two different replies to one conversation, of which a person preferred one."""

    history: Conversation
    chosen: str
    rejected: str


Preference: TypeAlias = RatedReply | ReplyPair
P = TypeVar("P", bound=RatedReply | ReplyPair)


def pair_up(replies: Sequence[RatedReply]) -> list[ReplyPair]:
    """Pair liked and disliked replies to the same history, until each has been in a pair of two different
    texts.
    """
    sides: dict[Hashable, tuple[list[RatedReply], list[RatedReply]]] = {}
    for reply in replies:
        sides.setdefault(history_key(reply.history), ([], []))[0 if reply.liked else 1].append(reply)
    pairs = []
    for liked, disliked in sides.values():
        for index in range(max(len(liked), len(disliked)) if liked and disliked else 0):
            up, down = liked[index % len(liked)], disliked[index % len(disliked)]
            if up.reply.strip() != down.reply.strip():
                pairs.append(ReplyPair(history=up.history, chosen=up.reply, rejected=down.reply))
    return pairs


def take_apart(pairs: Sequence[ReplyPair]) -> list[RatedReply]:
    """Return each pair as a liked and a disliked reply."""
    return [
        RatedReply(history=pair.history, reply=reply, liked=liked)
        for pair in pairs
        for reply, liked in ((pair.chosen, True), (pair.rejected, False))
    ]


def history_key(history: Conversation) -> Hashable:
    """Return what equal histories have in common, whatever their ids and the space around their texts."""
    return history.system.strip(), tuple((turn.role, turn.text.strip()) for turn in history.turns)


def sample(rows: Sequence[P], limit: int | None, *, seed: int) -> list[P]:
    """Return the rows, or so many of them, chosen by the seed, in their order."""
    if limit is None or limit >= len(rows):
        return list(rows)
    return [rows[index] for index in sorted(random.Random(seed).sample(range(len(rows)), limit))]  # noqa: S311


def refuse_useless(rows: Sequence[Preference], *, where: str, fewest: int = FEWEST) -> None:
    """Check that there is something to learn or to compare on.

    Raises:
        DataError: fewer rows than a handful, or replies that are all liked or all disliked.
    """
    rated = [row.liked for row in rows if isinstance(row, RatedReply)]
    if len(rated) == len(rows) and rated and len(set(rated)) == 1:
        side = "up" if rated[0] else "down"
        raise DataError(
            f"{where}: all {len(rated):,} replies are rated {side}; "
            "expected both, because only the difference between them can be learned"
        )
    if len(rows) < fewest:
        raise DataError(f"{where}: {len(rows)} rows; expected at least {fewest}; hint: collect {needed()}")


def needed() -> str:
    """Return in words how many rows a training needs."""
    return f"at least {FEWEST + FEWEST_HELD} rows: {FEWEST} to learn from and {FEWEST_HELD} to compare on"
