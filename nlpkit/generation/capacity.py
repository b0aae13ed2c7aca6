"""How much one chat model takes on at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """How many replies and caches one chat model holds."""

    active: int = 4
    """Replies that are generated at once; each needs memory for its keys and values."""
    waiting: int = 64
    """Replies that wait for their turn; one more is refused."""
    kept: int = 32
    """Conversations whose keys and values are kept for their next turn."""
    kept_tokens: int = 8192
    """Tokens of all kept conversations; for a model of 135M parameters each takes 46 kB."""
