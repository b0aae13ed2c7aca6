"""The steps of a private training: gradients of single rows, empty batches, a budget that is spent once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nlpkit.data.examples import LabeledText
from nlpkit.errors import RunError
from nlpkit.run import Run
from nlpkit.settings.private import Private
from nlpkit.settings.training import ClassifierTraining, EncoderBase, Lora
from nlpkit.tasks.polarity import Polarity
from nlpkit.training import private
from nlpkit.training.checkpoints import mark
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.classifier import build
from nlpkit.training.loaded_base import load_classifier_base
from nlpkit.training.privacy_plan import PrivacyPlan
from nlpkit.training.private import PrivateTraining
from nlpkit.training.private_gates import trained_weights
from nlpkit.training.rows import encode
from nlpkit.training.runs import Progress, RunInProgress, TrainOptions
from nlpkit.training.trainer import fit
from tests.conftest import sentences

ROWS = 24
CLIP = 7.0
TASK = Polarity(labels=("negative", "positive"))


class Tiny:
    """A tiny model and its training, in a folder of its own."""

    def __init__(self, base: Path, folder: Path, *, sample_rate: float, steps: int) -> None:
        self.base = load_classifier_base(EncoderBase(source=str(base)))
        self.model = build(self.base, TASK, Lora(rank=2), dropout=0.0, seed=3)
        self.training = ClassifierTraining(
            max_steps=steps, epochs=100, evaluations=max(1, steps // 2), lr=1e-3, warmup=0, precision="fp32"
        )
        examples = [
            LabeledText(text=text, label=label, weight=1.0, where="") for text, label in sentences(ROWS)
        ]
        train = encode(examples, TASK, self.base.tokenizer, 64)
        self.objective = classification_objective(
            train, train[:8], task=TASK, tokenizer=self.base.tokenizer, training=self.training
        )
        plan = PrivacyPlan(
            asked=Private(epsilon=1, clip=CLIP), rows=ROWS, delta=1e-3, sample_rate=sample_rate,
            steps=steps, noise=1.0, weights=1,
        )  # fmt: skip
        self.private = PrivateTraining.of(plan, self.model)
        self.run = Run.create(folder, config="")

    def fit(self, progress: Callable[[Progress], None] = lambda step: None) -> Any:
        job = RunInProgress(
            run=self.run, seed=3, fingerprint="f", started=0.0, config=self.training,
            options=TrainOptions(talk=lambda line: None, progress=progress),
        )  # fmt: skip
        return fit(
            self.model, self.base.tokenizer, self.objective,
            training=self.training, job=job, private=self.private,
        )  # fmt: skip


def test_a_step_sums_the_clipped_gradients_of_single_rows(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch
    from opacus.optimizers import DPOptimizer

    tiny = Tiny(tiny_base, tmp_path, sample_rate=1.0, steps=1)
    expected = {name: torch.zeros_like(weight) for name, weight in tiny.private.before.items()}
    norms = []
    tiny.model.train()  # there is no dropout
    for row in tiny.objective.train:
        batch = tiny.objective.collate([row])
        labels = batch.pop("labels")
        tiny.model.zero_grad()
        tiny.objective.loss(tiny.model(**batch), labels).backward()
        gradients = {name: weight.grad for name, weight in trained_weights(tiny.model).items()}
        norms.append(torch.stack([gradient.norm() for gradient in gradients.values()]).norm())
        for name, gradient in gradients.items():
            expected[name] += gradient * (CLIP / norms[-1]).clamp(max=1)
    assert min(norms) < CLIP < max(norms)  # some are clipped, and some are not

    summed: list[list[torch.Tensor]] = []
    add_noise = DPOptimizer.add_noise

    def record(optimizer: Any) -> None:
        summed.append([weight.summed_grad.clone() for weight in trained_weights(tiny.model).values()])
        add_noise(optimizer)

    monkeypatch.setattr(private, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(DPOptimizer, "add_noise", record)
    model = tiny.fit()
    for (name, gradient), found in zip(expected.items(), summed[0], strict=True):
        assert torch.allclose(found, gradient, atol=1e-5), name
    assert len(summed) == 1
    assert not any(hasattr(weight, "grad_sample") for weight in model.parameters())


def test_empty_batches_are_steps_of_noise_alone_that_no_seed_repeats(tiny_base: Path, tmp_path: Path) -> None:
    import torch

    weights = []
    for name in ("first", "second"):
        tiny = Tiny(tiny_base, tmp_path / name, sample_rate=1e-6, steps=4)
        model = tiny.fit()
        assert tiny.private.steps == 4
        weights.append(torch.cat([weight.flatten() for weight in trained_weights(model).values()]))
    start = torch.cat([weight.flatten() for weight in tiny.private.before.values()])
    assert all((after != start).all() for after in weights)
    assert (weights[0] != weights[1]).all()


def test_a_resumed_training_accounts_for_each_step_once(tiny_base: Path, tmp_path: Path) -> None:
    def killed(step: Progress) -> None:
        if step.done == 5:
            raise KeyboardInterrupt

    def start() -> Tiny:
        return Tiny(tiny_base, tmp_path, sample_rate=0.5, steps=8)

    with pytest.raises(KeyboardInterrupt):
        start().fit(killed)
    checkpoint = tmp_path / "checkpoints" / "checkpoint-4"
    kept = checkpoint / private.STATE
    assert json.loads(kept.read_text()) == {"history": [[1.0, 0.5, 4]]}

    kept.write_text('{"history": [[1.0, 0.5, 3]]}')
    mark(checkpoint, fingerprint="f")
    with pytest.raises(RunError, match=r"accounts for 3 steps.*can't be resumed from it; hint: --overwrite"):
        start().fit()
    kept.unlink()
    mark(checkpoint, fingerprint="f")
    with pytest.raises(RunError, match="accounts for 0 steps"):
        start().fit()
    kept.write_text('{"history": [[1.0, 0.5, 4]]}')
    mark(checkpoint, fingerprint="f")
    tiny = start()
    tiny.fit()
    assert tiny.private.history == [(1.0, 0.5, 8)]
