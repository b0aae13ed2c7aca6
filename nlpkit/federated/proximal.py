"""FedProx's term in the local loss: mu / 2 times the squared distance from the weights that a site was sent
(Li et al. 2020, arXiv:1812.06127).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlpkit.training.objective import Objective

if TYPE_CHECKING:
    import torch


def proximal(objective: Objective, model: Any, mu: float) -> Objective:
    """Return the objective with the term for the model's trained weights as they are now."""
    import torch

    if not mu:
        return objective
    pairs = [(weight, weight.detach().clone()) for weight in model.parameters() if weight.requires_grad]

    def loss(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        own = objective.loss(outputs, labels, num_items_in_batch)
        if not torch.is_grad_enabled():  # an evaluation
            return own
        # Once an optimizer step, however many batches it has: Trainer counts the entries of `labels`
        share = 1.0 if num_items_in_batch is None else labels.numel() / num_items_in_batch
        distance = sum(((weight - start.to(weight.device)) ** 2).sum() for weight, start in pairs)
        whole: torch.Tensor = own + share * mu / 2 * distance
        return whole

    return replace(objective, loss=loss)
