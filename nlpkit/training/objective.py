"""What a training optimizes, as the trainer sees it: rows, how they become a batch, the loss, and what is evaluated."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

Batch: TypeAlias = "dict[str, torch.Tensor]"


def _whole(model: Any, batch: Batch) -> AbstractContextManager[None]:
    return nullcontext()


@dataclass(frozen=True, kw_only=True)
class Objective:
    """The parts that differ between a classifier and a language model."""

    train: Sequence[Any]
    validation: Sequence[Any]
    lengths: Sequence[int]
    """Tokens of each training row."""
    collate: Callable[[list[Any]], Batch]
    loss: Callable[..., torch.Tensor]
    """(outputs, labels, num_items_in_batch) -> the batch's share of the mean over all that is learned in an optimizer step."""
    metric: str
    """Chooses the best checkpoint."""
    greater_is_better: bool
    metrics: Callable[[Any], dict[str, float]]
    """What the validation rows say, from transformers' EvalPrediction."""
    narrowed: Callable[[Any, Batch], AbstractContextManager[None]] = _whole
    """Around a forward pass: lets the model compute no more than the loss needs."""
    tally: Callable[[Any, Batch], torch.Tensor] | None = None
    """Where logits are too large to keep: what `metrics` gets of a batch instead, (rows, numbers)."""
    look_size: int = 64
    """Validation rows in a batch."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """More of transformers' TrainingArguments."""
