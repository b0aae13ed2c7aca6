"""The objective of a classifier: a weighted target for each text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from nlpkit.metrics.metric import find_metric
from nlpkit.settings.training import TextTraining
from nlpkit.tasks.answers.family import PADDING, ClassifierFamily, Loss
from nlpkit.tasks.task import TextTask
from nlpkit.training.consistency import consistent
from nlpkit.training.objective import Batch, Objective
from nlpkit.training.rows import TrainingRow

if TYPE_CHECKING:
    import torch


def classification_objective(
    train: Sequence[TrainingRow],
    validation: Sequence[TrainingRow],
    *,
    task: TextTask,
    tokenizer: Any,
    training: TextTraining,
    copies: Sequence[int] | None = None,
) -> Objective:
    """Return the objective of the task's family: cross entropy over labels, or squared error over numbers.

    `copies`: the originals of the last training rows, which are their copies with groups exchanged.

    Raises:
        ConfigError: `training.metric` names no metric of the task, or copies are to be compared and can't be.
    """
    family = task.family
    metric, greater_is_better = checkpoint_metric(family, training.metric)
    # As many numbers for each example: how many there are is what the trainer counts examples by
    width = max(len(row.target) for row in (*train, *validation))
    objective = Objective(
        train=[_padded(row, width) for row in train],
        # Rows of like length next to each other: half as much padding at each evaluation
        validation=[_padded(row, width) for row in sorted(validation, key=lambda row: len(row.input_ids))],
        lengths=[len(row.input_ids) for row in train],
        collate=collator(tokenizer.pad_token_id),
        loss=_loss(family.loss(training, [row.target for row in train])),
        metric=metric,
        greater_is_better=greater_is_better,
        metrics=metrics_of(family, metric),
    )
    return consistent(objective, copies, training) if training.consistency else objective


def _padded(row: TrainingRow, width: int) -> dict[str, Any]:
    return {**asdict(row), "target": [*row.target, *[PADDING] * (width - len(row.target))]}


def checkpoint_metric(family: ClassifierFamily, name: str | None) -> tuple[str, bool]:
    """Return the metric that chooses the best checkpoint, and whether higher is better.

    Raises:
        ConfigError: the family has no metric of that name.
    """
    if name == "loss":
        return name, False
    metric = find_metric(name, family.metrics) if name else family.best_by
    return metric.name, metric.higher_is_better is not False


def collator(pad_id: int) -> Callable[[list[dict[str, Any]]], Batch]:
    """Return what pads a batch to its longest text; labels are (batch, targets + 1), the last column each
    example's weight.
    """

    def collate(batch: list[dict[str, Any]]) -> Batch:
        import torch

        width = max(len(row["input_ids"]) for row in batch)
        ids = torch.full((len(batch), width), pad_id, dtype=torch.long)
        mask = torch.zeros((len(batch), width), dtype=torch.long)
        for index, row in enumerate(batch):
            length = len(row["input_ids"])
            ids[index, :length] = torch.tensor(row["input_ids"])
            mask[index, :length] = 1
        labels = torch.tensor([[*row["target"], row["weight"]] for row in batch], dtype=torch.float32)
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    return collate


def _loss(each: Loss) -> Callable[..., torch.Tensor]:
    """Sum the examples' weighted losses over their count: the same however they are cut into batches."""

    def loss(
        outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        target, weight = labels[:, :-1], labels[:, -1]
        # Trainer counts the entries of `labels`, not its rows
        count = len(labels) if num_items_in_batch is None else num_items_in_batch / labels.shape[1]
        return (each(outputs["logits"].float(), target) * weight).sum() / count

    return loss


def metrics_of(family: ClassifierFamily, chosen: str) -> Callable[[Any], dict[str, float]]:
    """Return what measures the validation rows at each evaluation: the metrics that are always logged, and
    the chosen one.
    """
    watched = [*family.watched, *(metric for metric in family.metrics if metric.name == chosen)]

    def metrics(prediction: Any) -> dict[str, float]:
        outcomes = family.outcomes_of(prediction.predictions, prediction.label_ids)
        # Where a metric is undefined, as a correlation with equal predictions, no checkpoint is better
        return {metric.name: metric.value(outcomes) or 0.0 for metric in watched}

    return metrics
