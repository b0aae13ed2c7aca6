"""The work of the score tab without the page: score a text or a file, and summarize the answers."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Protocol

from demo.charts import bars, histogram
from demo.guard import DemoLimits
from nlpkit.data.records import columns_of, count_rows, read_records
from nlpkit.errors import DataError, nearest
from nlpkit.scoring.predictors import Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import ScoreSummary, score_file
from nlpkit.tasks.answers.family import ColumnType, Shown
from nlpkit.tasks.prediction import Prediction

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
BINS = 20
PREVIEW = 10
CHUNK = 256
"""Rows between two checks whether to go on: about a second."""


class TextScorer(Predictor, Protocol):
    """Predicts texts and has a name, as a Classifier does."""

    @property
    def name(self) -> str:
        """Return the name of the model."""

    def shown(self, answer: Prediction) -> Shown:
        """Return how an answer is shown."""


@dataclass(frozen=True, kw_only=True)
class ScoredFile:
    """A scored file, and what is drawn of it."""

    path: Path
    summary: ScoreSummary
    labels: dict[str, int]
    bins: list[int]
    preview: list[dict[str, str]]


def score_text(scorer: TextScorer, text: str, limits: DemoLimits) -> Prediction:
    """Return the prediction for a text.

    Raises:
        DataError: it is empty or too long.
    """
    if not text.strip():
        raise DataError("the text is empty; expected one or more sentences")
    if len(text) > limits.pasted_characters:
        raise DataError(
            f"the text has {len(text):,} characters; expected at most {limits.pasted_characters:,}; "
            "hint: put a longer text into a file"
        )
    return scorer.predict([text])[0]


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
        raise DataError(
            f"{file.name}: no column {column!r:.80}; "
            f"expected one of {', '.join(columns)[:300]}{nearest(column, columns)}"
        )
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
    return _summarize(target, summary, column, scorer.columns, prefix)


def _too_many(file: Path, limits: DemoLimits) -> DataError:
    return DataError(
        f"{file.name}: more than {limits.rows:,} rows; expected at most {limits.rows:,}; "
        "hint: `nlpkit score` reads any number"
    )


def _summarize(
    path: Path, summary: ScoreSummary, text: str, columns: Mapping[str, ColumnType], prefix: str
) -> ScoredFile:
    """Count the answers, and keep the first rows without the probabilities of the labels."""
    shown = {f"{prefix}{name}": type for name, type in columns.items() if not name.startswith("p_")}
    counted = next((name for name, type in shown.items() if type == "string"), "")
    labels: Counter[str] = Counter()
    scores: list[float] = []
    preview: list[dict[str, str]] = []
    for record in read_records(path):
        fields = record.fields
        if fields.get(counted) is not None:
            labels[str(fields[counted])] += 1
        if (score := fields.get(f"{prefix}score")) not in (None, ""):
            scores.append(float(str(score)))
        if len(preview) < PREVIEW:
            row = {text: str(fields[text])[:200]}
            preview.append(row | {name: _cell(fields[name], type) for name, type in shown.items()})
    return ScoredFile(
        path=path,
        summary=summary,
        labels=dict(sorted(labels.items())),
        bins=binned(scores, -1.0, 1.0),
        preview=preview,
    )


def _cell(value: object, type: ColumnType) -> str:
    return f"{float(str(value)):.3f}" if type == "float" else str(value)[:200]


def binned(numbers: list[float], low: float, high: float) -> list[int]:
    """Count the numbers in each of 20 equal bins; the last bin includes both its ends."""
    counts = [0] * BINS
    width = (high - low) / BINS or 1.0
    for number in numbers:
        counts[max(0, min(BINS - 1, int((number - low) / width)))] += 1
    return counts


def text_page(answer: Shown, *, partial: bool) -> str:
    """Return an answer as HTML."""
    parts = [f'<p class="answer"><strong>{escape(answer.headline)}</strong>{_signed(answer.score)}</p>']
    if answer.shares:
        shares = {name: round(100 * share, 1) for name, share in answer.shares}
        parts.append(bars(shares, spoken="Confidence", unit=" %"))
    if partial:
        parts.append('<p class="quiet">The text is too long; parts of it were not read.</p>')
    return "".join(parts)


def file_page(scored: ScoredFile) -> str:
    """Return a scored file as HTML: counts, plots and its first rows."""
    summary = scored.summary
    words = f"{summary.rows:,} rows scored in {summary.seconds:.1f} s"
    if summary.rejected:
        words += f", {summary.rejected:,} left out because they cannot be read"
    parts = [f'<p class="answer">{words}.</p>']
    if scored.labels:
        parts.append(
            bars({name: float(count) for name, count in scored.labels.items()}, spoken="Rows by label")
        )
    if any(scored.bins):
        parts.append(histogram(scored.bins, -1.0, 1.0, spoken="Rows by score"))
    if scored.preview:
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in scored.preview[0])
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row.values()) + "</tr>"
            for row in scored.preview
        )
        caption = f"The first {len(scored.preview)} rows"
        parts.append(
            f'<div class="wide" tabindex="0" role="region" aria-label="{caption}">'
            f'<table class="rows"><caption>{caption}</caption>'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )
    return "".join(parts)


def _signed(score: float | None) -> str:
    return "" if score is None else f' <span class="quiet">score {score:+.3f} on a scale from -1 to 1</span>'
