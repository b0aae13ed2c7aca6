"""Score a folder: each data file of it to the same place in another folder, one summary for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlpkit.data.formats.dataset_folders import data_files
from nlpkit.data.records import count_rows
from nlpkit.errors import ConfigError, DataError
from nlpkit.scoring.job import WORTH_TUNING, ScoreSummary, ScoringJob
from nlpkit.scoring.paths import check_paths
from nlpkit.scoring.predictors import Fleet, Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import prepare

RECORDS, REJECTS = "_nlpkit", "_rejects"
"""Folders beside the scored files; readers of data sets pass over names that begin so."""


def check_folders(
    source: Path, target: Path, *, text_column: str = "text", encoding: str | None = None
) -> list[Path]:
    """The data files of a folder, relative to it; each begins as it should.

    Raises:
        ConfigError: the output is no folder, or lies in the input.
        DataError: the input holds no data files, or the first row of one cannot be read.
    """
    if target.exists() and not target.is_dir():
        raise ConfigError(f"{target}: is a file; expected a folder, since {source} is one")
    if target.resolve().is_relative_to(source.resolve()):
        raise ConfigError(
            f"{target}: lies in the folder that is scored, {source}; expected a folder beside it"
        )
    files = data_files(source)
    if not files:
        raise DataError(f"{source}: holds no data files; expected CSV, TSV, JSON Lines, Parquet or Arrow")
    for file in files:
        check_paths(file, "-", text_column=text_column, encoding=encoding)
    return [file.relative_to(source) for file in files]


def score_folder(
    classifier: Predictor | Fleet,
    source: Path | str,
    target: Path | str,
    *,
    rejects: Path | None = None,
    budget: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    **options: Any,
) -> ScoreSummary:
    """The summary of all files, once each is whole and in its place; those that were scored before are not scored again.

    Args:
        classifier: the model.
        source: the folder.
        target: the folder of the scored files, each at the path and in the format that it had.
        rejects: the folder of rejected rows; `_rejects` in the output unless said.
        budget: as for a file; what is measured for the first file that is large enough is taken for all after it.
        progress: called after each chunk with the rows of all files.
        options: as for a file, but for its format and its record.

    Raises:
        NlpkitError: as for a file; the files before it are whole.
    """
    source, target = Path(source), Path(target)
    files = check_folders(
        source, target, text_column=options.get("text_column", "text"), encoding=options.get("encoding")
    )
    counts = [count_rows(source / file) for file in files] if progress else []
    aside = rejects or target / REJECTS

    def job(file: Path) -> ScoringJob:
        (target / file).parent.mkdir(parents=True, exist_ok=True)
        return prepare(
            classifier,
            source / file,
            target / file,
            rejects=aside / f"{file}.rejects.jsonl",
            record=target / RECORDS / f"{file}.json",
            **options,
        )

    jobs = [job(file) for file in files]
    if isinstance(classifier, Fleet):
        classifier.plan([(one.work, begun) for one in jobs if (begun := one.begun) is not None])
    whole = FolderTotals(progress, total=sum(count or 0 for count in counts) if None not in counts else None)
    found = whole.of((one.run for one in jobs), budget)
    return replace(found, output=target, rejects=aside if whole.rejected else None)


class FolderTotals:
    """Adds up what was done in some files."""

    def __init__(self, progress: Callable[[Progress], None] | None, *, total: int | None) -> None:
        self._progress, self._total = progress, total
        self._start = time.perf_counter()
        self._files: list[ScoreSummary] = []

    def of(self, files: Iterable[Callable[..., ScoreSummary]], budget: int | None) -> ScoreSummary:
        """The sums, once each file was scored with the budget that is said, or else was measured for the first that is large enough."""
        for score in files:
            done = score(budget=budget, progress=self.tell)
            self._files.append(done)
            # The same however often this was interrupted: what a file was made with is kept in its record.
            if budget is None and done.rows >= WORTH_TUNING:
                budget = done.budget
        return self._summary()

    @property
    def rejected(self) -> int:
        """Rejected rows of all files."""
        return sum(one.rejected for one in self._files)

    def tell(self, at: Progress) -> None:
        """Tell how far all files are, from how far one is."""
        if self._progress:
            self._progress(
                replace(
                    at,
                    rows=at.rows + sum(one.rows + one.rejected for one in self._files),
                    total=self._total,
                    resumed_from=at.resumed_from + sum(one.resumed_from for one in self._files),
                    seconds=time.perf_counter() - self._start,
                )
            )

    def _summary(self) -> ScoreSummary:
        seconds = time.perf_counter() - self._start
        rows, rejected = sum(one.rows for one in self._files), self.rejected
        before = sum(one.resumed_from for one in self._files)
        return ScoreSummary(
            rows=rows,
            rejected=rejected,
            partly_read=sum(one.partly_read for one in self._files),
            seconds=seconds,
            texts_per_second=(rows + rejected - before) / seconds if seconds > 0 else 0.0,
            resumed_from=before,
            output=None,
            rejects=None,
            budget=self._files[-1].budget,
        )
