"""A loss that draws the answers to a text and to its copy with groups of people exchanged together: logit
pairing (Garg et al. 2019, arXiv:1809.10610).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from nlpkit.errors import ConfigError
from nlpkit.settings.training import TextTraining
from nlpkit.training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch

ORIGINAL = "original"
"""The key of a copy's row that holds the row it was copied from."""

NO_LABEL = -100
"""Stands in the labels of a row that is only compared. The trainer does not count it."""


def consistent(objective: Objective, originals: Sequence[int] | None, training: TextTraining) -> Objective:
    """Return an objective that adds to the loss how far a copy's logits are from those of its original.

    Args:
        objective: its last training rows are the copies.
        originals: the number of each copy's original among the training rows.
        training: its `consistency` is the weight of the mean absolute difference of logits, summed over the
            copies of an optimizer step and divided by its rows.

    Raises:
        ConfigError: there are no copies, or the lowest layers are frozen, which keep one state for a row.
    """
    if originals is None:
        raise ConfigError("training.consistency: no copies to compare with; hint: data.swaps=true")
    if training.freeze:
        raise ConfigError(
            "training.consistency does not go together with training.freeze; hint: training.freeze=0"
        )
    first = len(objective.train) - len(originals)
    copies = zip(objective.train[first:], originals, strict=True)
    paired = [{**copy, ORIGINAL: objective.train[number]} for copy, number in copies]
    return replace(
        objective,
        train=[*objective.train[:first], *paired],
        collate=_collator(objective.collate),
        loss=_loss(objective.loss, training.consistency),
    )


def _collator(collate: Callable[[list[Any]], Batch]) -> Callable[[list[Any]], Batch]:
    """Return what collates the copies, then the other rows, then the copies' originals without a label."""

    def collate_pairs(batch: list[Any]) -> Batch:
        copies = [row for row in batch if ORIGINAL in row]
        rows = [*copies, *(row for row in batch if ORIGINAL not in row)]
        made = collate([*rows, *(row[ORIGINAL] for row in copies)])
        made["labels"][len(rows) :] = NO_LABEL
        return made

    return collate_pairs


def _loss(loss: Callable[..., torch.Tensor], weight: float) -> Callable[..., torch.Tensor]:
    def paired(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        logits = outputs["logits"].float()
        rows = int((labels[:, -1] != NO_LABEL).sum())
        pairs = len(labels) - rows
        own = loss({"logits": logits[:rows]}, labels[:rows], num_items_in_batch)
        count = rows if num_items_in_batch is None else num_items_in_batch / labels.shape[1]
        apart = (logits[:pairs] - logits[rows:]).abs().flatten(1).mean(1).sum()
        whole: torch.Tensor = own + weight * apart / count
        return whole

    return paired
