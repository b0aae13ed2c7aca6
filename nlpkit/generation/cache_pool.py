"""The prefix cache: caches of keys and values of conversations that wait for their next turn."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.generation.decoder import Decoder

MIN_SHARE = 0.5
"""A cache without a session is taken over if at least this share of it begins the new prompt."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CachedPrefix:
    """What a cache has read."""

    ids: Sequence[int]
    cache: Any


class CachePool:
    """The caches used last, at most `most` of them with at most `tokens` tokens together."""

    def __init__(self, decoder: Decoder, *, most: int, tokens: int) -> None:
        self._decoder = decoder
        self._most = most
        self._max_tokens = tokens
        self._prefixes: OrderedDict[tuple[str, int], CachedPrefix] = OrderedDict()
        self._count = 0

    @property
    def tokens(self) -> int:
        """How many tokens all caches hold together."""
        return sum(len(prefix.ids) for prefix in self._prefixes.values())

    def __len__(self) -> int:
        return len(self._prefixes)

    def take(self, session: str, ids: Sequence[int]) -> tuple[Any, int]:
        """Return a cache that holds the beginning of these ids, and how many of them. The caller owns it now.

        Requests without a session may continue any cache without a session.
        """
        key = (session, 0) if session else self._closest(ids)
        prefix = self._prefixes.pop(key, None) if key else None
        if prefix is None:
            return self._decoder.new_cache(), 0
        # At least one token must be read for there to be logits
        common = min(_common_length(prefix.ids, ids), len(ids) - 1)
        if common and self._decoder.truncate(prefix.cache, len(prefix.ids), common):
            return prefix.cache, common
        return self._decoder.new_cache(), 0

    def keep(self, session: str, ids: Sequence[int], cache: Any) -> None:
        """Keep what a reply has read, in place of what was kept of its session before."""
        if len(ids) > self._max_tokens or not ids:
            return
        self._count += 1
        key = (session, 0 if session else self._count)
        self._prefixes.pop(key, None)
        self._prefixes[key] = CachedPrefix(ids=ids, cache=cache)
        while len(self._prefixes) > self._most or self.tokens > self._max_tokens:
            self._prefixes.popitem(last=False)

    def forget(self, session: str) -> None:
        """Drop a session's cache."""
        self._prefixes.pop((session, 0), None)

    def _closest(self, ids: Sequence[int]) -> tuple[str, int] | None:
        """Return the key of the cache without a session that shares most tokens with these ids."""
        closest, longest = None, 0
        for key, prefix in self._prefixes.items():
            common = 0 if key[0] else _common_length(prefix.ids, ids)
            if common > longest and common >= MIN_SHARE * len(prefix.ids):
                closest, longest = key, common
        return closest


def _common_length(first: Sequence[int], second: Sequence[int]) -> int:
    """Return how many tokens both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((index for index, (a, b) in pairs if a != b), min(len(first), len(second)))
