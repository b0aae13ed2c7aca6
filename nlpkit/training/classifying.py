"""The objective of a classifier: one target a text, each weighed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nlpkit.settings import ClassifierTraining
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.task import Task
from nlpkit.training.objective import Batch, Objective

if TYPE_CHECKING:
    import torch


def classifying(
    train: Sequence[Encoded],
    validation: Sequence[Encoded],
    *,
    task: Task,
    tokenizer: Any,
    training: ClassifierTraining,
) -> Objective:
    """Cross entropy over labels, or squared error over values."""
    from nlpkit.metrics.labels import LABEL_METRICS
    from nlpkit.metrics.metric import Metric, find_metric
    from nlpkit.metrics.values import VALUE_METRICS

    metrics: tuple[Metric[Any], ...] = (*LABEL_METRICS, *VALUE_METRICS)
    weights = (
        _class_weights(train, task)
        if training.class_weights == "balanced" and task.kind == "polarity"
        else None
    )
    metric = training.metric or task.metric
    return Objective(
        train=[asdict(one) for one in train],
        validation=[asdict(one) for one in validation],
        lengths=[len(one.input_ids) for one in train],
        collate=_collator(tokenizer.pad_token_id),
        loss=_loss(task, training.label_smoothing, weights),
        metric=metric,
        greater_is_better=metric != "loss" and bool(find_metric(metric, metrics).higher_is_better),
        metrics=_metrics(task),
    )


def _collator(pad_id: int) -> Callable[[list[dict[str, Any]]], Batch]:
    """Batches padded to their longest text; labels are (batch, targets + 1), the last column each example's weight."""

    def collate(batch: list[dict[str, Any]]) -> Batch:
        import torch

        width = max(len(one["input_ids"]) for one in batch)
        ids = torch.full((len(batch), width), pad_id, dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for row, one in enumerate(batch):
            length = len(one["input_ids"])
            ids[row, :length] = torch.tensor(one["input_ids"])
            mask[row, :length] = 1
        labels = torch.tensor([[*one["target"], one["weight"]] for one in batch], dtype=torch.float32)
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    return collate


def _loss(task: Task, smoothing: float, class_weights: list[float] | None) -> Callable[..., torch.Tensor]:
    """Weighted sum of the examples' losses over their count: the same however they are cut into batches."""

    def loss(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        import torch
        from torch.nn import functional

        target, weight = labels[:, :-1], labels[:, -1]
        logits = outputs["logits"].float()
        if task.kind == "intensity":
            each = functional.mse_loss(logits, target, reduction="none").sum(dim=1)
        else:
            index = target[:, 0].long()
            each = functional.cross_entropy(logits, index, reduction="none", label_smoothing=smoothing)
            if class_weights is not None:
                each = each * torch.tensor(class_weights, device=each.device)[index]
        # Trainer counts the entries of `labels`, not its rows
        count = len(labels) if num_items_in_batch is None else num_items_in_batch / labels.shape[1]
        return (each * weight).sum() / count

    return loss


def _class_weights(train: Sequence[Encoded], task: Task) -> list[float]:
    """For each class the inverse of its share, so that an average example weighs 1."""
    counts = [sum(one.target[0] == place for one in train) for place in range(task.outputs)]
    return [len(train) / (len(counts) * count) for count in counts]


def _metrics(task: Task) -> Callable[[Any], dict[str, float]]:
    def metrics(prediction: Any) -> dict[str, float]:
        from scipy.special import softmax

        from nlpkit.metrics.labels import accuracy, log_loss, macro_f1
        from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
        from nlpkit.metrics.values import mae, pearson

        logits, truth = prediction.predictions, prediction.label_ids[:, 0]
        if task.kind == "intensity":
            values = ValueOutcomes(truth=truth, predicted=logits[:, 0])
            return {"pearson": pearson(values) or 0.0, "mae": mae(values)}
        outcomes = LabelOutcomes(
            labels=tuple(task.id2label.values()),
            truth=truth.astype(int),
            probabilities=softmax(logits, axis=1),
        )
        return {
            "accuracy": accuracy(outcomes),
            "macro_f1": macro_f1(outcomes),
            "log_loss": log_loss(outcomes),
        }

    return metrics
