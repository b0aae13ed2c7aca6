"""The models that generated replies are measured with."""

from __future__ import annotations

from dataclasses import dataclass

from nlpkit.errors import NlpkitError
from nlpkit.evaluation.replies import Embed, Negative

ENCODER = "minilm-l6"
"""What BERTScore compares replies with."""


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """The models that replies are measured with, or why one is not there."""

    embed: Embed | str
    negative: Negative | str


def load_instruments() -> Instruments:
    """The encoder and the sentiment model; one that cannot be had says why."""
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
        negative=lambda texts: [one.probabilities["negative"] for one in classifier.predict(texts)],
    )
