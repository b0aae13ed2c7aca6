"""By what a base can be adapted to texts, and what suits it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from nlpkit.errors import ConfigError
from nlpkit.models.pretrained import config_of
from nlpkit.training.loaded_base import LoadedBase

Method: TypeAlias = Literal["auto", "masked", "contrastive", "next_token"]

HEADS = ("cls.predictions", "decoder", "generator_", "head", "lm_head", "predictions", "vocab_")
"""How the names of weights of a head for masked words begin, in BERT, ModernBERT, ELECTRA, RoBERTa, ALBERT
and DistilBERT."""

NEEDS = {
    "masked": "an encoder with a mask token",
    "contrastive": "an encoder",
    "next_token": "a chat model",
}
REASONS = {
    "masked": "the base has a head for masked words",
    "contrastive": "the base has no head for words",
    "next_token": "the base is a chat model",
}


def choose_method(asked: Method, base: LoadedBase) -> Method:
    """Return the method that is asked for, or for `auto` the one that suits the base.

    Raises:
        ConfigError: the base cannot learn by it.
    """
    from transformers import MODEL_FOR_MASKED_LM_MAPPING

    config = config_of(base.folder)
    names = config.architectures or ()
    is_chat = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in names)
    is_encoder = not is_chat and not getattr(config, "is_encoder_decoder", False)
    masks = is_encoder and type(config) in MODEL_FOR_MASKED_LM_MAPPING and bool(base.tokenizer.mask_token)
    can = {"masked": masks, "contrastive": is_encoder, "next_token": is_chat}
    best: Method = "masked" if masks and _has_head(base.folder) else "contrastive"
    best = "next_token" if is_chat else best
    method = best if asked == "auto" else asked
    if not can[method]:
        hint = f"method={best}" if can[best] else "base.source=minilm-l6"
        raise ConfigError(
            f"method: {method} needs {NEEDS[method]}, which {base.identity.source} is not; hint: {hint}"
        )
    return method


def _has_head(folder: Path) -> bool:
    """Return whether the weights hold a head for masked words, which a configuration may name in vain."""
    from safetensors import safe_open

    names: list[str] = []
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="numpy") as weights:
            names += weights.keys()
    return any(name.startswith(HEADS) for name in names)
