"""The work of the score tab without the page: score a text or a file, and summarize the answers."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import heappush, heappushpop
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from demo.guard import DemoLimits
from nlpkit.chat.sentiment import measure_word_effects
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import from_words
from nlpkit.data.likely_columns import columns_as, likely
from nlpkit.data.records import columns_of, count_rows, read_records
from nlpkit.errors import DataError, RunError, nearest
from nlpkit.scoring.predictors import Predictor
from nlpkit.scoring.progress import Progress
from nlpkit.scoring.score import ScoreSummary, score_file
from nlpkit.tasks.answers.showing import Shown
from nlpkit.tasks.prediction import SEVERAL, Prediction
from nlpkit.trust.explain import brief_explainer
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.explanation import Explanation

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
BINS = 20
STRONGEST = 5
"""Rows shown at each end of the scores."""
EXPLAINED = 40
"""Words of a shown text up to which the effect of each is measured: each costs a prediction or a few."""
SAMPLED = 200
"""Rows from which the columns of the text and of the true label are guessed."""
NONE = "none of the labels"
"""What rows are counted under that may have several labels and have none."""
CHUNK = 256
"""Rows between two checks whether to go on: about a second."""


class TextScorer(Predictor, Protocol):
    """Predicts texts and has a name, as a Classifier does."""

    @property
    def name(self) -> str:
        """Return the name of the model."""

    def shown(self, answer: Prediction) -> Shown:
        """Return how an answer is shown."""

    def predict(self, texts: Sequence[Any]) -> list[Prediction]:
        """Return one prediction for each text."""


@dataclass(frozen=True, kw_only=True)
class ScoredFile:
    """A scored file, and what is drawn of it."""

    path: Path
    summary: ScoreSummary
    labels: dict[str, int]
    """Rows that have each label; NONE counts those without any."""
    are_several: bool
    """Whether a row may have several of the labels."""
    bins: list[int]
    strongest: dict[str, list[Strong]]
    """The rows at each end, by what the end is called."""
    truth: Truth | None
    """None where no column holds the model's labels."""


@dataclass(frozen=True, kw_only=True)
class Strong:
    """A row at one end of the scores, and the effect of its words on it."""

    text: str
    answer: str
    strength: float
    words: list[tuple[str, float]]


@dataclass(frozen=True, kw_only=True)
class Truth:
    """The answers compared with a column that holds the true labels."""

    column: str
    counts: dict[tuple[str, str], int]
    """Rows by (true label, predicted label)."""

    @property
    def rows(self) -> int:
        """Rows that have a true label."""
        return sum(self.counts.values())

    @property
    def right(self) -> int:
        """Rows whose prediction is the true label."""
        return sum(count for (true, predicted), count in self.counts.items() if true == predicted)


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An uploaded file before it is scored."""

    columns: list[str]
    text: str
    """The column that most likely holds the texts."""
    sample: list[str]
    """The first values of it."""


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


def explainer_of(scorer: TextScorer) -> Explainer | None:
    """Return what explains a scorer's answers as `nlpkit explain` does; None where nothing can."""
    return brief_explainer(scorer) if isinstance(scorer, Classifier) else None


def explain_text(explainer: Explainer, text: str) -> Explanation | None:
    """Return what each word adds to the most probable label of a text, or to its number.

    None where the text has no words, or too many to be explained while somebody waits.
    """
    try:
        words = explainer.check(text, "the text")
    except DataError:
        return None
    return next(explainer.explain([text]))[0] if words <= EXPLAINED else None


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
    return _summarize(target, summary, column, scorer, prefix)


def _too_many(file: Path, limits: DemoLimits) -> DataError:
    return DataError(
        f"{file.name}: more than {limits.rows:,} rows; expected at most {limits.rows:,}; "
        "hint: `nlpkit score` reads any number"
    )


def _summarize(path: Path, summary: ScoreSummary, text: str, scorer: TextScorer, prefix: str) -> ScoredFile:
    """Count the answers, keep the rows at both ends, and compare with the true labels where a column holds
    them.
    """
    counted = next((name for name, type in scorer.columns.items() if type == "string"), "")
    are_several = counted == SEVERAL
    shares = {name: name.removeprefix("p_") for name in scorer.columns if name.startswith("p_")}
    labels: Counter[str] = Counter()
    scores: list[float] = []
    ends: dict[str, list[tuple[float, int, str, str]]] = {}
    truth = None if are_several else _true_labels(path, text, scorer, prefix, set(shares.values()))
    pairs: Counter[tuple[str, str]] = Counter()
    for number, record in enumerate(read_records(path)):
        fields = record.fields
        answer = str(fields.get(f"{prefix}{counted}") or "" if counted else "")
        if are_several:
            labels.update(from_words(answer) or [NONE])
            answer = answer or NONE
        elif answer:
            labels[answer] += 1
        if truth and answer and (true := str(fields.get(truth) or "").strip()):
            pairs[true, answer] += 1
        score = fields.get(f"{prefix}score")
        if score not in (None, ""):
            scores.append(float(str(score)))
            strengths = {"Most positive": scores[-1], "Most negative": -scores[-1]}
        else:
            surest = max((float(str(fields[f"{prefix}{name}"])) for name in shares), default=0.0)
            strengths = {"Surest": surest} if shares else {}
        for end, strength in strengths.items():
            kept = ends.setdefault(end, [])
            if strength > 0 and all(fields[text] != row[2] for row in kept):
                (heappush if len(kept) < STRONGEST else heappushpop)(
                    kept, (strength, -number, str(fields[text]), answer)
                )
    return ScoredFile(
        path=path,
        summary=summary,
        labels=dict(sorted(labels.items())),
        are_several=are_several,
        bins=binned(scores, -1.0, 1.0),
        strongest={end: _explained(rows, scorer) for end, rows in sorted(ends.items(), reverse=True) if rows},
        truth=Truth(column=truth, counts=dict(pairs)) if truth and pairs else None,
    )


def _true_labels(path: Path, text: str, scorer: TextScorer, prefix: str, labels: set[str]) -> str | None:
    """Return the column that holds the model's labels and no others, by its first rows."""
    rows = [record.fields for record in islice(read_records(path), SAMPLED)]
    added = {f"{prefix}{name}" for name in scorer.columns} | {text}
    held: dict[str, set[str]] = {}
    for row in rows:
        for name, value in row.items():
            if name not in added and value not in (None, ""):
                held.setdefault(name, set()).add(str(value).strip())
    fitting = {name: sorted(values) for name, values in held.items() if values <= labels}
    return likely("label", fitting) or next(iter(fitting), None)


def _explained(rows: list[tuple[float, int, str, str]], scorer: TextScorer) -> list[Strong]:
    """Return rows, the strongest first, with the effect of their words where that can be measured."""
    explained = []
    for strength, _, text, answer in sorted(rows, reverse=True):
        words: list[tuple[str, float]] = []
        if len(text.split()) <= EXPLAINED:
            with contextlib.suppress(RunError):  # its labels do not lie between negative and positive
                words = measure_word_effects(scorer, text)
        explained.append(Strong(text=text, answer=answer, strength=strength, words=words))
    return explained


def binned(numbers: list[float], low: float, high: float) -> list[int]:
    """Count the numbers in each of 20 equal bins; the last bin includes both its ends."""
    counts = [0] * BINS
    width = (high - low) / BINS or 1.0
    for number in numbers:
        counts[max(0, min(BINS - 1, int((number - low) / width)))] += 1
    return counts
