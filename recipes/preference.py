"""Train a dialogue run further on what people liked: DPO on pairs of replies, KTO on rated ones, then compare with the run before.

Run it with `nlpkit train CONFIG.yaml`. The new run is promoted only where it is better on the same held-out rows.
The order of a training stands here; how each step is done stands in nlpkit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nlpkit.config import to_yaml
from nlpkit.evaluation.preferences import compare, in_words, listen, report_comparison, verdict_of
from nlpkit.files import fingerprint, room_left
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.promoted import promote
from nlpkit.run import Run, versions
from nlpkit.settings import Settings
from nlpkit.training.continuation import open_model, open_start, record, save
from nlpkit.training.preference_trainer import (
    PreferenceTraining,
    fit_preferences,
    planned_steps,
    refuse_unready,
)
from nlpkit.training.preferences import PreferenceData, encode_preferences, load_preferences
from nlpkit.training.trainer import Step


class PreferenceConfig(Settings):
    """All that this recipe can do."""

    recipe: Literal["preference"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The run's folder inside `output`."""
    run: Path
    """The dialogue run to start from, or a `promoted.json` that names it. Its base, adapter and system prompt are kept."""
    data: PreferenceData
    training: PreferenceTraining = PreferenceTraining()
    seed: int = 1
    """Splits the rows and orders them."""
    output: Path = Path("runs")


Config = PreferenceConfig


def train(
    config: PreferenceConfig,
    *,
    check: bool,
    overwrite: bool,
    talk: Callable[[str], None],
    progress: Callable[[Step], None],
) -> list[Run]:
    """The new run, trained, compared with the old one, and promoted or refused; none when only checked."""
    started = time.monotonic()
    start = open_start(config.run)
    rows = load_preferences(config.data, start.task, method=config.training.method, seed=config.seed)
    refuse_unready(config.training, rows.method)
    run = Run(config.output / config.name)
    whole = {**config.model_dump(mode="json", exclude={"output", "name", "run"}), "data": rows.describe()}
    asked = fingerprint(
        {
            **whole,
            "start": start.identity["adapter_sha256"],
            "base": start.base.identity.model_dump(),
            "versions": versions(),
        }
    )
    if run.is_completed and not (overwrite or check) and run.read().data.get("fingerprint") == asked:
        talk(f"{run.path}: trained already, {verdict_of(run).verdict}")
        if not run.report.is_file():
            _conclude(run, talk)
        return [run]
    if overwrite and not check:
        run.remove()

    max_tokens = start.max_tokens(config.training.max_tokens)
    encoded, shortened = encode_preferences(
        rows, start.base.tokenizer, max_tokens, batch_size=config.training.batch_size, seed=config.seed
    )  # fmt: skip
    steps = planned_steps(len(encoded), config.training)
    for line in (
        *rows.lines(),
        f"cut        {shortened:,} histories lose their oldest turns",
        f"learnt     in {steps:,} steps",
    ):
        talk(line)
    if check:
        return []

    run = Run.create(run.path, config=to_yaml(config))
    model = fit_preferences(
        open_model(start), start.base.tokenizer, encoded, rows.method,
        training=config.training, seed=config.seed, run=run, fingerprint=asked, talk=talk, progress=progress,
    )  # fmt: skip
    with room_left(run.path):
        new = listen(save(run, model, start, rows.held), rows.held)
        comparison = compare(
            listen(LanguageModel.load(start.run), rows.held), new, rows.held, seed=config.seed
        )
        data = {**rows.describe(), "method": rows.method, "comparison": comparison.model_dump(mode="json")}
        record(
            run,
            model,
            start,
            recipe=config.recipe,
            seed=config.seed,
            started=started,
            data=data,
            fingerprint=asked,
        )
    _conclude(run, talk)
    return [run]


def _conclude(run: Run, talk: Callable[[str], None]) -> None:
    """Say and carry out the verdict; the page, written last, shows that this was done."""
    comparison = verdict_of(run)
    for line in in_words(comparison):
        talk(line)
    if comparison.verdict == "promoted":
        talk(f"{promote(run)} names {run.path}")
    report_comparison(run)
