"""Fine-tune a sentence encoder and a vision transformer together, on posts: a text with a picture.

Run it with `nlpkit train CONFIG.yaml`. A recipe holds the order; how each step is done is in nlpkit.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

from pydantic import Field, model_validator

from nlpkit.evaluation.ablation import ablation_table
from nlpkit.evaluation.evaluate import report_run
from nlpkit.models.vision import Fusion
from nlpkit.run import Run
from nlpkit.settings import SeededSettings
from nlpkit.settings.data import Data
from nlpkit.settings.training import EncoderBase, Lora
from nlpkit.tasks.own_settings import refuse_foreign_keys, training_for
from nlpkit.tasks.pictures import PicturePolarity
from nlpkit.tasks.task import PictureTaskSettings, TextTask
from nlpkit.training.classification_objective import classification_objective
from nlpkit.training.classifier import build, finish
from nlpkit.training.loaded_base import LoadedBase, save_initial
from nlpkit.training.pictures import (
    PARTS,
    MultimodalTraining,
    VisionBase,
    facts_of,
    held,
    load_picture_base,
    only,
    partly_hidden,
    picture_facts,
    see,
)
from nlpkit.training.preflight import preflight
from nlpkit.training.rows import Rows, encode, load_rows
from nlpkit.training.runs import RunInProgress, TrainOptions, compared_job, compared_run, train_seeds
from nlpkit.training.trainer import fit, planned_steps


class MultimodalConfig(SeededSettings):
    """All that this recipe can do."""

    recipe: Literal["multimodal"]
    task: PictureTaskSettings = PicturePolarity()
    data: Data
    base: EncoderBase = EncoderBase()
    vision: VisionBase = VisionBase()
    fusion: Fusion = "attention"
    """`attention`: the words take from the patches through a gated cross-attention; `concatenation`: the
    means of both side by side."""
    lora: Lora = Lora()
    training: MultimodalTraining = MultimodalTraining()
    hide: Annotated[float, Field(ge=0, le=0.4)] = 0.1
    """The share of training posts whose picture is hidden, and of others whose text is, so that the model
    learns to answer without either."""
    compare: bool = True
    """Train also a run on the texts alone and one on the pictures alone, to compare with."""

    @model_validator(mode="after")
    def _only_what_goes_together(self) -> MultimodalConfig:
        refuse_foreign_keys(self.task, self.data, self.training)
        return self


Config = MultimodalConfig


def train(config: MultimodalConfig, options: TrainOptions) -> list[Run]:
    """Train one run a seed, compare and report each; none when only checked."""
    rows = load_rows(config.task, config.data, seed=config.seed)
    base = load_picture_base(config.base, config.vision, config.fusion)
    reported = {part: held(only(rows, part)) for part in PARTS}

    def report(run: Run) -> None:
        parts = {part: compared_run(run, part) for part in PARTS}
        sections = (ablation_table(run, parts, held(rows), reported),) if config.compare else ()
        report_run(run, rows.held_out, talk=options.talk, sections=sections)

    learn = partial(_train_one, config, rows, base)
    facts = facts_of(rows, base, config.training)
    return train_seeds(config, options, facts=facts, train_one=learn, report=report)


def _train_one(config: Config, rows: Rows[TextTask], base: LoadedBase, job: RunInProgress) -> None:
    posts = replace(rows, train=tuple(partly_hidden(rows.train, config.hide, seed=job.seed)))
    if not job.begin(*_plan(config, posts, base, job)):
        return
    for part in PARTS if config.compare else ():
        if own := compared_job(job, part):
            job.options.talk(f"training {own.run.path} on each {part} alone")
            _fit(config, only(rows, part), base, own)
    _fit(config, posts, base, job)


def _plan(
    config: Config, rows: Rows[TextTask], base: LoadedBase, job: RunInProgress
) -> tuple[list[str], list[str]]:
    settings = training_for(rows.task, config.training)
    read = encode(rows.train, rows.task, base.tokenizer, base.max_tokens)
    model = build(base, rows.task, config.lora, dropout=config.base.dropout, seed=job.seed)
    facts = preflight(rows, read, base, model, training=settings, steps=planned_steps(len(read), settings))
    lines, warnings = picture_facts(rows, base)
    return [*facts.lines, *lines], [*facts.warnings, *warnings]


def _fit(config: Config, rows: Rows[TextTask], base: LoadedBase, job: RunInProgress) -> None:
    settings = training_for(rows.task, config.training)
    read = partial(encode, task=rows.task, tokenizer=base.tokenizer, max_tokens=base.max_tokens)
    parts = read(rows.train), read(rows.validation)
    model = build(base, rows.task, config.lora, dropout=config.base.dropout, seed=job.seed)
    objective = classification_objective(*parts, task=rows.task, tokenizer=base.tokenizer, training=settings)
    initial = save_initial(model, job.run, config.lora)
    objective = see(objective, rows, model, base, settings)
    model = fit(model, base.tokenizer, objective, training=settings, job=job)
    job.finish(lambda: finish(job, model, base, rows, initial=initial))
