"""Teach a small base what a tuned large run knows, on texts without labels, then compare the two.

The result is a run like any other. A recipe holds the order of a training; the steps are in nlpkit.
"""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from typing import Literal

from nlpkit.evaluation.distillation import report_distillation
from nlpkit.evaluation.evaluate import report_run
from nlpkit.run import Run
from nlpkit.settings import SeededSettings
from nlpkit.settings.training import EncoderBase, Lora
from nlpkit.training.classifier import finish
from nlpkit.training.distillation_data import DistillationData, DistillationRows, load_distillation_rows
from nlpkit.training.distillation_objective import (
    Distillation,
    DistillationTraining,
    build_student,
    distillation_objective,
    encode_all,
    refuse_unfit,
    without_projection,
)
from nlpkit.training.distillation_teacher import Teacher, label_texts, open_teacher
from nlpkit.training.loaded_base import LoadedBase, load_classifier_base, save_initial
from nlpkit.training.rows import encode
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds
from nlpkit.training.trainer import fit, planned_steps


class DistillConfig(SeededSettings):
    """All that this recipe can do."""

    recipe: Literal["distill"]
    teacher: Path
    """The run that teaches; its labels are the student's."""
    plain: Path | None = None
    """A run of the same base without a teacher, to compare with."""
    data: DistillationData
    base: EncoderBase = EncoderBase()
    lora: Lora = Lora(rank=32, alpha=64)
    distillation: Distillation = Distillation()
    training: DistillationTraining = DistillationTraining()


Config = DistillConfig


def train(config: DistillConfig, options: TrainOptions) -> list[Run]:
    """Train one student a seed, and report each next to its teacher; none when only checked."""
    refuse_unfit(config.lora, config.distillation)
    teacher = open_teacher(config.teacher)
    data = load_distillation_rows(teacher.task, config.data, seed=config.seed)
    base = load_classifier_base(config.base)
    rows = data.with_record(teacher)
    parts = {"validation": rows.validation, "test": rows.test}

    def report(run: Run) -> None:
        plain = Run.open(config.plain) if config.plain else None
        options.talk(report_distillation(run, Run.open(config.teacher), plain, parts).to_markdown())
        report_run(run, parts, talk=options.talk)

    runs = train_seeds(
        config,
        options,
        facts={"data": rows.describe(), "base": base.identity.model_dump()},
        train_one=partial(_train_one, config, teacher, data, base),
        report=report,
        not_trained_on=frozenset({"plain"}),
    )
    if len(runs) > 1:  # the teacher's answers, which all seeds share
        shutil.rmtree(Run(config.output / config.name).checkpoints, ignore_errors=True)
    return runs


def _train_one(
    config: DistillConfig, teacher: Teacher, data: DistillationRows, base: LoadedBase, job: RunInProgress
) -> None:
    settings, how, rows = config.training, config.distillation, data.with_record(teacher)
    train_rows = encode_all(data, base.tokenizer, base.max_tokens)
    held_out = encode(rows.validation, rows.task, base.tokenizer, base.max_tokens)
    steps = planned_steps(len(how.epoch(train_rows)), settings)
    if not job.begin(data.lines(train_rows, teacher, max_tokens=base.max_tokens, steps=steps)):
        return
    kept = Run(config.output / config.name).checkpoints / "teacher"
    states = how.hidden_weight > 0
    answers = label_texts(
        teacher, data.texts, kept, states=states, precision=how.precision, options=job.options
    )
    model = build_student(base, rows.task, config.lora, answers, dropout=config.base.dropout, seed=job.seed)
    initial = save_initial(model, job.run, config.lora)
    tokenizer, task = base.tokenizer, rows.task
    objective = distillation_objective(train_rows, held_out, answers, task, tokenizer, settings, how)
    model = fit(model, tokenizer, objective, training=settings, job=job)
    job.finish(lambda: finish(job, without_projection(model), base, rows, initial=initial))
