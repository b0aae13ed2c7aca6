"""The summary of a scored file: counts of its labels, the rows at both ends, and what is right."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import dataclass
from heapq import heappush, heappushpop
from itertools import islice
from pathlib import Path

from demo.text_scorer import EXPLAINED, TextScorer
from nlpkit.chat.sentiment import measure_word_effects
from nlpkit.data.examples import from_words
from nlpkit.data.likely_columns import likely
from nlpkit.data.records import read_records
from nlpkit.errors import RunError
from nlpkit.scoring.score import ScoreSummary
from nlpkit.tasks.prediction import SEVERAL

BINS = 20
STRONGEST = 5
"""Rows shown at each end of the scores."""
SAMPLED = 200
"""Rows from which the columns of the text and of the true label are guessed."""
NONE = "none of the labels"
"""What rows are counted under that may have several labels and have none."""


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


def summarize(path: Path, summary: ScoreSummary, text: str, scorer: TextScorer, prefix: str) -> ScoredFile:
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
