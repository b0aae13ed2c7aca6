"""Training by TRL: DPO and KTO on encoded rows, with the starting adapter as the reference."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from nlpkit.errors import ConfigError, optional
from nlpkit.files import room_left
from nlpkit.models.pretrained import in_bf16, pick_device, quiet
from nlpkit.run import Run
from nlpkit.settings import Settings
from nlpkit.settings.training import Tracker
from nlpkit.training.checkpoints import last_trusted
from nlpkit.training.preferences import Method
from nlpkit.training.runs import RunInProgress
from nlpkit.training.sampler import RowOrder
from nlpkit.training.trainer import watcher

REFERENCE = "ref"
"""TRL's name for its frozen copy of the starting adapter."""


class PreferenceTraining(Settings):
    """The settings of a training on preferences."""

    method: Literal["auto", "dpo", "kto"] = "auto"
    """`dpo` (arXiv:2305.18290) learns from pairs, `kto` (arXiv:2402.01306) from rated replies.

    `auto`: dpo if all rows are pairs, else kto.
    """
    beta: Annotated[float, Field(gt=0)] = 0.1
    """How close the new run stays to the old one: higher is closer."""
    anchor: Annotated[float, Field(ge=0)] = 0.0
    """The weight of the plain loss on chosen replies, added to DPO's to keep them likely; DPO only."""
    epochs: Annotated[float, Field(gt=0)] = 1
    max_steps: Annotated[int, Field(ge=1)] | None = None
    """Stop after this many optimizer steps, whatever `epochs` says."""
    batch_size: Annotated[int, Field(ge=1)] = 8
    """Pairs or rated replies to a batch; KTO needs at least 2."""
    accumulate: Annotated[int, Field(ge=1)] = 1
    """Batches to one optimizer step."""
    lr: Annotated[float, Field(gt=0)] = 2e-5
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.1
    """Share of the steps in which the learning rate rises."""
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    max_tokens: Annotated[int, Field(ge=16)] | None = None
    """The most tokens of a history and its reply; older turns are dropped. Default: the model's window."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """`auto`: bf16 on a GPU that has it, else fp32."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: less memory, slower."""
    checkpoints: Annotated[int, Field(ge=1)] = 3
    """How many checkpoints to save, from which a killed training resumes."""
    track: tuple[Tracker, ...] = ()
    """Trackers of transformers' Trainer: tensorboard, trackio, wandb, mlflow."""

    @model_validator(mode="after")
    def _fits_the_method(self) -> PreferenceTraining:
        if self.method == "kto" and self.batch_size < 2:
            raise ValueError("KTO compares the replies of a batch: batch_size must be at least 2")
        if self.method == "kto" and self.anchor:
            raise ValueError("anchor is for DPO; KTO has no such loss")
        return self


def refuse_unready(training: PreferenceTraining, method: Method) -> None:
    """Refuse settings that this method can't be trained with here.

    Raises:
        ConfigError: TRL is not installed, there are several processes, or a setting doesn't fit the method.
    """
    if method == "kto" and (training.batch_size < 2 or training.anchor):
        problem = (
            "training.anchor is for DPO"
            if training.anchor
            else "training.batch_size: 1; KTO compares the replies of a batch"
        )
        raise ConfigError(f"{problem}; the method is KTO, because not all rows are pairs")
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "preferences are trained in one process; hint: nlpkit train, without accelerate launch"
        )
    with quiet():
        optional("trl", extra="preference")


def fit_preferences(
    model: Any,
    tokenizer: Any,
    rows: Sequence[dict[str, Any]],
    method: Method,
    *,
    training: PreferenceTraining,
    job: RunInProgress,
) -> Any:
    """Train, and return the model. A killed training resumes from its last complete checkpoint.

    Args:
        model: a PEFT model with the starting run's adapter as `default`; a copy becomes the reference.
        tokenizer: the starting run's.
        rows: from `encode_preferences`, in the order in which KTO learns them.
        method: `dpo` or `kto`.
        training: the settings.
        job: the run in progress.

    Raises:
        ConfigError: the run's folder has checkpoints of another training.
        NlpkitError: the loss stopped being a number.
    """
    run, talk = job.run, job.options.talk
    trainer = make_trainer(model, tokenizer, rows, method, training=training, seed=job.seed, run=run)
    trainer.add_callback(watcher(run, job.fingerprint, job.options.progress))
    checkpoint = last_trusted(run.checkpoints, fingerprint=job.fingerprint, warn=talk)
    if checkpoint:
        talk(f"resuming from step {checkpoint.name.rpartition('-')[2]} of {trainer.args.max_steps}")
    with quiet(), room_left(run.path):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    trained = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
    trained.delete_adapter(REFERENCE)
    return trained


