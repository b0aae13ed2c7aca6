"""Let a fast run answer what it is sure of, and a slow one the rest (thinking fast and slow).

Nothing is trained: a threshold is chosen on labeled rows. The result is a run like any other.
A recipe holds the order of a training; how each step is done is in nlpkit.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from nlpkit.evaluation.evaluate import report_run
from nlpkit.run import Run
from nlpkit.settings import RunSettings
from nlpkit.tasks.task import TextTask
from nlpkit.training.cascade import CascadeData, complete_cascade, load_cascade_rows
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress, TrainOptions, train_seeds
from nlpkit.trust.promise_section import promises


class CascadeConfig(RunSettings):
    """All that this recipe can do."""

    recipe: Literal["cascade"]
    fast: Path
    """The run that reads all texts."""
    slow: Path
    """The run that reads those about which the fast one is not sure."""
    data: CascadeData
    loses: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """How much lower than that of the slow run alone the accuracy may be, with 95% confidence."""


Config = CascadeConfig


def train(config: CascadeConfig, options: TrainOptions) -> list[Run]:
    """Choose the threshold, and report the two runs as one; none when only checked."""
    fast, slow = Run.open(config.fast), Run.open(config.slow)
    rows = load_cascade_rows(fast, slow, config.data, seed=config.seed)
    return train_seeds(
        config,
        options,
        facts={"data": rows.describe(), "runs": [run.read().model_dump(mode="json") for run in (fast, slow)]},
        train_one=partial(_make, config, fast, slow, rows),
        report=lambda run: report_run(run, rows.held_out, talk=options.talk, promise=promises),
    )


def _make(config: CascadeConfig, fast: Run, slow: Run, rows: Rows[TextTask], job: RunInProgress) -> None:
    lines = [
        f"fast       {fast.path}",
        f"slow       {slow.path}",
        f"chosen on  {len(rows.validation):,} rows",
    ]
    if job.begin(lines):
        job.finish(lambda: complete_cascade(job, fast, slow, rows, loses=config.loses))
