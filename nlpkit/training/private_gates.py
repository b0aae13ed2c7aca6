"""What a private training must show before its run is completed: such runs can fail without a word
(github.com/meta-pytorch/opacus, issue 820).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.errors import RunError

if TYPE_CHECKING:
    import torch

UNMOVED = 1e-7
"""How far a weight tensor must have moved somewhere, at least."""
SIGNIFICANT = 0.05
"""The p-value above which a run is not shown to beat the commonest label."""


def trained_weights(model: Any) -> dict[str, torch.Tensor]:
    """Return the weights that a training changes, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def refuse_unmoved(before: Mapping[str, torch.Tensor], model: Any) -> None:
    """Refuse a model of which weights that should have learned are what they were.

    Raises:
        RunError: it names one of them.
    """
    after = trained_weights(model)
    still = [
        name
        for name, weight in before.items()
        if name not in after or not float((after[name].detach().cpu() - weight.cpu()).abs().max()) > UNMOVED
    ]
    if still or not before:
        raise RunError(
            f"the private training did not change {len(still):,} of {len(before):,} weight tensors"
            f"{f', such as {still[0]}' if still else ''}; the run is not completed; "
            "hint: a larger training.lr"
        )


def refuse_majority(chosen: Sequence[int], truth: Sequence[int]) -> str:
    """Refuse answers that are not shown to beat the commonest label; else return the figures.

    One-sided exact McNemar's test: of the rows that only one of the two has right.

    Args:
        chosen: the model's answer to each validation row, as the number of a label.
        truth: the right ones.

    Raises:
        RunError: what the run learned may be luck.
    """
    import numpy as np
    from scipy.stats import binomtest

    right = np.array(chosen) == np.array(truth)
    constant = np.array(truth) == np.bincount([label for label in truth if label >= 0]).argmax()
    gained, lost = int((right & ~constant).sum()), int((constant & ~right).sum())
    p = float(binomtest(gained, gained + lost, alternative="greater").pvalue) if gained + lost else 1.0
    figures = (
        f"{right.mean():.1%} of {len(right):,} validation rows right, the commonest label "
        f"{constant.mean():.1%} (p = {p:.2g})"
    )
    if p > SIGNIFICANT:
        raise RunError(
            f"the private training is not shown to have learned: {figures}; the run is not completed; hint: "
            "a larger private.epsilon, more rows to train or validate on, or a larger training.batch_size"
        )
    return figures
