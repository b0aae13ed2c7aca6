"""How the next token is chosen: the settings, and the choice itself, equal on every runtime."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from nlpkit.config import validate
from nlpkit.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Sampling(Settings):
    """How an answer is drawn. Values from outside come in through `Sampling.of`."""

    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False, strict=True)] = 0.7
    """0 takes the likeliest token each time; above 1 the unlikely ones gain."""
    top_p: Annotated[float, Field(gt=0, le=1, allow_inf_nan=False, strict=True)] = 0.9
    """Draw from the likeliest tokens that together have this probability (Holtzman et al. 2020, arXiv:1904.09751)."""
    top_k: Annotated[int, Field(ge=0, le=1000, strict=True)] = 0
    """Draw from this many of the likeliest tokens; 0: from all."""
    repetition_penalty: Annotated[float, Field(ge=1, le=2, allow_inf_nan=False, strict=True)] = 1.1
    """Make tokens of the prompt and the answer less likely by this factor (Keskar et al. 2019, arXiv:1909.05858); 1: not."""
    max_new_tokens: Annotated[int, Field(ge=1, le=4096, strict=True)] = 256
    """Tokens of an answer at most."""
    seed: Annotated[int, Field(ge=0, lt=2**63, strict=True)] | None = None
    """Equal seeds draw equal answers; None: another one each time."""

    @classmethod
    def of(cls, values: Mapping[str, Any], *, where: str = "the sampling settings") -> Sampling:
        """The settings that someone sent.

        Raises:
            ConfigError: with every value that is unknown, no number or out of range.
        """
        return validate(values, cls, where=Path(where))


class Sampler:
    """Chooses the tokens of one answer. `seen` are the prompt's ids."""

    def __init__(self, sampling: Sampling, seen: Iterable[int]) -> None:
        import numpy as np

        self.sampling = sampling
        self._random = np.random.default_rng(sampling.seed)
        self._seen = set(seen)
        self._places: NDArray[np.int64] | None = None

    def choose(self, logits: NDArray[np.float32]) -> int:
        """The next token after these logits, (vocabulary,); as transformers chooses: penalty, temperature, top k, top p."""
        import numpy as np

        scores = self._penalised(logits)
        if self.sampling.temperature == 0:
            chosen = int(scores.argmax())
        else:
            places, probabilities = kept(
                scores / np.float32(self.sampling.temperature), self.sampling.top_k, self.sampling.top_p
            )
            chosen = int(places[self._draw(probabilities)])
        if chosen not in self._seen:
            self._seen.add(chosen)
            self._places = None
        return chosen

    def _penalised(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        import numpy as np

        penalty = np.float32(self.sampling.repetition_penalty)
        if penalty == 1 or not self._seen:
            return logits
        if self._places is None:
            self._places = np.fromiter(self._seen, dtype=np.int64)
        scores = logits.copy()
        some = scores[self._places]
        scores[self._places] = np.where(some < 0, some * penalty, some / penalty)
        return scores

    def _draw(self, probabilities: NDArray[np.float64]) -> int:
        total = probabilities.cumsum()
        return int(min(total.searchsorted(self._random.random() * total[-1], side="right"), len(total) - 1))


def kept(
    scores: NDArray[np.float32], top_k: int, top_p: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The tokens that may be drawn, and how likely each is, up to a common factor."""
    import numpy as np

    places = np.arange(len(scores))
    if 0 < top_k < len(scores):
        places = places[scores >= np.partition(scores, -top_k)[-top_k]]
    weights = np.exp((scores[places] - scores[places].max()).astype(np.float64))
    if top_p == 1:
        return places, weights
    weights /= weights.sum()
    # Tokens this unlikely are left out whatever their order, which spares sorting a whole vocabulary
    likely = weights > (1 - top_p) / len(weights)
    likely[weights.argmax()] = True
    places, weights, rest = places[likely], weights[likely], weights[~likely].sum()
    order = weights.argsort(kind="stable")
    stays = rest + weights[order].cumsum() > 1 - top_p
    stays[-1] = True
    return places[order[stays]], weights[order[stays]]
