"""What the evaluation of dialogue asks of a model: how likely a reply is, and a reply.

`generation.language_model.LanguageModel` is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nlpkit.data.examples import Conversation


class Likelihood(Protocol):
    """What a model makes of a reply."""

    @property
    def total(self) -> float:
        """Sum of the natural logarithms of its tokens' probabilities, the end token's included."""
        ...

    @property
    def tokens(self) -> int:
        """How many tokens that sum is over."""
        ...


class Speaker(Protocol):
    """A model that takes part in conversations, as it will be served."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> Sequence[Likelihood]:
        """Return for each reply how likely it is after this history, which may hold no turn at all."""
        ...

    def reply(self, history: Conversation, *, seed: int) -> str:
        """Return what the model answers; the same seed gives the same reply."""
        ...
