"""Fine-tune a pretrained encoder with LoRA on labeled texts.

On several processes: `accelerate launch -m nlpkit train CONFIG.yaml`. Order is here; the steps are in nlpkit.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlpkit.evaluation.behavior_gate import BehaviorGate, check_behavior, gate_suites
from nlpkit.evaluation.evaluate import report_run
from nlpkit.run import Run
from nlpkit.settings import SeededSettings
from nlpkit.settings.data import Data
from nlpkit.settings.private import Private, refuse_unprivate, with_private_defaults
from nlpkit.settings.training import EncoderBase, Lora, SentimentTraining
from nlpkit.tasks.own_settings import refuse_foreign_keys, training_for
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTask, TextTaskSettings
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.classifier import build, finish
from nlpkit.training.codebooks import with_codebook
from nlpkit.training.frozen import frozen, plan_lines
from nlpkit.training.loaded_base import LoadedBase, load_classifier_base, save_initial
from nlpkit.training.precision import Precision, choose_precision
from nlpkit.training.preflight import preflight
from nlpkit.training.private import private_training
from nlpkit.training.recipes import load_metrics
from nlpkit.training.rows import Rows, encode, load_rows
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds
from nlpkit.training.self_training import SelfTraining, in_rounds, refuse_unfit, with_unlabeled
from nlpkit.training.trainer import fit, planned_steps


class SentimentConfig(SeededSettings):
    """All that this recipe can do."""

    recipe: Literal["sentiment"]
    task: TextTaskSettings = Polarity()
    codebook: Annotated[str | None, Field(exclude_if=lambda value: value is None)] = None
    """A YAML file with the labels in words, which gives the task its labels and their order."""
    data: Data
    base: EncoderBase = EncoderBase()
    lora: Lora = Lora()
    training: SentimentTraining = SentimentTraining()
    private: Annotated[Private | None, Field(exclude_if=lambda value: value is None)] = None
    """Differential privacy for the people in the training rows: `{epsilon: 8}`; see docs/private.md."""
    behavior: Annotated[BehaviorGate | None, Field(exclude_if=lambda value: value is None)] = None
    """How much of a suite of sentences the run may fail: `{fail_above: 0.1, suites: [behavior]}`."""
    self_training: Annotated[SelfTraining | None, Field(exclude_if=lambda value: value is None)] = None
    metrics: tuple[str, ...] = ()
    """Functions of your own that the report measures too, each `./file.py:name`, relative to the config."""

    @model_validator(mode="before")
    @classmethod
    def _private_defaults(cls, tree: object) -> object:
        return with_private_defaults(tree)

    @model_validator(mode="after")
    def _only_what_goes_together(self) -> SentimentConfig:
        refuse_foreign_keys(self.task, self.data, self.training)
        refuse_unprivate(self)
        refuse_unfit(self.self_training, self.task, self.search)
        return self


Config = SentimentConfig


def train(config: SentimentConfig, options: TrainOptions) -> list[Run]:
    """Train one run a seed, measure and report each; none when only checked."""
    own = load_metrics(config.metrics, config.task.family.metrics)
    rows = load_rows(with_codebook(config.task, config.codebook), config.data, seed=config.seed)
    rows = with_unlabeled(rows, config.self_training, seed=config.seed)
    suites = gate_suites(config.behavior, rows.task)
    base = load_classifier_base(config.base)
    precision = choose_precision(config.training.precision)
    learn = partial(_train_one, config, base, precision)
    runs = train_seeds(
        config, options,
        facts={"data": rows.describe(), "bf16": precision.bf16, "base": base.identity.model_dump()},
        train_one=in_rounds(config.self_training, rows, learn, metric=config.training.metric),
        report=lambda run: report_run(run, rows.held_out, talk=options.talk, own=own),
    )  # fmt: skip
    return check_behavior(runs, config.behavior, suites, talk=options.talk)


def _train_one(
    config: SentimentConfig, base: LoadedBase, precision: Precision, rows: Rows[TextTask], job: RunInProgress
) -> None:
    settings = training_for(rows.task, config.training)
    train_rows = encode(rows.train, rows.task, base.tokenizer, base.max_tokens)
    held_out = encode(rows.validation, rows.task, base.tokenizer, base.max_tokens)
    model = build(
        base, rows.task, config.lora, dropout=config.base.dropout, seed=job.seed, freeze=settings.freeze
    )
    objective = classification_objective(
        train_rows, held_out, task=rows.task, tokenizer=base.tokenizer, training=settings, copies=rows.swapped
    )
    steps = planned_steps(len(train_rows), settings)
    facts = preflight(
        rows, train_rows, base, model, training=settings, steps=steps, is_private=config.private is not None
    )
    known = with_codebook(config.task, config.codebook)
    private = private_training(config.private, rows, base, model, known=known, training=settings, steps=steps)
    lines, warnings = (private.plan.lines, private.plan.warnings) if private else ([], [])
    lines = [*facts.lines, precision.line, *plan_lines(objective, model, settings), *lines]
    if not job.begin(lines, [*facts.warnings, *warnings]):
        return
    initial = save_initial(model, job.run, config.lora)
    objective = frozen(objective, model, settings, bf16=precision.bf16, talk=job.options.talk)
    model = fit(model, base.tokenizer, objective, training=settings, job=job, private=private)
    job.finish(lambda: finish(job, model, base, rows, initial=initial, private=private))
