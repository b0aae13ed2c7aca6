"""Adapters and heads as they pass between server and sites: the bytes of safetensors, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

Weights: TypeAlias = "Mapping[str, NDArray[Any]]"
"""Arrays by PEFT's names: LoRA's A (rank, inputs) and B (outputs, rank), and the head's."""

A = re.compile(r"\.lora_A(?=\.)")


def pairs_of(weights: Weights) -> dict[str, str]:
    """Return the name of each LoRA A with that of its B."""
    return {name: A.sub(".lora_B", name) for name in weights if A.search(name)}


def weights_of(model: Any) -> Weights:
    """Return what a PEFT model trains, as float32."""
    from peft import get_peft_model_state_dict

    return {
        name: weight.detach().float().cpu().numpy().copy()
        for name, weight in get_peft_model_state_dict(model).items()
    }


def set_weights(model: Any, weights: Weights) -> None:
    """Put adapter and head into a PEFT model."""
    import torch
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(
        model, {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
    )


def to_bytes(weights: Weights, notes: Mapping[str, str] | None = None) -> bytes:
    """Return the weights as safetensors, with notes in its header."""
    import numpy as np
    from safetensors.numpy import save

    arrays = {name: np.ascontiguousarray(array) for name, array in weights.items()}
    return bytes(save(arrays, metadata=dict(notes) if notes else None))


def from_bytes(sent: bytes) -> Weights:
    """Return the weights that safetensors' bytes hold.

    Raises:
        ValueError: the bytes are no safetensors.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load

    try:
        loaded: Weights = load(sent)
    except (SafetensorError, KeyError) as error:  # KeyError: of a type that numpy lacks
        raise ValueError(f"no safetensors of float32: {error}") from None
    return loaded
