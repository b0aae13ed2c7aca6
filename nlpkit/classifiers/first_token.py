"""Less work for the same answer: a head that reads one token needs only that token of the last layer."""

from __future__ import annotations

from typing import Any

READ_FIRST = ("bert", "camembert", "electra", "mpnet", "roberta", "xlm-roberta")
"""Models whose classifier reads the first token alone, and whose last attention module can be cut to it."""


def first_token_only(model: Any) -> Any:
    """Let the last layer's feed-forward part compute the first token alone, where the kind of model is known.

    All tokens still attend and are attended to. It saves 8 of the 12 matrix products of one layer: a ninth of
    MiniLM's time.
    """
    if reads_first_token(model):
        model.base_model.encoder.layer[-1].attention.register_forward_hook(_first)
    return model


def reads_first_token(model: Any) -> bool:
    """Return whether the head of a classifier reads the first token alone."""
    return model.config.model_type in READ_FIRST and "SequenceClassification" in type(model).__name__


def _first(module: Any, arguments: Any, output: Any) -> Any:
    # (batch, time, hidden) -> (batch, 1, hidden); what stands behind it are attention weights
    return (output[0][:, :1], *output[1:])
