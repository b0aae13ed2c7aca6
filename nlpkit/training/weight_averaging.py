"""The mean weights of a training's checkpoints: a greedy model soup (Wortsman et al., arXiv:2203.05482)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.models.adapter import WEIGHTS

if TYPE_CHECKING:
    import torch


def average_greedily(
    model: Any, checkpoints: Mapping[Path, float], measure: Callable[[], float], *, greater_is_better: bool
) -> tuple[tuple[Path, ...], float]:  # fmt: skip
    """Set the model's weights to the mean of the best checkpoint and each further one that doesn't worsen it.

    Args:
        model: the model that gets the weights; its adapter is the one that was saved.
        checkpoints: folders with an adapter, and the metric of each.
        measure: returns the metric of the model's present weights.
        greater_is_better: whether a greater value of the metric is better.

    Returns:
        The checkpoints that are averaged, best first, and the metric of their mean.
    """
    sign = 1 if greater_is_better else -1
    ranked = sorted(checkpoints, key=lambda folder: -sign * checkpoints[folder])
    kept, best = [ranked[0]], sign * checkpoints[ranked[0]]
    for further in ranked[1:]:
        _put(model, _mean([*kept, further]))
        measured = sign * measure()
        if measured >= best:
            kept.append(further)
            best = measured
    _put(model, _mean(kept))
    return tuple(kept), sign * best


def _mean(folders: Sequence[Path]) -> dict[str, torch.Tensor]:
    import torch
    from safetensors.torch import load_file

    states = [load_file(folder / WEIGHTS) for folder in folders]
    return {
        name: torch.stack([state[name] for state in states]).double().mean(dim=0).to(weight.dtype)
        for name, weight in states[0].items()
    }


def _put(model: Any, state: dict[str, torch.Tensor]) -> None:
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model, state)
