"""Score a folder: each data file of it to the same path in another folder, one summary for all."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from nlpkit.data.dataset_folders import data_files
from nlpkit.data.file_format import format_of
from nlpkit.data.opened_file import OpenedFile, find_file, open_file
from nlpkit.data.text_language import added
from nlpkit.errors import ConfigError, DataError
from nlpkit.scoring.chunks import Fleet
from nlpkit.scoring.job import WORTH_TUNING, ScoreSummary, ScoringJob
from nlpkit.scoring.options import ScoreOptions
from nlpkit.scoring.output import plan_output, unfinished
from nlpkit.scoring.predictors import Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import FilePlan
from nlpkit.scoring.state import begun_with

RECORDS, REJECTS = "_nlpkit", "_rejects"
"""Folders next to the scored files; readers of data sets skip names that begin so."""


def plan_folder(source: Path, target: Path, options: ScoreOptions) -> FolderPlan:
    """Open every data file of a folder and check what can be checked without a model.

    Raises:
        ConfigError: the output is no folder, or lies in the input.
        DataError: the input holds no data files, or the first row of one cannot be read.
    """
    if options.format or options.output_format:
        raise ConfigError(
            f"{source}: the files of a folder keep the formats that their names show; "
            "hint: leave out --format and --output-format"
        )
    if (format := format_of(source)) != "folder":
        hint = _part_hint(source, format)
        raise DataError(f"{source}: is a whole {format} export; expected a part of it{hint}")
    for folder in (target, options.rejects or target):
        if folder.exists() and not folder.is_dir():
            raise ConfigError(
                f"{folder}: is a file; expected a folder, since {source} is one; hint: name another path"
            )
        if folder.resolve().is_relative_to(source.resolve()):
            raise ConfigError(
                f"{folder}: lies in the folder that is scored, {source}; hint: name a folder outside it"
            )
    files = {
        path.relative_to(source): open_file(path, encoding=options.encoding, columns=options.columns)
        for path in data_files(source)
    }
    if not files:
        expected = "expected CSV, TSV, JSON Lines, Parquet or Arrow"
        raise DataError(f"{source}: holds no data files; {expected}{_part_hint(source)}")
    for path, file in files.items():
        if file.file.format == "xlsx":
            raise ConfigError(
                f"{source / path}: a workbook cannot be scored in a folder, since none is written; hint: "
                "move it elsewhere and score it alone, as with nlpkit score reviews.xlsx -o scored.csv"
            )
    return FolderPlan(target=target, files=files, options=options)


def _part_hint(source: Path, format: str | None = None) -> str:
    """Return a hint that names a file of the format, or of any that is known, or a folder of such files."""
    for path in sorted(source.iterdir()):
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        formats = {_format_of(file) for file in files if file.is_file()} - {None}
        if format in formats or (format is None and formats):
            return f"; hint: name one that can be scored alone, such as {shlex.quote(str(path))}"
    return ""


def _format_of(file: Path) -> str | None:
    with suppress(DataError):
        return find_file(file).format
    return None


@dataclass(frozen=True, kw_only=True)
class FolderPlan:
    """A folder of files that can be scored, before the model is known."""

    target: Path
    files: dict[Path, OpenedFile]
    """The data files, by their paths below the folder."""
    options: ScoreOptions

    def score(
        self,
        model: Predictor | Fleet,
        *,
        budget: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> ScoreSummary:
        """Score all files that were not scored before, and return one summary.

        Args:
            model: what answers.
            budget: as for a file; what is measured for the first file that is large enough is taken for all
                after it.
            progress: called after each chunk with the rows of all files.

        Raises:
            NlpkitError: as for a file; the files before it are complete.
        """
        counts = [file.count() for file in self.files.values()] if progress else []
        jobs = [self._job(path, file, model) for path, file in self.files.items()]
        if isinstance(model, Fleet):
            model.plan([(job.plan, done) for job in jobs if (done := job.rows_done) is not None])
        totals = FolderTotals(
            progress, total=sum(count or 0 for count in counts) if None not in counts else None
        )
        summary = totals.add((job.run for job in jobs), budget)
        return replace(summary, output=self.target, rejects=self._rejects if totals.rejected else None)

    @property
    def _rejects(self) -> Path:
        return self.options.rejects or self.target / REJECTS

    def begun_with(self) -> str | None:
        """Return the fingerprint of the model that began or made one of the outputs; None without any."""
        known = (begun_with(unfinished(self.target / path), self._record(path)) for path in self.files)
        return next(filter(None, known), None)

    def is_long(self, size: int) -> bool:
        """Return whether the files hold at least so many bytes."""
        return sum(file.path.stat().st_size for file in self.files.values() if file.path) >= size

    def _record(self, path: Path) -> Path:
        return self.target / RECORDS / f"{path}.json"

    def _job(self, path: Path, file: OpenedFile, model: Predictor | Fleet) -> ScoringJob:
        target = self.target / path
        target.parent.mkdir(parents=True, exist_ok=True)
        options = replace(
            self.options,
            rejects=self._rejects / f"{path}.rejects.jsonl",
            record=self._record(path),
        )
        return FilePlan(file=file, output=plan_output(file, target, options), options=options).job(model)


class FolderTotals:
    """Adds up what was done in some files."""

    def __init__(self, progress: Callable[[Progress], None] | None, *, total: int | None) -> None:
        self._progress, self._total = progress, total
        self._start = time.perf_counter()
        self._files: list[ScoreSummary] = []

    def add(self, files: Iterable[Callable[..., ScoreSummary]], budget: int | None) -> ScoreSummary:
        """Score each file, and return the sums.

        The budget is the one that is asked for, else the one measured for the first file that is large
        enough.
        """
        for score in files:
            done = score(budget=budget, progress=self.report)
            self._files.append(done)
            # The same however often this was interrupted: what a file was made with is kept in its record.
            if budget is None and done.rows >= WORTH_TUNING:
                budget = done.budget
        return self._summary()

    @property
    def rejected(self) -> int:
        """Rejected rows of all files."""
        return sum(file.rejected for file in self._files)

    def report(self, at: Progress) -> None:
        """Report how far all files are, given how far one is."""
        if self._progress:
            self._progress(
                replace(
                    at,
                    rows=at.rows + sum(file.rows + file.rejected for file in self._files),
                    total=self._total,
                    resumed_from=at.resumed_from + sum(file.resumed_from for file in self._files),
                    seconds=time.perf_counter() - self._start,
                )
            )

    def _summary(self) -> ScoreSummary:
        seconds = time.perf_counter() - self._start
        rows, rejected = sum(file.rows for file in self._files), self.rejected
        before = sum(file.resumed_from for file in self._files)
        return ScoreSummary(
            rows=rows,
            written=sum(file.written for file in self._files),
            rejected=rejected,
            partly_read=sum(file.partly_read for file in self._files),
            abstained=sum(file.abstained for file in self._files),
            guarded=sum(file.guarded for file in self._files),
            unreadable=added(*(file.unreadable for file in self._files)),
            seconds=seconds,
            texts_per_second=(rows + rejected - before) / seconds if seconds > 0 else 0.0,
            resumed_from=before,
            output=None,
            rejects=None,
            budget=self._files[-1].budget,
        )
