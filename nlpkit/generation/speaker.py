"""What evaluations and explanations ask of a chat model: how likely a reply is, and a reply.

`generation.language_model.LanguageModel` is one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from nlpkit.data.examples import Conversation
from nlpkit.errors import RunError


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


class RatesReplies(Protocol):
    """A model that says how likely a reply is."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def log_likelihoods(self, history: Conversation, replies: Sequence[str]) -> Sequence[Likelihood]:
        """Return for each reply how likely it is after this history, which may hold no turn at all."""
        ...


class Speaker(RatesReplies, Protocol):
    """A model that takes part in conversations, as it will be served."""

    def reply(self, history: Conversation, *, seed: int) -> str:
        """Return what the model answers; the same seed gives the same reply."""
        ...


def checked_likelihoods(
    model: RatesReplies, history: Conversation, replies: Sequence[str]
) -> list[Likelihood]:
    """Return what a model makes of the replies, checked.

    Raises:
        RunError: an answer is no likelihood.
    """
    likelihoods = list(model.log_likelihoods(history, replies))
    if len(likelihoods) != len(replies):
        raise RunError(f"{model.name}: {len(likelihoods)} likelihoods for {len(replies)} replies")
    for likelihood in likelihoods:
        if likelihood.tokens < 1 or not math.isfinite(likelihood.total):
            where = f" ({history.where})" if history.where else ""
            raise RunError(
                f"{model.name}: a likelihood of {likelihood.total} over {likelihood.tokens} tokens{where}; "
                "expected a finite number"
            )
    return likelihoods
