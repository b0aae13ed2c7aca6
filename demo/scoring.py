"""Score an uploaded file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from demo.guard import DemoLimits
from demo.scored_summary import SAMPLED, ScoredFile, summarize
from demo.text_scorer import TextScorer
from nlpkit.data.likely_columns import columns_as, likely
from nlpkit.data.records import columns_of, count_rows, read_records
from nlpkit.errors import DataError, nearest
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import score_file

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
CHUNK = 256
"""Rows between two checks whether to go on: about a second."""


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An uploaded file before it is scored."""

    columns: list[str]
    text: str
    """The column that most likely holds the texts."""
    sample: list[str]
    """The first values of it."""


def text_columns(file: Path, limits: DemoLimits) -> list[str]:
    """Return the columns of an uploaded file.

    Raises:
        DataError: the format is unknown, or the file is too large or damaged.
    """
    if file.suffix.lower() not in FORMATS:
        raise DataError(
            f"{file.name}: ends in {file.suffix or 'nothing'!r}; expected one of {', '.join(FORMATS)}"
        )
    size = file.stat().st_size
    if size > limits.upload_bytes:
        raise DataError(
            f"{file.name}: {size:,} bytes; expected at most {limits.upload_bytes:,}; "
            "hint: `nlpkit score` reads files of any size"
        )
    return columns_of(file)


def look(file: Path, limits: DemoLimits) -> Upload:
    """Return the columns of an uploaded file, the likely one of the texts, and a sample of it.

    Raises:
        DataError: as for `text_columns`.
    """
    columns = text_columns(file, limits)
    rows = [record.fields for record in islice(read_records(file, on_bad=lambda bad: None), SAMPLED)]
    text = likely("text", columns_as(rows, columns)) or next(iter(columns), "")
    sample = [str(row[text]) for row in rows if isinstance(row.get(text), str)]
    return Upload(columns=columns, text=text, sample=sample[:3])


def score_upload(
    scorer: TextScorer,
    file: Path,
    folder: Path,
    *,
    column: str,
    limits: DemoLimits,
    report: Callable[[Progress], None] | None = None,
) -> ScoredFile:
    """Score a file into a folder of its own, and summarize it. Unreadable rows are counted and left out.

    Raises:
        DataError: the file cannot be read, has too many rows, or has no such column.
    """
    columns = text_columns(file, limits)
    if column not in columns:
        raise DataError(f"{file.name}: no column {column!r:.80}{nearest(column, columns)}")
    rows = count_rows(file)
    # The estimate for a CSV file counts quoted line breaks as rows, so that only clear cases are refused here
    if rows is not None and rows > limits.rows * (1 if file.suffix.lower() == ".parquet" else 4):
        raise _too_many(file, limits)

    def check(progress: Progress) -> None:
        if progress.rows > limits.rows:
            raise _too_many(file, limits)
        if report:
            report(progress)

    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{file.stem[:80]}.scored{file.suffix.lower()}"
    prefix = "predicted_" if set(columns) & set(scorer.columns) else ""
    try:
        summary = score_file(
            scorer,
            file,
            target,
            text=column,
            on_error="skip",
            overwrite=True,
            prefix=prefix,
            progress=check,
            chunk_rows=CHUNK,
        )
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return summarize(target, summary, column, scorer, prefix)


def _too_many(file: Path, limits: DemoLimits) -> DataError:
    return DataError(
        f"{file.name}: more than {limits.rows:,} rows; expected at most {limits.rows:,}; "
        "hint: `nlpkit score` reads any number"
    )
