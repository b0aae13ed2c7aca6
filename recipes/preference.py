"""Train a dialogue run further on ratings: DPO on pairs of replies, KTO on rated ones.

The new run is promoted if it is better. Run it with `nlpkit train CONFIG.yaml`.
A recipe holds the order of a training; how each step is done is in nlpkit.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Literal

from nlpkit.evaluation.preferences import compare, in_words, report_comparison, score_rows, verdict_of
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.promoted import promote
from nlpkit.run import Run
from nlpkit.settings import RunSettings
from nlpkit.training.continuation import StartingRun, open_model, open_start, record, save
from nlpkit.training.preference_trainer import (
    PreferenceTraining,
    fit_preferences,
    planned_steps,
    refuse_unready,
)
from nlpkit.training.preferences import PreferenceData, PreferenceRows, encode_preferences, load_preferences
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds


class PreferenceConfig(RunSettings):
    """All that this recipe can do."""

    recipe: Literal["preference"]
    run: Path
    """The dialogue run to start from, or a `promoted.json` that names it.

    Its base, adapter and system prompt are kept.
    """
    data: PreferenceData
    training: PreferenceTraining = PreferenceTraining()


Config = PreferenceConfig


def train(config: PreferenceConfig, options: TrainOptions) -> list[Run]:
    """Train the new run, compare it with the old one, and promote or refuse it; none when only checked."""
    start = open_start(config.run)
    rows = load_preferences(config.data, start.task, method=config.training.method, seed=config.seed)
    refuse_unready(config.training, rows.method)

    def report(run: Run) -> None:
        comparison = verdict_of(run)
        for line in in_words(comparison):
            options.talk(line)
        if comparison.verdict == "promoted":
            options.talk(f"{promote(run)} names {run.path}")
        report_comparison(run)

    return train_seeds(
        config,
        options,
        facts={
            "data": rows.describe(),
            "start": start.identity["adapter_sha256"],
            "base": start.base.identity.model_dump(),
        },
        train_one=partial(_train_one, config, start, rows),
        report=report,
        not_trained_on=frozenset({"run"}),
        verdict=lambda run: verdict_of(run).verdict,
    )


def _train_one(
    config: PreferenceConfig, start: StartingRun, rows: PreferenceRows, job: RunInProgress
) -> None:
    settings, tokenizer = config.training, start.base.tokenizer
    encoded, shortened = encode_preferences(
        rows,
        tokenizer,
        start.max_tokens(settings.max_tokens),
        batch_size=settings.batch_size,
        seed=config.seed,
    )
    cut = f"cut        {shortened:,} histories lose their oldest turns"
    if not job.begin([*rows.lines(), cut, f"trained    in {planned_steps(len(encoded), settings):,} steps"]):
        return
    model = fit_preferences(open_model(start), tokenizer, encoded, rows.method, training=settings, job=job)

    def finish() -> None:
        new = score_rows(save(job.run, model, start, rows.held), rows.held)
        old = score_rows(LanguageModel.load(start.run), rows.held)
        record(job, model, start, rows, compare(old, new, rows.held, seed=config.seed))

    job.finish(finish)
