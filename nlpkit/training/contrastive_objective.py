"""Unsupervised SimCSE (Gao et al. 2021, arXiv:2104.08821): draw two dropout passes of a text together, and
push the other texts of the batch away.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.prompts.template import READ_ONLY
from nlpkit.training.objective import Batch

if TYPE_CHECKING:
    import torch


def twice(pad_id: int) -> Callable[[Sequence[Any]], Batch]:
    """Return what puts all windows of a batch into it twice; labels, (batch,), count the first ones."""

    def collate(windows: Sequence[Any]) -> Batch:
        import torch
        from torch.nn.utils.rnn import pad_sequence

        rows = [torch.tensor(window.input_ids) for window in windows] * 2
        return {
            "input_ids": pad_sequence(rows, batch_first=True, padding_value=pad_id),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            "labels": torch.tensor([0] * len(windows) + [READ_ONLY] * len(windows)),
        }

    return collate


def view_losses(first: torch.Tensor, second: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return (texts,): nats of each first view's own second view among those of the batch.

    Views are vectors of unit length, (texts, size); the temperature divides their cosines.
    """
    import torch
    from torch.nn import functional

    own = torch.arange(len(first), device=first.device)
    return functional.cross_entropy(first @ second.T / temperature, own, reduction="none")


def view_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: Any = None, *, temperature: float
) -> torch.Tensor:
    """Return the batch's share of the mean loss of an optimizer step, for the trainer."""
    first, second = outputs["logits"].float().chunk(2)
    each = view_losses(first, second, temperature)
    return each.sum() / (len(each) if num_items_in_batch is None else num_items_in_batch)


def view_sums(model: Any, batch: Batch, *, temperature: float) -> torch.Tensor:
    """Return (texts, 4): loss, squared distance of the two views, mean of exp(-2 squared distance) to the
    other texts of the batch, and 1; zeros for a text alone in its batch. Dropout is the same at each call.
    """
    import torch

    batch.pop("labels")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = model.train()(**batch)["logits"].float().chunk(2)
    model.eval()
    count = len(first)
    near = torch.exp(-2 * torch.cdist(first, first) ** 2).sum(1) - 1  # each is at no distance from itself
    losses, apart = view_losses(first, second, temperature), ((first - second) ** 2).sum(1)
    return torch.stack([losses, apart, near / max(count - 1, 1), torch.ones_like(near)], dim=1) * (count > 1)
