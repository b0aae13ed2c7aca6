"""Where the layers of a pretrained body stand in a model, whatever its kind calls them."""

from __future__ import annotations

from typing import Any

from nlpkit.errors import ConfigError


def layers_of(model: Any) -> dict[str, Any]:
    """Return the body's layers by their full names, from the lowest; with an adapter on it or without.

    Raises:
        ConfigError: the model does not keep its layers in one list.
    """
    import torch

    wanted = model.config.num_hidden_layers
    lists = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and len(module) == wanted
    ]
    if len(lists) != 1:
        raise ConfigError(
            f"training.freeze: nlpkit cannot find the layers of a {model.config.model_type}; "
            "hint: training.freeze=0"
        )
    name, layers = lists[0]
    return {f"{name}.{index}": layer for index, layer in enumerate(layers)}


def frozen_count(model: Any, freeze: float) -> int:
    """Return how many of the lowest layers are frozen: a number of them, or below 1 a share, rounded.

    Raises:
        ConfigError: none would be left to learn.
    """
    layers = len(layers_of(model)) if freeze else 0
    count = int(freeze) if freeze >= 1 else round(freeze * layers)
    if freeze and count >= layers:
        raise ConfigError(
            f"training.freeze: {freeze:g}; the base has {layers} layers, at least one of which must learn"
        )
    return count
