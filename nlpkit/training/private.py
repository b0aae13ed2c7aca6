"""Private training: DP-SGD by Opacus in transformers' Trainer, each step accounted for."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.errors import ConfigError, RunError, optional
from nlpkit.files import write_whole
from nlpkit.training.objective import Batch, Objective
from nlpkit.training.privacy_plan import PrivacyPlan, epsilon_of
from nlpkit.training.private_gates import trained_weights

if TYPE_CHECKING:
    import torch
    from transformers import Trainer

STATE = "privacy.json"
"""The file of a checkpoint with the steps that have been accounted for."""
ROWS_AT_ONCE = 64
"""Rows whose gradients are held in memory at once; a larger batch is cut."""


@dataclass(eq=False, kw_only=True)
class PrivateTraining:
    """The steps of one private training, counted, and the model's weights before them."""

    plan: PrivacyPlan
    before: Mapping[str, torch.Tensor]
    """The trained weights as they were."""
    history: list[tuple[float, float, int]] = field(default_factory=list)
    """What Opacus' accountant gets: (noise in clips, sample rate, steps)."""
    _hooks: Any = None

    @classmethod
    def of(cls, plan: PrivacyPlan, model: Any) -> PrivateTraining:
        """Take a model before its training."""
        weights = {name: weight.detach().clone() for name, weight in trained_weights(model).items()}
        return cls(plan=plan, before=weights)

    @property
    def steps(self) -> int:
        """How many have been accounted for."""
        return sum(count for _, _, count in self.history)

    @property
    def epsilon(self) -> float:
        """What the steps have spent, for a person with as many rows as the plan allows."""
        return self.plan.asked.rows_per_person * epsilon_of(self.history, self.plan.row_delta)

    def objective(self, objective: Objective) -> Objective:
        """Return the objective with losses of single rows, and with batches that may be empty."""
        return replace(
            objective,
            # Not the number that the trainer counts: the hooks expect the mean over the rows of a pass
            loss=lambda outputs, labels, num_items_in_batch=None: objective.loss(outputs, labels),
            collate=lambda rows: objective.collate(rows) if rows else self._empty(objective),
            settings={**objective.settings, "ignore_data_skip": True},  # fresh batches after a resume
        )

    def _empty(self, objective: Objective) -> Batch:
        """Return a row of weight 0, whose gradient is 0: noise alone moves the weights."""
        batch = objective.collate(list(objective.train[:1]))
        batch["labels"][:, -1] = 0.0
        return batch

    def trainer_of(self, kind: type[Trainer]) -> type[Trainer]:
        """Return the kind of Trainer with Poisson batches, clipped gradients of single rows, and noise."""
        from torch.utils.data import DataLoader

        grad_sample = optional("opacus.grad_sample.grad_sample_module", extra="private")
        optimizers = optional("opacus.optimizers", extra="private")
        samplers = optional("opacus.utils.uniform_sampler", extra="private")
        private, plan = self, self.plan

        class PrivateTrainer(kind):  # type: ignore[misc]
            def get_train_dataloader(self) -> Any:
                batches = samplers.UniformWithReplacementSampler(
                    num_samples=plan.rows, sample_rate=plan.sample_rate, generator=_secret("cpu"),
                    steps=max(1, round(1 / plan.sample_rate)),
                )  # fmt: skip
                return DataLoader(
                    self.train_dataset, batch_sampler=batches, collate_fn=self.data_collator,
                    num_workers=self.args.dataloader_num_workers,
                )  # fmt: skip

            def create_optimizer(self, *rest: Any) -> Any:
                plain = super().create_optimizer(*rest)
                _refuse_several_devices(self.args)
                private._hooks = grad_sample.GradSampleHooks(self.model, loss_reduction="mean")
                self.optimizer = optimizers.DPOptimizer(
                    plain, noise_multiplier=plan.noise, max_grad_norm=plan.asked.clip,
                    expected_batch_size=plan.batch_size, secure_mode=True,
                    generator=_secret(next(self.model.parameters()).device),
                )  # fmt: skip
                self.optimizer.attach_step_hook(lambda _: private.count())
                self.noisy = self.optimizer  # accelerate wraps the other
                return self.optimizer

            def training_step(self, model: Any, inputs: Batch, *rest: Any) -> Any:
                """Sum the clipped gradients of a batch, a part at a time; the step adds the noise once."""
                self.noisy.zero_grad()  # of single rows: the trainer clears the others alone
                count, total = len(inputs["labels"]), 0.0
                for start in range(0, count, ROWS_AT_ONCE):
                    part = {name: values[start : start + ROWS_AT_ONCE] for name, values in inputs.items()}
                    if start:
                        self.noisy.signal_skip_step()
                        self.noisy.step()
                        self.noisy.zero_grad()
                    size = len(part["labels"])
                    total = total + super().training_step(model, part, *rest) * size / count
                return total

        return PrivateTrainer

    def count(self) -> None:
        """Account for one step."""
        noise, rate = self.plan.noise, self.plan.sample_rate
        if self.history and self.history[-1][:2] == (noise, rate):
            self.history[-1] = (noise, rate, self.history[-1][2] + 1)
        else:
            self.history.append((noise, rate, 1))

    def saver(self) -> Any:
        """Return a callback that writes the steps so far into each checkpoint, before it is marked."""
        from transformers import TrainerCallback

        private = self

        class Saver(TrainerCallback):  # type: ignore[misc]
            def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
                path = Path(args.output_dir) / f"checkpoint-{state.global_step}" / STATE
                write_whole(path, json.dumps({"history": private.history}))

        return Saver()

    def resume(self, checkpoint: Path) -> None:
        """Take up the steps of a checkpoint, so that none is forgotten; noise and batches are drawn anew.

        Raises:
            RunError: the checkpoint does not say how many steps it stands for.
        """
        try:
            kept = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))["history"]
            self.history = [(float(noise), float(rate), int(count)) for noise, rate, count in kept]
        except (OSError, ValueError, KeyError, TypeError):
            self.history = []
        if f"{self.steps}" != checkpoint.name.rpartition("-")[2]:
            raise RunError(
                f"{checkpoint}: its privacy budget is not known ({STATE} accounts for {self.steps:,} steps), "
                "so a private training can't be resumed from it; hint: --overwrite"
            )

    def release(self) -> None:
        """Take Opacus' hooks off the model."""
        if self._hooks is not None:
            self._hooks.cleanup()

    def record(self) -> dict[str, Any]:
        """Return what `run.json` holds of the promise."""
        plan = self.plan
        return {
            "epsilon": round(self.epsilon, 4),
            "delta": plan.delta,
            "rows_per_person": plan.asked.rows_per_person,
            "rows": plan.rows,
            "clip": plan.asked.clip,
            "noise": plan.noise,
            "sample_rate": plan.sample_rate,
            "steps": self.steps,
            "accountant": "opacus prv",
        }


def _secret(device: Any) -> torch.Generator:
    """Return a generator seeded by the operating system: who knows the seed could take the noise off."""
    import torch

    return torch.Generator(device).manual_seed(secrets.randbits(63))


def _refuse_several_devices(arguments: Any) -> None:
    if arguments.n_gpu > 1 or int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ConfigError(
            "private: a private training runs in one process on one device; hint: CUDA_VISIBLE_DEVICES=0"
        )
