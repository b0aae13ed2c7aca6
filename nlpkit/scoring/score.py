"""Score a file: every row as it was, with what the model says of its text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nlpkit import __version__
from nlpkit.scoring.batches import TextRows
from nlpkit.scoring.chunks import ChunkPlan
from nlpkit.scoring.job import ScoreSummary, ScoringJob
from nlpkit.scoring.output_columns import Kind, columns_of
from nlpkit.scoring.paths import OnError, Paths, check_paths
from nlpkit.scoring.predictors import Fleet, Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.writing import writer_of

__all__ = ["CHUNK_ROWS", "Progress", "ScoreSummary", "prepare", "score_file"]

CHUNK_ROWS = 2048
"""Rows that are scored and made safe together: some seconds of work on a CPU, and enough to sort texts by length."""


def score_file(
    classifier: Predictor | Fleet,
    source: Path | str,
    target: Path | str,
    *,
    text_column: str = "text",
    format: str | None = None,
    output_format: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "stop",
    rejects: Path | None = None,
    record: Path | None = None,
    overwrite: bool = False,
    raw_csv: bool = False,
    prefix: str = "",
    chunk_rows: int = CHUNK_ROWS,
    budget: int | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ScoreSummary:
    """The summary of a scoring, once the output is whole and in its place.

    Memory stays constant. A scoring of a file into a file that was stopped, by whatever, goes on where it was when it is called again
    in the same way, and makes the same bytes.

    Args:
        classifier: the model.
        source: a file, or "-" for standard input.
        target: a file, or "-" for standard output.
        text_column: the column that holds the text.
        format: csv, tsv, jsonl, parquet or arrow, where the input's name does not say it.
        output_format: likewise for the output.
        encoding: the input's text encoding, where it is not UTF-8.
        on_error: "skip" writes bad rows to a file of their own; "stop" ends at the first.
        rejects: that file; next to the output unless said.
        record: a file that keeps how the output was made. Where it says that the output was made so already, nothing is done.
        overwrite: replace an output that exists, and drop unfinished work that cannot go on.
        raw_csv: leave CSV cells that a spreadsheet would run as formulas as they are.
        prefix: put before the names of the new columns.
        chunk_rows: rows that are computed and made safe together.
        budget: tokens that are computed together, which decides the last bits; default: what is measured to be fastest for the first
            rows. A scoring that goes on keeps the one it began with.
        progress: called after each chunk, from another thread.

    Raises:
        ConfigError: the paths or formats cannot be meant, or a new column has the name of one that is there.
        DataError: the input is bad, or has changed since the scoring began.
        RunError: the model or the settings have changed since.
        NlpkitError: the disk is full, or another process writes the output.
    """
    job = prepare(
        classifier,
        source,
        target,
        text_column=text_column,
        format=format,
        output_format=output_format,
        encoding=encoding,
        on_error=on_error,
        rejects=rejects,
        record=record,
        overwrite=overwrite,
        raw_csv=raw_csv,
        prefix=prefix,
        chunk_rows=chunk_rows,
    )
    return job.run(budget=budget, progress=progress)


def prepare(
    classifier: Predictor | Fleet,
    source: Path | str,
    target: Path | str,
    *,
    text_column: str = "text",
    format: str | None = None,
    output_format: str | None = None,
    encoding: str | None = None,
    on_error: OnError = "stop",
    rejects: Path | None = None,
    record: Path | None = None,
    overwrite: bool = False,
    raw_csv: bool = False,
    prefix: str = "",
    chunk_rows: int = CHUNK_ROWS,
) -> ScoringJob:
    """The scoring of a file, as `score_file` carries it out: all that can be refused before it begins has been.

    Raises:
        ConfigError: the paths or formats cannot be meant, or a new column has the name of one that is there.
        DataError: the input is bad.
    """
    paths = check_paths(
        source,
        target,
        text_column=text_column,
        format=format,
        output_format=output_format,
        encoding=encoding,
        on_error=on_error,
        rejects=rejects,
        record=record,
        overwrite=overwrite,
    )
    rows = TextRows(
        path=paths.source,
        format=paths.format,
        encoding=encoding,
        text_column=text_column,
        skip=on_error == "skip",
    )
    # Standard input can be read only once: its first rows are taken now, and tell the columns.
    piped = rows.batches(chunk_rows, done=0) if paths.source is None else None
    first = next(piped, None) if piped else None
    added: dict[str, Kind] = {
        f"{prefix}{name}": "string" if name == "label" else "float" for name in classifier.columns
    }
    columns = columns_of(rows, first, paths.output_format, added)
    work = ChunkPlan(
        input=rows,
        columns=columns,
        writer=writer_of(paths.output_format, columns, compress=paths.compress, raw_csv=raw_csv),
        names=tuple(classifier.columns),
        prefix=prefix,
        chunk_rows=chunk_rows,
    )
    settings = _settings(work, classifier, paths, raw_csv=raw_csv)
    return ScoringJob(
        work=work,
        model=classifier,
        paths=paths,
        settings=settings,
        overwrite=overwrite,
        first=first,
        rest=piped,
    )


def _settings(work: ChunkPlan, model: Predictor | Fleet, paths: Paths, *, raw_csv: bool) -> dict[str, str]:
    """All that decides a byte of the output besides the input's content and the budget."""
    return {
        "nlpkit": __version__,
        "model": model.fingerprint,
        "columns": " ".join(work.columns.added),
        "text column": work.input.text_column,
        "input": "standard input" if paths.source is None else "a file",
        "input format": work.input.format,
        "encoding": work.input.encoding or "utf-8",
        "output format": paths.output_format,
        "rows of a chunk": str(work.chunk_rows),
        "raw csv": str(raw_csv),
    }
