"""Score a path, whatever it names: a file, a folder, or either in an object store (s3://, gs://, memory://,
all of fsspec).

Files of a store are fetched into nlpkit's cache, scored there and put back, one by one. The unfinished work
on a file stays in the cache of this machine, so that the same command goes on from there; finished files of a
folder are skipped wherever it is repeated.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from nlpkit.scoring.chunks import Fleet
from nlpkit.scoring.folder_scoring import plan_folder
from nlpkit.scoring.job import ScoreSummary
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.output import STREAM
from nlpkit.scoring.predictors import Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import plan_file
from nlpkit.scoring.store_location import is_remote
from nlpkit.scoring.stores import plan_stores


class ScoringPlan(Protocol):
    """An input and an output that can be used, before the model is known."""

    def begun_with(self) -> str | None:
        """Return the fingerprint of the model that began the work that goes on; None without any."""

    def is_long(self, size: int) -> bool:
        """Return whether the input holds at least so many bytes."""

    def score(
        self,
        model: Predictor | Fleet,
        *,
        budget: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> ScoreSummary:
        """Score all of it, as `score_file` does, and return one summary."""


def plan_location(source: str, target: str, options: ScoreOptions) -> ScoringPlan:
    """Check all of a scoring that can be checked without a model, wherever its files lie.

    Raises:
        ConfigError: a path or a format is invalid, or what a store needs is not installed.
        DataError: the input is not there or cannot be read.
        SourceError: a store cannot be reached.
    """
    source, target = source.removeprefix("file://"), target.removeprefix("file://")
    if is_remote(source) or is_remote(target):
        return plan_stores(source, target, options)
    if source != STREAM and Path(source).is_dir():
        return plan_folder(Path(source), Path(target), options)
    return plan_file(source, target, options)
