"""How the next token is chosen: the settings and the choice itself, equal on every runtime."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nlpkit.config import validate
from nlpkit.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from nlpkit.generation.json_constraint import JsonConstraint


MAX_NEW_TOKENS = 4096
"""Tokens of a reply that may be asked for."""

LATELY = 128
"""The repetition penalty covers this many of the tokens that the model said last."""


class Sampling(Settings):
    """Sampling settings of a reply. `Sampling.of` validates values from outside."""

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] = 0.7
    """0 takes the most likely token each time; above 1 unlikely tokens gain."""
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)] = 0.9
    """Nucleus sampling: sample from the most likely tokens with this total probability (Holtzman et al. 2020,
    arXiv:1904.09751)."""
    top_k: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """Sample from this many of the most likely tokens; 0: from all."""
    repetition_penalty: Annotated[float, Field(ge=1, le=2, allow_inf_nan=False, strict=True)] = 1.1
    """Make the tokens that the model itself said lately less likely by this factor; 1: no penalty (Keskar et
    al. 2019, arXiv:1909.05858). The prompt and control tokens, such as the end token, are exempt."""
    max_new_tokens: Annotated[int, Field(ge=1, le=MAX_NEW_TOKENS, strict=True)] = 120
    """Tokens of a reply at most."""
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] | None = None
    """Equal seeds give equal replies; None: a new one each time."""

    @classmethod
    def of(cls, values: Mapping[str, Any], *, where: str = "the sampling settings") -> Sampling:
        """Validate settings that someone sent.

        Raises:
            ConfigError: with every value that is unknown, no number or out of range.
        """
        return validate(values, cls, where=Path(where))


COLDEST = 1e-5
"""Temperature below which the most likely token is taken: dividing by less would overflow."""


class Sampler:
    """Chooses the tokens of one reply.

    Args:
        sampling: the settings.
        latest: the tokens of the model's reply before this one.
        exempt: tokens that are never penalized: the control tokens, which end or open a turn.
        constraint: what the reply must match.
    """

    def __init__(
        self,
        sampling: Sampling,
        latest: Iterable[int] = (),
        *,
        exempt: frozenset[int] = frozenset(),
        constraint: JsonConstraint | None = None,
    ) -> None:
        import numpy as np

        self.sampling = sampling
        self._constraint = constraint
        self._random = np.random.default_rng(sampling.seed)
        self._exempt = exempt
        self._latest: deque[int] = deque(maxlen=LATELY)
        for token in latest:
            self._note(token)

    def choose(self, logits: NDArray[np.float32]) -> int:
        """Choose the next token after logits `(vocabulary,)`.

        The order is that of transformers: repetition penalty, constraint, temperature, top k, top p.

        Raises:
            ReplyFormatError: the reply cannot go on in its format.
        """
        scores = self._penalize(logits)
        if self._constraint is None:
            chosen = self._choose(scores)
        else:
            allowed = self._constraint.allowed(len(scores))
            chosen = int(allowed[self._choose(scores[allowed])])
            self._constraint.push(chosen)
        self._note(chosen)
        return chosen

    def _note(self, token: int) -> None:
        if token not in self._exempt:
            self._latest.append(token)

    def _choose(self, scores: NDArray[np.float32]) -> int:
        import numpy as np

        if self.sampling.temperature < COLDEST:
            return int(scores.argmax())
        scores = scores / np.float32(self.sampling.temperature)
        ids, weights = likely_tokens(scores, self.sampling.top_k, self.sampling.top_p)
        return int(ids[self._sample(weights)])

    def _penalize(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        import numpy as np

        penalty = np.float32(self.sampling.repetition_penalty)
        if penalty == 1 or not self._latest:
            return logits
        ids = np.unique(np.fromiter(self._latest, dtype=np.int64))
        scores = logits.copy()
        scores[ids] = np.where(scores[ids] < 0, scores[ids] * penalty, scores[ids] / penalty)
        return scores

    def _sample(self, weights: NDArray[np.float64]) -> int:
        total = weights.cumsum()
        return int(min(total.searchsorted(self._random.random() * total[-1], side="right"), len(total) - 1))


def likely_tokens(
    scores: NDArray[np.float32], top_k: int, top_p: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the tokens that may be sampled, and their probabilities up to a common factor."""
    import numpy as np

    ids = np.arange(len(scores))
    if 0 < top_k < len(scores):
        ids = ids[scores >= np.partition(scores, -top_k)[-top_k]]
    weights = np.exp((scores[ids] - scores[ids].max()).astype(np.float64))
    if top_p == 1:
        return ids, weights
    weights /= weights.sum()
    # Tokens below (1 - top_p) / n together weigh less than 1 - top_p, so they are outside the nucleus in any
    # order: leaving them out first spares sorting the vocabulary
    likely = weights > (1 - top_p) / len(weights)
    likely[weights.argmax()] = True
    ids, weights, rest = ids[likely], weights[likely], weights[~likely].sum()
    # From the least likely up: a token stays if those up to it weigh more than 1 - top_p
    order = weights.argsort(kind="stable")
    stays = rest + weights[order].cumsum() > 1 - top_p
    stays[-1] = True
    return ids[order[stays]], weights[order[stays]]
