"""What a training optimizes, for the trainer: rows, batches, the loss and the metrics."""

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
    """(outputs, labels, num_items_in_batch) -> the batch's share of the mean loss of an optimizer step."""
    metric: str
    """The name of the metric that chooses the best checkpoint."""
    greater_is_better: bool
    metrics: Callable[[Any], dict[str, float]]
    """The metrics of the validation rows, from transformers' EvalPrediction."""
    narrowed: Callable[[Any, Batch], AbstractContextManager[None]] = _whole
    """A context around a forward pass, in which the model computes only what the loss needs."""
    tally: Callable[[Any, Batch], torch.Tensor] | None = None
    """What `metrics` gets of a batch where logits are too large to keep, (rows, numbers)."""
    evaluation_batch_size: int = 64
    """The validation rows in a batch."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """More of transformers' TrainingArguments."""
