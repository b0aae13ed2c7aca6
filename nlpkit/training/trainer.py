"""Training by transformers' Trainer."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.errors import ConfigError, NlpkitError
from nlpkit.files import room_left, write_whole
from nlpkit.models.pretrained import pick_device, quiet
from nlpkit.run import Run
from nlpkit.settings.training import Training
from nlpkit.training.checkpoints import last_trusted, mark
from nlpkit.training.objective import Objective
from nlpkit.training.precision import choose_precision
from nlpkit.training.private import PrivateTraining
from nlpkit.training.runs import Evaluations, Progress, RunInProgress, TrainOptions
from nlpkit.training.sampler import RowOrder
from nlpkit.training.weight_averaging import average_greedily

if TYPE_CHECKING:
    from transformers import Trainer, TrainingArguments

PRIVATE = ("loss", "train_loss", "grad_norm")
"""What the log of a private training leaves out: training rows decide it, and no noise covers them."""

Talk = Callable[[str], None]


class DivergedError(NlpkitError):
    """The loss stopped being a number."""


def planned_steps(rows: int, training: Training, processes: int = 1) -> int:
    """Return how many optimizer steps the training takes."""
    batches = math.ceil(rows / (training.batch_size * processes))
    steps = max(1, math.ceil(math.ceil(batches / training.accumulate) * training.epochs))
    return min(steps, training.max_steps) if training.max_steps else steps


def fit(
    model: Any,
    tokenizer: Any,
    objective: Objective,
    *,
    training: Training,
    job: RunInProgress,
    private: PrivateTraining | None = None,
) -> Any:
    """Train, and return the model of the best checkpoint; a killed training resumes from its last one.

    With `private`, by its steps; the log then leaves out what training rows alone decide.

    Raises:
        ConfigError: the run's folder has checkpoints of another training, or weights would be sharded.
        DivergedError: the loss stopped being a number.
        RunError: the budget that a checkpoint of a private training has spent is not known.
    """
    from transformers import EarlyStoppingCallback, PrinterCallback

    _refuse_sharding()
    processes = _processes()
    run, seed, talk = job.run, job.seed, job.options.talk
    # Another number of processes makes other batches
    fingerprint = job.fingerprint if processes == 1 else f"{job.fingerprint} in {processes} processes"
    steps = planned_steps(len(objective.train), training, processes)
    order = RowOrder(
        objective.lengths, batch_size=training.batch_size, grouped=training.group_by_length, seed=seed
    )
    kind = _trainer_of(objective, order)
    callbacks = [
        watcher(run, fingerprint, job.options.progress, hidden=PRIVATE if private else ()),
        _reporter(objective, job.options),
    ]
    if training.patience:
        callbacks.append(EarlyStoppingCallback(early_stopping_patience=training.patience))
    if private:
        objective, kind = private.objective(objective), private.trainer_of(kind)
        callbacks.insert(0, private.saver())
    trainer = kind(
        model=model,
        args=_arguments(run, training, objective, seed=seed, steps=steps),
        train_dataset=objective.train,
        eval_dataset=objective.validation,
        processing_class=tokenizer,
        data_collator=objective.collate,
        compute_loss_func=objective.loss,
        compute_metrics=objective.metrics,
        callbacks=callbacks,
    )
    trainer.remove_callback(PrinterCallback)  # stdout is for answers
    checkpoint = last_trusted(run.checkpoints, fingerprint=fingerprint, warn=talk)
    if checkpoint:
        talk(f"resuming from step {checkpoint.name.rpartition('-')[2]} of {steps}")
        if private:
            private.resume(checkpoint)
    with quiet(), room_left(run.path):
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        final = trainer.state.best_metric
        if training.average:
            final, line = _average(trainer, run, objective)
            talk(line)
    if private:
        private.release()
    job.options.evaluated(_evaluations(trainer.state, objective, final))
    # Without autocast: it is served, and verified, in the weights' own precision
    return trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)


def _average(trainer: Trainer, run: Run, objective: Objective) -> tuple[float, str]:
    """Set the model's weights to the mean of its best checkpoints; return its metric and a line that reports
    it.
    """
    name = f"eval_{objective.metric}"
    values = {entry["step"]: entry[name] for entry in trainer.state.log_history if name in entry}
    folders = {run.checkpoints / f"checkpoint-{step}": value for step, value in values.items()}
    saved = {folder: value for folder, value in folders.items() if folder.is_dir()}
    kept, final = average_greedily(
        trainer.model,
        saved,
        lambda: trainer.predict(objective.validation, metric_key_prefix="eval").metrics[name],
        greater_is_better=objective.greater_is_better,
    )
    steps = sorted(int(folder.name.rpartition("-")[2]) for folder in kept)
    where = ", ".join(map(str, steps))
    return final, f"averaged: the weights of {len(kept)} of {len(saved)} checkpoints, at the steps {where}"


def _trainer_of(objective: Objective, order: RowOrder) -> type[Trainer]:
    """Return a Trainer with our order of rows, which computes and keeps only what the objective needs."""
    import torch
    from transformers import Trainer

    class ObjectiveTrainer(Trainer):  # type: ignore[misc]
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return order

        def compute_loss(self, model: Any, inputs: Any, *rest: Any, **named: Any) -> Any:
            with objective.narrowed(self.accelerator.unwrap_model(model), inputs):
                return super().compute_loss(model, inputs, *rest, **named)

        def prediction_step(
            self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None
        ) -> Any:
            if objective.tally is None:
                return super().prediction_step(model, inputs, prediction_loss_only, ignore_keys)
            inputs = self._prepare_inputs(inputs)
            with torch.no_grad(), self.compute_loss_context_manager():
                sums = objective.tally(self.accelerator.unwrap_model(model), inputs)
            return None, sums, sums  # a loss of None: the mean of batches' means is not wanted

    return ObjectiveTrainer


def _arguments(
    run: Run, training: Training, objective: Objective, *, seed: int, steps: int
) -> TrainingArguments:
    import torch
    from transformers import TrainingArguments

    every = math.ceil(steps / training.evaluations)
    cuda = torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(run.checkpoints.absolute()),
        max_steps=steps,
        per_device_train_batch_size=training.batch_size,
        per_device_eval_batch_size=objective.evaluation_batch_size,
        gradient_accumulation_steps=training.accumulate,
        learning_rate=training.lr,
        lr_scheduler_type=training.schedule,
        warmup_steps=training.warmup,
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=choose_precision(training.precision).bf16,
        use_cpu=pick_device().type == "cpu",  # else bf16 is refused there
        eval_strategy="steps",
        eval_steps=every,
        save_strategy="steps",
        save_steps=every,
        save_total_limit=None if training.average else 2,
        load_best_model_at_end=True,
        metric_for_best_model=objective.metric,
        greater_is_better=objective.greater_is_better,
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
        **objective.settings,
    )


def watcher(
    run: Run, fingerprint: str, progress: Callable[[Progress], None], *, hidden: tuple[str, ...] = ()
) -> Any:
    """Return a callback that logs, marks checkpoints, reports progress and evaluates the last step.

    The log leaves `hidden` out.

    It stops the training when the loss is no longer a number.
    """
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.global_step >= state.max_steps and args.eval_strategy != "no":
                control.should_evaluate = True
            if state.is_world_process_zero:
                losses = [entry["loss"] for entry in state.log_history[-3:] if "loss" in entry]
                progress(
                    Progress(
                        done=state.global_step, total=state.max_steps, loss=losses[-1] if losses else None
                    )
                )

        def on_log(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            last = state.log_history[-1]
            if not math.isfinite(last.get("loss", 0.0)):
                hint = "hint: a smaller training.lr, or more training.warmup"
                raise DivergedError(f"step {state.global_step}: the loss is {last['loss']}; {hint}")
            if state.is_world_process_zero:
                shown = (
                    {key: value for key, value in entry.items() if key not in hidden}
                    for entry in state.log_history
                )
                write_whole(run.log, "".join(json.dumps(entry) + "\n" for entry in shown))

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                mark(Path(args.output_dir) / f"checkpoint-{state.global_step}", fingerprint=fingerprint)

    return Watcher()


def _reporter(objective: Objective, options: TrainOptions) -> Any:
    """Return a callback that hands on the validation scores after each evaluation."""
    from transformers import TrainerCallback

    class Reporter(TrainerCallback):  # type: ignore[misc]
        def on_evaluate(
            self, args: Any, state: Any, control: Any, metrics: Mapping[str, float] | None = None, **_: Any
        ) -> None:
            options.talk(evaluation_line(metrics or {}, state.global_step, state.max_steps))
            options.evaluated(_evaluations(state, objective, None))

    return Reporter()


def evaluation_line(metrics: Mapping[str, float], step: int, steps: int) -> str:
    """Return what an evaluation measured, without how long it took, as the preflight writes its lines."""
    timed = ("epoch", "runtime", "samples_per_second", "steps_per_second")
    named = {name.removeprefix("eval_"): value for name, value in metrics.items()}
    shown = ", ".join(f"{name} {value:.3f}" for name, value in named.items() if name not in timed)
    return f"evaluated  at step {step:,} of {steps:,}: {shown}"


def _evaluations(state: Any, objective: Objective, final: float | None) -> Evaluations:
    name = f"eval_{objective.metric}"
    return Evaluations(
        metric=objective.metric,
        higher_is_better=objective.greater_is_better,
        values=tuple(float(entry[name]) for entry in state.log_history if name in entry),
        done=state.global_step / state.max_steps,
        final=None if final is None else float(final),
    )


def _refuse_sharding() -> None:
    """Refuse FSDP: each process must hold the whole model.

    accelerate ignores FSDP silently on CPUs, and a sharded model could not be saved here.

    Raises:
        ConfigError: FSDP is asked for.
    """
    if os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true":
        problem = (
            "FSDP is asked for (ACCELERATE_USE_FSDP); nlpkit trains with the whole model in each process"
        )
        raise ConfigError(f"{problem}; hint: `distributed_type: MULTI_GPU` in accelerate's config")


def _processes() -> int:
    """Return how many processes train together, without starting any."""
    torch = sys.modules.get("torch")
    distributed = torch.distributed if torch is not None else None
    if distributed is not None and distributed.is_available() and distributed.is_initialized():
        return int(distributed.get_world_size())
    return int(os.environ.get("WORLD_SIZE", "1"))
