"""What a runtime must do for the scheduler: read tokens into caches, take one step for several answers, cut a cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

WORTH = 0.5
"""A kept cache of nobody's conversation is taken over when this share of it begins the new prompt."""


class Decoder(Protocol):
    """A model and its caches of keys and values, whose kind only it knows. One thread at a time uses it."""

    def begin(self) -> None:
        """Called in the thread that computes, before all else."""

    def empty(self) -> Any:
        """A cache that has read nothing."""

    def read(self, cache: Any, ids: Sequence[int]) -> NDArray[np.float32]:
        """The logits after these further tokens, (vocabulary,)."""

    def step(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        """The logits after one further token for each cache."""

    def cut(self, cache: Any, have: int, keep: int) -> bool:
        """Forget all but the first `keep` of the `have` tokens; False where the cache cannot."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """What a cache has read."""

    ids: Sequence[int]
    cache: Any


class CachePool:
    """Caches of conversations that wait for their next turn: the last used ones, at most so many, of at most so many tokens."""

    def __init__(self, engine: Decoder, *, most: int, tokens: int) -> None:
        self._engine = engine
        self._most = most
        self._room = tokens
        self._entries: OrderedDict[tuple[str, int], Entry] = OrderedDict()
        self._count = 0

    @property
    def tokens(self) -> int:
        """How many tokens all of them hold."""
        return sum(len(one.ids) for one in self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def take(self, session: str, ids: Sequence[int]) -> tuple[Any, int]:
        """A cache that holds the beginning of these ids, and how many of them; it is the caller's from now on.

        Questions without a session may go on where any other without one ended.
        """
        key = (session, 0) if session else self._closest(ids)
        entry = self._entries.pop(key, None) if key else None
        if entry is None:
            return self._engine.empty(), 0
        # One token at least must be read for there to be logits
        common = min(_common(entry.ids, ids), len(ids) - 1)
        if common and self._engine.cut(entry.cache, len(entry.ids), common):
            return entry.cache, common
        return self._engine.empty(), 0

    def keep(self, session: str, ids: Sequence[int], cache: Any) -> None:
        """Keep what an answer has read; what was kept of its session before is gone."""
        if len(ids) > self._room or not ids:
            return
        self._count += 1
        key = (session, 0 if session else self._count)
        self._entries.pop(key, None)
        self._entries[key] = Entry(ids=ids, cache=cache)
        while len(self._entries) > self._most or self.tokens > self._room:
            self._entries.popitem(last=False)

    def forget(self, session: str) -> None:
        """Let go of a session's cache."""
        self._entries.pop((session, 0), None)

    def _closest(self, ids: Sequence[int]) -> tuple[str, int] | None:
        found, longest = None, 0
        for key, entry in self._entries.items():
            common = 0 if key[0] else _common(entry.ids, ids)
            if common > longest and common >= WORTH * len(entry.ids):
                found, longest = key, common
        return found


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens both begin with."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )
