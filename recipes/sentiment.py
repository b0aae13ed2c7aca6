"""Fine-tune a pretrained encoder with LoRA on labelled texts: polarity or intensity.

Run it with `nlpkit train CONFIG.yaml`, on several processes with `accelerate launch -m nlpkit train CONFIG.yaml`.
The order of a training stands here; how each step is done stands in nlpkit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nlpkit.config import to_yaml
from nlpkit.evaluation.evaluate import report_run
from nlpkit.files import fingerprint, room_left
from nlpkit.reports.seeds import summarize
from nlpkit.run import Run, versions
from nlpkit.settings import Base, ClassifierTraining, Data, Lora, Settings
from nlpkit.tasks.own_settings import training_for
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTask, TextTaskSettings
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.classifier import build, finish
from nlpkit.training.frozen import frozen, plan_lines
from nlpkit.training.loaded_base import LoadedBase, count_weights, is_main_process, load_base, save_initial
from nlpkit.training.precision import choose_precision
from nlpkit.training.preflight import preflight
from nlpkit.training.rows import Rows, encode, load_rows
from nlpkit.training.trainer import Step, fit, planned_steps


class SentimentConfig(Settings):
    """All that this recipe can do."""

    recipe: Literal["sentiment"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The run's folder inside `output`."""
    task: TextTaskSettings = Polarity()
    data: Data
    base: Base = Base()
    lora: Lora = Lora()
    training: ClassifierTraining = ClassifierTraining()
    seed: int = 1
    """Splits the data."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)
    """Draws heads, adapters and batches: one run for each; several give a mean and a spread."""
    output: Path = Path("runs")


Config = SentimentConfig


def train(
    config: SentimentConfig,
    *,
    check: bool,
    overwrite: bool,
    talk: Callable[[str], None],
    progress: Callable[[Step], None],
) -> list[Run]:
    """The runs that the config asks for, one a seed, each trained, measured and reported on; none when only checked."""
    rows = load_rows(config.task, config.data, seed=config.seed)
    base = load_base(config.base)
    runs = [
        _train_one(config, rows, base, seed, check=check, overwrite=overwrite, talk=talk, progress=progress)
        for seed in config.seeds
    ]
    if len(runs) > 1 and not check and is_main_process():
        talk(summarize(config.output / config.name, runs))
    return [] if check else runs


def _train_one(
    config: SentimentConfig, rows: Rows[TextTask], base: LoadedBase, seed: int,
    *, check: bool, overwrite: bool, talk: Callable[[str], None], progress: Callable[[Step], None],
) -> Run:  # fmt: skip
    started = time.monotonic()
    folder = config.output / config.name
    run = Run(folder / f"seed-{seed}" if len(config.seeds) > 1 else folder)
    whole = {**config.model_dump(mode="json", exclude={"seeds", "output", "name"}), "data": rows.describe()}
    precision = choose_precision(config.training.precision)
    whole = {**whole, "bf16": precision.bf16, "base": base.identity.model_dump()}
    asked = fingerprint({**whole, "seed": seed, "versions": versions()})
    if run.is_completed and not (overwrite or check) and run.read().data.get("fingerprint") == asked:
        talk(f"{run.path}: trained already")
        if not run.report.is_file():
            report_run(run, {"validation": rows.validation, "test": rows.test}, talk=talk)
        return run
    if overwrite and not check:
        run.remove()

    train_rows = encode(rows.train, rows.task, base.tokenizer, base.max_tokens)
    validation_rows = encode(rows.validation, rows.task, base.tokenizer, base.max_tokens)
    settings = config.training
    model = build(
        base, rows.task, config.lora, dropout=config.base.dropout, seed=seed, freeze=settings.freeze
    )
    trainable, total = count_weights(model)
    steps = planned_steps(len(train_rows), settings)
    facts = preflight(
        rows, train_rows, max_tokens=base.max_tokens, trainable=trainable, total=total, steps=steps
    )
    objective = classification_objective(
        train_rows,
        validation_rows,
        task=rows.task,
        tokenizer=base.tokenizer,
        training=training_for(rows.task, settings),
    )
    more = [precision.line, *plan_lines(objective, model, settings.freeze, settings.cache_mb)]
    for line in (*facts.lines, *more, *(f"warning    {warning}" for warning in facts.warnings)):
        talk(line)
    if check:
        return run

    run = Run.create(run.path, config=to_yaml(config.model_copy(update={"seeds": (seed,)})))
    initial = save_initial(model, run, config.lora)
    objective = frozen(
        objective, model, settings.freeze, limit_mb=settings.cache_mb, bf16=precision.bf16, talk=talk
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
        report_run(run, {"validation": rows.validation, "test": rows.test}, talk=talk)
    return run
