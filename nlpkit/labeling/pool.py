"""The texts of a file that may be asked about, read once and kept in bounded memory, whatever its size."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.near import normalized
from nlpkit.data.records import Record, text_of
from nlpkit.data.rows import BadRow
from nlpkit.data.text_hashes import KnownTexts
from nlpkit.errors import DataError
from nlpkit.labeling.choice import gaps
from nlpkit.trust.answer_columns import labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 1024
ROW = "row"
"""The column of where a text stands in its file, from 1."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A text that may be asked about, and what the run makes of it."""

    text: str
    fields: Mapping[str, Any]
    """Where it stands in its file, and the other columns of its row."""
    guess: str
    """The label that the run finds most probable."""
    certainty: float
    """Its probability."""
    probabilities: NDArray[Any]
    """(labels,)."""


class Smallest:
    """Keeps the texts with the smallest numbers, each distinct text once."""

    def __init__(self, most: int, number: Callable[[Candidate], float]) -> None:
        self._most, self._number = most, number
        self._kept: dict[str, tuple[float, Candidate]] = {}

    def add(self, candidates: Iterable[Candidate]) -> None:
        """Take texts as they come."""
        for candidate in candidates:
            self._kept.setdefault(normalized(candidate.text), (self._number(candidate), candidate))
            if len(self._kept) > 2 * self._most + BATCH:
                self._kept = self._smallest()

    def sorted(self) -> list[Candidate]:
        """Return the texts, that of the smallest number first."""
        return [candidate for _, candidate in self._smallest().values()]

    def _smallest(self) -> dict[str, tuple[float, Candidate]]:
        order = sorted(self._kept.items(), key=lambda entry: (entry[1][0], entry[0]))
        return dict(order[: self._most])


def by_gap(candidate: Candidate) -> float:
    """Return how far the second label of a text is behind the first."""
    return float(gaps(candidate.probabilities[None])[0])


def by_hash(seed: int) -> Callable[[Candidate], float]:
    """Return what gives each distinct text a random number, wherever it stands and however often."""

    def number(candidate: Candidate) -> float:
        key = f"{seed} {normalized(candidate.text)}".encode("utf-8", "backslashreplace")
        return float(int.from_bytes(hashlib.sha256(key).digest()[:8]))

    return number


@dataclass(kw_only=True)
class Passed:
    """How many rows of a file were read, and how many of them are not asked about, and why."""

    rows: int = 0
    labeled: int = 0
    """Have a label in the file itself, in the file of labeled rows, or were trained on."""
    bad: int = 0
    """Cannot be read, or hold no text."""

    def skip(self, row: BadRow) -> None:
        """Count a row that cannot be read."""
        self.rows += 1
        self.bad += 1


def unlabeled(
    records: Iterable[Record],
    classifier: Classifier,
    passed: Passed,
    *,
    text: str,
    label: str,
    known: Sequence[KnownTexts],
    skip: bool,
    progress: Callable[[int], None],
) -> Iterator[list[Candidate]]:
    """Yield the texts of records that have no label yet, with what a classifier answers, in batches.

    Rows are counted in `passed`, and those without text skipped with `skip`; `known` texts have a label too.

    Raises:
        DataError: a row has no text.
    """
    import numpy as np

    labels, rest = labels_of(classifier.task.family), iter(records)
    while batch := list(islice(rest, BATCH)):
        passed.rows += len(batch)
        rows = [(record, words) for record in batch if (words := _text(record, text, skip)) is not None]
        passed.bad += len(batch) - len(rows)
        is_known = np.array([is_filled(record.fields.get(label)) for record, _ in rows], dtype=bool)
        for texts in known:
            is_known |= texts.holds([words for _, words in rows])
        passed.labeled += int(is_known.sum())
        asked = [row for row, is_labeled in zip(rows, is_known, strict=True) if not is_labeled]
        answers = classifier.predict([words for _, words in asked]) if asked else []
        candidates = []
        for (record, words), answer in zip(asked, answers, strict=True):
            each = np.array([answer.probabilities[name] for name in labels])
            others = {name: value for name, value in record.fields.items() if name not in (text, label, ROW)}
            candidates.append(
                Candidate(
                    text=words, fields={ROW: record.row, **others},
                    guess=labels[int(each.argmax())], certainty=float(each.max()), probabilities=each,
                )
            )  # fmt: skip
        if candidates:
            yield candidates
        progress(passed.rows)


def _text(record: Record, column: str, skip: bool) -> str | None:
    """Return the text of a record; None where it has none and such rows are skipped."""
    try:
        return text_of(record, column)
    except DataError:
        if not skip:
            raise
        return None


def is_filled(held: object) -> bool:
    """Return whether a cell holds a label."""
    return held is not None and bool(str(held).strip())