def make_trainer(
    model: Any,
    tokenizer: Any,
    rows: Sequence[dict[str, Any]],
    method: Method,
    *,
    training: PreferenceTraining,
    seed: int,
    run: Run,
) -> Any:
    """Return TRL's trainer for the method, without its tokenizing, truncating and telemetry."""
    from datasets import Dataset
    from transformers import PrinterCallback

    with quiet():
        trl = optional("trl", extra="preference")
        common = _arguments(run, training, seed=seed, steps=planned_steps(len(rows), training))
        if method == "dpo":
            losses: dict[str, Any] = (
                {"loss_type": ["sigmoid", "sft"], "loss_weights": [1.0, training.anchor]}
                if training.anchor
                else {}
            )
            arguments, parent = trl.DPOConfig(**common, **losses), trl.DPOTrainer
        else:
            liked = sum(row["label"] for row in rows)
            # Both sides weigh alike, whatever their shares (equation 8 of the paper)
            arguments, parent = (
                trl.KTOConfig(**common, undesirable_weight=liked / (len(rows) - liked)),
                trl.KTOTrainer,
            )
        order = (
            RowOrder([0] * len(rows), batch_size=training.batch_size, grouped=False, seed=seed)
            if method == "dpo"
            else None
        )
        dataset = Dataset.from_list(list(rows))
        trainer = _on_our_ids(parent, order)(
            model=model, args=arguments, train_dataset=dataset, processing_class=tokenizer
        )
    trainer.remove_callback(PrinterCallback)  # stdout is for answers
    return trainer


def planned_steps(rows: int, training: PreferenceTraining) -> int:
    """Return how many optimizer steps the training takes."""
    batches = math.ceil(rows / training.batch_size)
    steps = max(1, math.ceil(math.ceil(batches / training.accumulate) * training.epochs))
    return min(steps, training.max_steps) if training.max_steps else steps


def _on_our_ids(parent: Any, order: RowOrder | None) -> Any:
    class OnOurIds(parent):  # type: ignore[misc]
        """TRL's loss and loop, on the ids that are given."""

        def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
            return dataset  # TRL would tokenize text here, and read special tokens that people wrote in it

        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return order if order is not None else super()._get_train_sampler(train_dataset)

        def _send_telemetry(self) -> None:
            """Send no telemetry about the model and the machine, which TRL would."""

        def create_model_card(self, *_: Any, **__: Any) -> None:
            """Write no card: a run has its own."""

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            super()._save(output_dir, state_dict)
            # The reference is always made from the starting run, which no crash can have damaged
            shutil.rmtree(Path(output_dir or self.args.output_dir) / REFERENCE, ignore_errors=True)

    return OnOurIds


def _arguments(run: Run, training: PreferenceTraining, *, seed: int, steps: int) -> dict[str, Any]:
    import torch

    cuda = torch.cuda.is_available()
    return {
        "output_dir": str(run.checkpoints.absolute()),
        "beta": training.beta,
        "max_length": None,  # what is too long was left out by whole turns already
        "max_steps": steps,
        "per_device_train_batch_size": training.batch_size,
        "gradient_accumulation_steps": training.accumulate,
        "gradient_checkpointing": training.gradient_checkpointing,
        "learning_rate": training.lr,
        "lr_scheduler_type": training.schedule,
        "warmup_steps": training.warmup,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.max_grad_norm,
        "bf16": in_bf16(training.precision),
        "use_cpu": pick_device().type == "cpu",  # else bf16 is refused there
        "eval_strategy": "no",
        "save_strategy": "steps",
        "save_steps": math.ceil(steps / training.checkpoints),
        "save_total_limit": 2,
        "logging_steps": max(1, min(50, steps // 20)),
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "report_to": list(training.track) or "none",
        "seed": seed,
        "data_seed": seed,
        "dataloader_pin_memory": cuda,
        "remove_unused_columns": False,
        "run_name": run.name,
    }
