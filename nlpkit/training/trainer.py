"""The one place that drives transformers' Trainer."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.errors import NlpkitError
from nlpkit.models.pretrained import quiet
from nlpkit.run import Run, room_left, write_whole
from nlpkit.settings import Training
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.task import Task
from nlpkit.training.checkpoints import last_trusted, mark
from nlpkit.training.sampler import RowOrder

if TYPE_CHECKING:
    import torch
    from transformers import TrainingArguments

Talk = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where a training stands, for a progress bar."""

    done: int
    total: int
    loss: float | None


def planned_steps(rows: int, training: Training, processes: int = 1) -> int:
    """How many optimizer steps the training takes."""
    batches = math.ceil(rows / (training.batch_size * processes))
    steps = max(1, math.ceil(math.ceil(batches / training.accumulate) * training.epochs))
    return min(steps, training.max_steps) if training.max_steps else steps


def fit(
    model: Any, tokenizer: Any, task: Task, *, train: Sequence[Encoded], validation: Sequence[Encoded],
    training: Training, seed: int, run: Run, fingerprint: str, talk: Talk, progress: Callable[[Step], None] | None = None,
) -> Any:  # fmt: skip
    """The model as it was at its best look at the validation rows. A killed training goes on from its last complete checkpoint.

    Raises:
        ConfigError: the checkpoints that are there are of another training.
        NlpkitError: the loss stopped being a number.
    """
    from transformers import EarlyStoppingCallback, PrinterCallback, Trainer

    steps = planned_steps(len(train), training, _processes())
    arguments = _arguments(run, training, task, seed=seed, steps=steps)
    weights = _class_weights(train, task) if training.class_weights == "balanced" and task.kind == "polarity" else None
    order = RowOrder([len(one.input_ids) for one in train], batch_size=training.batch_size, grouped=training.group_by_length, seed=seed)

    class OrderedTrainer(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return order

    trainer = OrderedTrainer(
        model=model,
        args=arguments,
        train_dataset=[asdict(one) for one in train],
        eval_dataset=[asdict(one) for one in validation],
        processing_class=tokenizer,
        data_collator=_collator(tokenizer.pad_token_id),
        compute_loss_func=_loss(task, training.label_smoothing, weights),
        compute_metrics=_metrics(task),
        callbacks=[_watcher(run, fingerprint, progress)],
    )
    trainer.remove_callback(PrinterCallback)  # stdout is for answers
    if training.patience:
        trainer.add_callback(EarlyStoppingCallback(early_stopping_patience=training.patience))
    checkpoint = last_trusted(run.checkpoints, fingerprint=fingerprint, warn=talk)
    if checkpoint:
        talk(f"going on from step {checkpoint.name.rpartition('-')[2]} of {steps}")
    with quiet(), room_left(run.path):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    return trainer.model


def _arguments(run: Run, training: Training, task: Task, *, seed: int, steps: int) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

    every = math.ceil(steps / training.evaluations)
    cuda = torch.cuda.is_available()
    bf16 = training.precision == "bf16" or (training.precision == "auto" and cuda and torch.cuda.is_bf16_supported())
    return TrainingArguments(
        output_dir=str(run.checkpoints.absolute()),
        max_steps=steps,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=64,
        gradient_accumulation_steps=training.accumulate,
        learning_rate=training.lr,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=bf16,
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=2,
        load_best_model_at_end=True,
        metric_for_best_model=training.metric or task.metric,
        greater_is_better=_greater(training.metric or task.metric),
        logging_steps=max(1, min(50, steps // 20)),
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=list(training.track) or "none",
        seed=seed,
        data_seed=seed,
        dataloader_num_workers=training.workers,
        dataloader_pin_memory=cuda,
        remove_unused_columns=False,
        label_names=["labels"],
        run_name=run.name,
    )


def _greater(metric: str) -> bool:
    from nlpkit.evaluation.metrics import METRICS

    return metric != "loss" and METRICS[metric].higher_is_better


def _collator(pad_id: int) -> Callable[[list[dict[str, Any]]], dict[str, torch.Tensor]]:
    """Batches padded to their longest text; labels are (batch, targets + 1), the last column each example's weight."""

    def collate(batch: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
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

    def loss(outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None) -> torch.Tensor:
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

        from nlpkit.evaluation import metrics as found
        from nlpkit.evaluation.outcomes import Outcomes

        logits, truth = prediction.predictions, prediction.label_ids[:, 0]
        if task.kind == "intensity":
            outcomes = Outcomes(truth=truth, predicted=logits[:, 0])
            return {"pearson": found.pearson(outcomes) or 0.0, "mae": found.mae(outcomes)}
        outcomes = Outcomes(labels=tuple(task.id2label.values()), truth=truth.astype(int), probabilities=softmax(logits, axis=1))
        return {"accuracy": found.accuracy(outcomes), "macro_f1": found.macro_f1(outcomes), "log_loss": found.log_loss(outcomes)}

    return metrics


def _watcher(run: Run, fingerprint: str, progress: Callable[[Step], None] | None) -> Any:
    """A callback that logs, marks checkpoints, reports progress, looks at the last step, and stops at a loss that is no number."""
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps:
                control.should_evaluate = True
            if progress and state.is_world_process_zero:
                losses = [entry["loss"] for entry in state.log_history[-3:] if "loss" in entry]
                progress(Step(done=state.global_step, total=state.max_steps, loss=losses[-1] if losses else None))

        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            last = state.log_history[-1]
            if not math.isfinite(last.get("loss", 0.0)):
                cure = "cure: a smaller training.lr, or more training.warmup"
                raise NlpkitError(f"step {state.global_step}: the loss is {last['loss']}; {cure}")
            if state.is_world_process_zero:
                write_whole(run.log, "".join(json.dumps(entry) + "\n" for entry in state.log_history))

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                mark(Path(args.output_dir) / f"checkpoint-{state.global_step}", fingerprint=fingerprint)

    return Watcher()


def _processes() -> int:
    """How many processes train together, without starting any."""
    torch = sys.modules.get("torch")
    distributed = torch.distributed if torch is not None else None
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_world_size())
    import os

    return int(os.environ.get("WORLD_SIZE", "1"))
