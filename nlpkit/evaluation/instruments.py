"""The models that generated replies are measured with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from nlpkit.errors import NlpkitError
from nlpkit.metrics.replies import ReplyOutcomes, bertscore

ENCODER = "minilm-l6"
"""What BERTScore compares replies with."""

Embed: TypeAlias = Callable[[Sequence[str]], list[Any]]
"""Texts -> an array (tokens, size) each."""
Negative: TypeAlias = Callable[[Sequence[str]], Sequence[float]]
"""Texts -> the probability that each is negative."""


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """The models that replies are measured with, or why one is not there."""

    embed: Embed | str
    negative: Negative | str

    def measure(self, replies: Sequence[str], truths: Sequence[str]) -> ReplyOutcomes:
        """Return the replies of a model and of people with what the models make of them."""
        import numpy as np

        scores: Any = self.embed
        if not isinstance(self.embed, str):
            pairs = zip(self.embed(replies), self.embed(truths), strict=True)
            scores = np.array([bertscore(*pair) for pair in pairs])
        negative = self.negative if isinstance(self.negative, str) else np.array(self.negative(replies))
        return ReplyOutcomes(
            replies=tuple(replies), truths=tuple(truths), bertscores=scores, negative=negative
        )


def load_instruments() -> Instruments:
    """Return the encoder and the sentiment model; one that cannot be loaded says why."""
    from nlpkit.classifiers.classifier import Classifier
    from nlpkit.models.encoder import Encoder

    try:
        embed: Embed | str = Encoder.load(ENCODER).embed
    except NlpkitError as error:
        embed = f"not measured: {error}"
    try:
        classifier = Classifier.load(None)
    except NlpkitError as error:
        return Instruments(embed=embed, negative=f"not measured: {error}")
    return Instruments(
        embed=embed,
        negative=lambda texts: [answer.probabilities["negative"] for answer in classifier.predict(texts)],
    )
