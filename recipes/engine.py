"""Let a server answer in place of a model: a decision model, or any chat model of OpenAI's protocol.

Nothing is trained. The result is a run like any other: it is measured, scores files, and teaches a run
of your own.
A recipe holds the order of a training; how each step is done is in nlpkit.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from nlpkit.classifiers.engine import Engine
from nlpkit.evaluation.evaluate import report_run
from nlpkit.run import Run
from nlpkit.settings import RunSettings
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import TextTask, TextTaskSettings
from nlpkit.training.engine import EngineData, complete_engine, engine_lines, load_engine_rows
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds
from nlpkit.trust.promise_section import promises


class EngineConfig(RunSettings):
    """All that this recipe can do."""

    recipe: Literal["engine"]
    task: TextTaskSettings = Polarity()
    engine: Engine
    data: EngineData = EngineData()


Config = EngineConfig


def train(config: EngineConfig, options: TrainOptions) -> list[Run]:
    """Make the run, calibrate it where rows are given, and report it; none when only checked."""
    rows = load_engine_rows(config.task, config.data, config.engine, seed=config.seed)
    return train_seeds(
        config,
        options,
        facts={"data": rows.describe()},
        train_one=partial(_make, config, rows),
        report=lambda run: report_run(run, rows.held_out, talk=options.talk, promise=promises),
    )


def _make(config: EngineConfig, rows: Rows[TextTask], job: RunInProgress) -> None:
    if job.begin(engine_lines(config.engine, rows)):
        job.finish(lambda: complete_engine(job, config.engine, rows))
