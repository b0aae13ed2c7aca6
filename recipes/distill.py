"""Teach a small base what a tuned large run knows, on texts that nobody labelled, then set the two side by side.

What comes out is a plain run, served as any other. The order of a training stands here; how each step is done stands in nlpkit.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nlpkit.config import to_yaml
from nlpkit.evaluation.distillation import report_distillation
from nlpkit.evaluation.evaluate import report_run
from nlpkit.files import fingerprint, room_left
from nlpkit.reports.seeds import summarize
from nlpkit.run import Run, versions
from nlpkit.settings import Base, Lora, Settings
from nlpkit.tasks.task import TextTask
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
from nlpkit.training.distillation_teacher import Teacher, ask, open_teacher
from nlpkit.training.loaded_base import LoadedBase, is_main_process, load_base, save_initial
from nlpkit.training.rows import Rows, encode
from nlpkit.training.trainer import Step, fit, planned_steps


class DistillConfig(Settings):
    """All that this recipe can do."""

    recipe: Literal["distill"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The run's folder inside `output`."""
    teacher: Path
    """The run that teaches; its labels are the student's."""
    plain: Path | None = None
    """A run of the same base without a teacher, to compare with."""
    data: DistillationData
    base: Base = Base()
    lora: Lora = Lora(rank=32, alpha=64)
    distillation: Distillation = Distillation()
    training: DistillationTraining = DistillationTraining()
    seed: int = 1
    """Draws the texts and splits the data."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    """Draws heads, adapters and batches: one run for each; several give a mean and a spread."""
    output: Path = Path("runs")


Config = DistillConfig


def train(
    config: DistillConfig,
    *,
    check: bool,
    overwrite: bool,
    talk: Callable[[str], None],
    progress: Callable[[Step], None],
) -> list[Run]:
    """The students that the config asks for, one a seed, each trained, measured and reported on; none when only checked."""
    refuse_unfit(config.lora, config.distillation)
    teacher = open_teacher(config.teacher)
    found = load_distillation_rows(teacher.task, config.data, seed=config.seed)
    base = load_base(config.base)
    runs = [
        _train_one(config, teacher, found, base, seed, check, overwrite, talk, progress)
        for seed in config.seeds
    ]
    if len(runs) > 1 and not check and is_main_process():
        talk(summarize(config.output / config.name, runs))
        shutil.rmtree(Run(config.output / config.name).checkpoints, ignore_errors=True)
    return [] if check else runs


def _train_one(
    config: DistillConfig, teacher: Teacher, found: DistillationRows, base: LoadedBase, seed: int,
    check: bool, overwrite: bool, talk: Callable[[str], None], progress: Callable[[Step], None],
) -> Run:  # fmt: skip
    started = time.monotonic()
    folder = config.output / config.name
    run = Run(folder / f"seed-{seed}" if len(config.seeds) > 1 else folder)
    rows, settings = found.with_record(teacher), config.training
    whole = {
        **config.model_dump(mode="json", exclude={"seeds", "output", "name", "plain"}),
        "data": rows.describe(),
    }
    asked = fingerprint({**whole, "base": base.identity.model_dump(), "seed": seed, "versions": versions()})
    if run.is_completed and not (overwrite or check) and run.read().data.get("fingerprint") == asked:
        talk(f"{run.path}: trained already")
        if not run.report.is_file():
            _conclude(run, config, rows, talk)
        return run
    if overwrite and not check:
        run.remove()

    train_rows = encode_all(found, base.tokenizer, base.max_tokens)
    validation_rows = encode(rows.validation, rows.task, base.tokenizer, base.max_tokens)
    steps = planned_steps(len(config.distillation.epoch(train_rows)), settings)
    for line in found.lines(train_rows, teacher, max_tokens=base.max_tokens, steps=steps):
        talk(line)
    if check:
        return run

    run = Run.create(run.path, config=to_yaml(config.model_copy(update={"seeds": (seed,)})))
    with room_left(run.path):
        answers = ask(
            teacher,
            found.texts,
            Run(folder).checkpoints / "teacher",
            states=config.distillation.hidden_weight > 0,
            precision=config.distillation.precision,
            talk=talk,
            progress=lambda at, of: progress(Step(done=at, total=of, loss=None)),
        )
    model = build_student(base, rows.task, config.lora, answers, dropout=config.base.dropout, seed=seed)
    initial = save_initial(model, run, config.lora)
    objective = distillation_objective(
        train_rows, validation_rows, answers, rows.task, base.tokenizer, settings, config.distillation
    )
    model = fit(
        model,
        base.tokenizer,
        objective,
        training=settings,
        seed=seed,
        run=run,
        fingerprint=asked,
        talk=talk,
        progress=progress,
    )
    if is_main_process():
        with room_left(run.path):
            model = without_projection(model)
            finish(
                run,
                model,
                base,
                rows,
                recipe=config.recipe,
                seed=seed,
                started=started,
                initial=initial,
                fingerprint=asked,
                talk=talk,
            )
        _conclude(run, config, rows, talk)
    return run


def _conclude(run: Run, config: DistillConfig, rows: Rows[TextTask], talk: Callable[[str], None]) -> None:
    """Set teacher and student side by side; the report, written last, shows that this was done."""
    parts = {"validation": rows.validation, "test": rows.test}
    beside = report_distillation(
        run, Run.open(config.teacher), Run.open(config.plain) if config.plain else None, parts
    )
    talk(beside.to_markdown())
    report_run(run, parts, talk=talk)
