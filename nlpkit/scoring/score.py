"""Score a file: every row as it was, with the model's answer for its text."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from nlpkit.data.opened_file import OpenedFile, open_file
from nlpkit.errors import ConfigError
from nlpkit.scoring.batches import Pipe, TextRows, put_back
from nlpkit.scoring.chunks import ChunkPlan, Fleet
from nlpkit.scoring.job import ScoreSummary, ScoringJob
from nlpkit.scoring.labeling_writers import TASKS, LabelingWriter
from nlpkit.scoring.listed_rows import AnswerColumns
from nlpkit.scoring.options import CHUNK_ROWS, OnError, RowPer, ScoreOptions
from nlpkit.scoring.output import Output, plan_output
from nlpkit.scoring.output_columns import Columns, plan_columns
from nlpkit.scoring.predictors import Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.state import begun_with
from nlpkit.scoring.turn_rows import aspect_column_of, image_column_of, turn_columns_of
from nlpkit.scoring.writers import RowWriter, writer_of
from nlpkit.tasks.prediction import read_with_texts, reads_aspects, reads_pictures, turns_read_by

__all__ = ["CHUNK_ROWS", "FilePlan", "Progress", "ScoreSummary", "plan_file", "score_file"]


def score_file(
    classifier: Predictor | Fleet,
    source: Path | str,
    target: Path | str,
    *,
    text: str = "text",
    format: str | None = None,
    output_format: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "stop",
    rejects: Path | None = None,
    record: Path | None = None,
    overwrite: bool = False,
    raw_csv: bool = False,
    prefix: str = "",
    row_per: RowPer = "text",
    chunk_rows: int = CHUNK_ROWS,
    budget: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    conversation: str | None = None,
    speaker: str | None = None,
    aspect: str | None = None,
    image: str | None = None,
    text_column: str | None = None,
) -> ScoreSummary:
    """Score a file into another, and return the summary once the output is complete and in its place.

    Memory stays constant. A scoring of a file into a file that was stopped, for whatever reason, goes on from
    there when it is called again in the same way, and makes the same bytes.

    Args:
        classifier: the model.
        source: a file, or "-" for standard input.
        target: a file, or "-" for standard output.
        text: the column that holds the text.
        format: csv, tsv, tsv-plain, jsonl, parquet or arrow, where the input's name does not show it.
        output_format: likewise for the output; label-studio, doccano, argilla and prodigy too.
        encoding: the input's text encoding, where it is not UTF-8.
        on_error: "skip" writes bad rows to a file of their own; "stop" ends at the first.
        rejects: that file; default: next to the output.
        record: a file that keeps how the output was made. An output that it shows to be made so already is
            not made again.
        overwrite: replace an output that exists, and drop unfinished work that cannot go on.
        raw_csv: leave CSV cells that a spreadsheet would run as formulas as they are.
        prefix: put before the names of the new columns.
        row_per: "opinion" writes one row an opinion that the model finds, for a run of aspects; a text
            without any keeps one row.
        chunk_rows: rows that are computed and made safe together.
        budget: max tokens per batch, which decides the last bits; default: what is measured to be fastest for
            the first rows. A scoring that goes on keeps the one it began with.
        progress: called after each chunk, from another thread.
        conversation: the column that tells conversations apart, for a model that reads turns; default:
            `conversation`. Each row is then scored with the turns before it.
        speaker: the column of who speaks, for such a model; default: `speaker`.
        aspect: the column of the aspect, for a model that is asked about one; default: `aspect`.
        image: the column of the picture, for a model that reads pictures; default: `image`.
        text_column: the former name of `text`.

    Raises:
        ConfigError: a path or format is invalid, or a new column has the name of one that is there.
        DataError: the input is bad, or has changed since the scoring began.
        RunError: the model or the settings have changed since.
        NlpkitError: the disk is full, or another process writes the output.
    """
    if text_column is not None:
        warnings.warn("text_column= is now text=", DeprecationWarning, stacklevel=2)
    options = ScoreOptions(
        text=text_column or text,
        conversation=conversation,
        speaker=speaker,
        aspect=aspect,
        image=image,
        format=format,
        output_format=output_format,
        encoding=encoding,
        on_error=on_error,
        rejects=rejects,
        record=record,
        overwrite=overwrite,
        raw_csv=raw_csv,
        prefix=prefix,
        row_per=row_per,
        chunk_rows=chunk_rows,
    )
    return plan_file(source, target, options).score(classifier, budget=budget, progress=progress)


def plan_file(source: Path | str, target: Path | str, options: ScoreOptions) -> FilePlan:
    """Check all of a scoring that can be checked without a model: takes milliseconds and changes nothing.

    Raises:
        ConfigError: the output's path or a format is invalid.
        DataError: the input is not there, cannot be read, or lacks the column with the text.
    """
    file = open_file(source, format=options.format, encoding=options.encoding, columns=options.columns)
    return FilePlan(file=file, output=plan_output(file, target, options), options=options)


@dataclass(frozen=True, kw_only=True)
class FilePlan:
    """An input and an output that can be used, before the model is known."""

    file: OpenedFile
    output: Output
    options: ScoreOptions

    def begun_with(self) -> str | None:
        """Return the fingerprint of the model that began or made the output; None without any."""
        return None if self.output.path is None else begun_with(self.output.folder, self.output.record)

    def is_long(self, size: int) -> bool:
        """Return whether the input holds at least so many bytes; standard input is read as far as needed."""
        if self._pipe:
            return self._pipe.is_long(size)
        return self.file.path is not None and self.file.path.stat().st_size >= size

    @property
    def _rows(self) -> TextRows:
        options = self.options
        return TextRows(file=self.file, text=options.text, skip=options.skips_bad_rows, by=options.by)

    def _rows_for(self, model: Predictor | Fleet) -> TextRows:
        """Return the rows as the model reads them: texts, turns, or texts with an aspect or a picture.

        Raises:
            ConfigError: a column that it reads is missing, or it reads more than texts and the input is
                standard input.
        """
        turns = turns_read_by(model)
        if (more := read_with_texts(model)) and self.file.path is None:
            raise ConfigError(
                f"standard input: this model reads {more} with each text, and needs a file; "
                "hint: write the rows to a file first, such as rows.jsonl"
            )
        columns = self.file.header.columns if self.file.header else ()
        return replace(
            self._rows,
            turns=turn_columns_of(turns, self.options, columns),
            aspect=aspect_column_of(reads_aspects(model), self.options, columns),
            image=image_column_of(reads_pictures(model), self.options, columns),
        )

    @cached_property
    def _pipe(self) -> Pipe | None:
        """Standard input, where that is the input: it can be read only once."""
        batches = self._rows.batches(self.options.chunk_rows, done=0)
        return Pipe(batches) if self.file.path is None else None

    def job(self, model: Predictor | Fleet) -> ScoringJob:
        """Return the scoring by a model.

        Raises:
            ConfigError: the input has a column that the model adds.
            DataError: the input is bad.
        """
        options, output, rows = self.options, self.output, self._rows_for(model)
        # Standard input can be read only once: its first rows are read now, for the columns, and put back.
        piped = self._pipe.batches if self._pipe else None
        first = next(piped, None) if piped else None
        answers = AnswerColumns.of(model.columns, options.row_per)
        added = {f"{options.prefix}{name}": kind for name, kind in answers.kinds.items()}
        columns = plan_columns(rows, first.records if first else (), output.format, added)
        return ScoringJob(
            plan=ChunkPlan(
                rows=rows,
                columns=columns,
                writer=self._writer(columns),
                answers=answers,
                prefix=options.prefix,
                chunk_rows=options.chunk_rows,
            ),
            model=model,
            output=output,
            overwrite=options.overwrite,
            raw_csv=options.raw_csv,
            piped=put_back(first, piped) if piped else None,
        )

    def _writer(self, columns: Columns) -> RowWriter:
        options, output = self.options, self.output
        if output.format in TASKS:
            return LabelingWriter(columns, output.format, text=options.text, prefix=options.prefix)
        return writer_of(output.format, columns, compress=output.compress, raw_csv=options.raw_csv)

    def score(
        self,
        model: Predictor | Fleet,
        *,
        budget: int | None = None,
        progress: Callable[[Progress], None] | None = None,
    ) -> ScoreSummary:
        """Score the file, as `score_file` does."""
        total = self.file.count() if progress else None
        return self.job(model).run(budget=budget, progress=progress, total=total)
