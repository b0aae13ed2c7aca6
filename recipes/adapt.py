"""Go on with a base's pretraining on texts without labels, so that it knows their language.

The result holds the adapted base, which any recipe trains on: `base: {source: runs/adapted}`.
A recipe holds the order of a training; how each step is done is in nlpkit.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from nlpkit.evaluation.adaptation import compare, report_adaptation
from nlpkit.run import Run
from nlpkit.settings import RunSettings
from nlpkit.settings.training import Base, Lora
from nlpkit.training.adaptation import Adaptation, AdaptationTraining, measure, plan
from nlpkit.training.adaptation_data import AdaptationData, AdaptationTexts, load_texts
from nlpkit.training.adaptation_method import Method
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds
from nlpkit.training.trainer import fit, planned_steps


class AdaptConfig(RunSettings):
    """All that this recipe can do."""

    recipe: Literal["adapt"]
    data: AdaptationData
    base: Base = Base()
    method: Method = "auto"
    """`masked`: words of a text; `contrastive`: texts from one another; `next_token`: of a chat model; `auto`
    chooses by the base."""
    lora: Lora | None = Lora()
    """null: train all weights."""
    training: AdaptationTraining = AdaptationTraining()


Config = AdaptConfig


def train(config: AdaptConfig, options: TrainOptions) -> list[Run]:
    """Adapt the base, measure it before and after, and report it; none when only checked."""
    texts = load_texts(config.data, seed=config.seed)
    adaptation = Adaptation.of(config.base, config.method, options.talk)

    def report(run: Run) -> None:
        for sentence in report_adaptation(run).summary:
            options.talk(sentence)

    return train_seeds(
        config,
        options,
        facts={"data": texts.describe(), "base": adaptation.base.identity.model_dump()},
        train_one=partial(_train_one, config, texts, adaptation),
        report=report,
    )


def _train_one(
    config: AdaptConfig, texts: AdaptationTexts, adaptation: Adaptation, job: RunInProgress
) -> None:
    settings, tokenizer = config.training, adaptation.base.tokenizer
    windows, held = adaptation.encode(texts.train), adaptation.encode(texts.held_out)
    model, is_new = adaptation.build(config.lora, seed=job.seed)
    objective = adaptation.objective(model, windows, held, settings, seed=job.seed)
    steps = planned_steps(len(objective.train), settings)
    most = adaptation.base.max_tokens
    if not job.begin(plan(texts, windows, model, most=most, is_new=is_new, steps=steps)):
        return
    before = measure(model, objective, held)
    model = fit(model, tokenizer, objective, training=settings, job=job)

    def finish() -> None:
        record = adaptation.record(job, model, texts, is_new=is_new)
        saved = adaptation.save(model, job.run.base, record, objective)
        after = measure(saved, objective, held)
        compared = compare(before, after, adaptation.method, seed=job.seed)
        job.complete(record.model_copy(update={"data": {**record.data, "measured": compared}}), texts.train)

    job.finish(finish)
