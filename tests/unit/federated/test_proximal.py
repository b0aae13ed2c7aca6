"""FedProx's term by hand."""

from __future__ import annotations

from typing import Any

import pytest

from nlpkit.federated.proximal import proximal
from nlpkit.training.objective import Objective


def test_the_term_is_half_of_mu_times_the_squared_distance_once_a_step() -> None:
    import torch

    def zero(outputs: Any, labels: Any, num_items_in_batch: Any = None) -> Any:
        return torch.zeros(())

    objective = Objective(
        train=[], validation=[], lengths=[], collate=lambda batch: {}, loss=zero, metric="loss",
        greater_is_better=False, metrics=lambda prediction: {},
    )  # fmt: skip
    model = torch.nn.Linear(2, 1)
    model.bias.requires_grad_(False)  # not trained: not held
    assert proximal(objective, model, 0.0) is objective
    held = proximal(objective, model, 0.5)
    with torch.no_grad():
        model.weight += torch.tensor([[3.0, 4.0]])
        model.bias += 7
    labels = torch.zeros(4, 3)
    # 0.5 / 2 * (9 + 16) = 6.25, its gradient 0.5 * (3, 4)
    loss = held.loss(None, labels)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(6.25)
    assert model.weight.grad is not None
    assert model.weight.grad.tolist() == [pytest.approx([1.5, 2.0])]
    # Two batches make a step: each brings half; an evaluation brings nothing
    assert float(held.loss(None, labels, 24).detach()) == pytest.approx(3.125)
    with torch.no_grad():
        assert float(held.loss(None, labels)) == 0
