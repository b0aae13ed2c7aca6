"""The texts of a file that may be asked about, read once and kept in bounded memory, whatever its size."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.near import normalized
from nlpkit.data.records import Record, text_of
from nlpkit.data.text_hashes import KnownTexts
from nlpkit.errors import DataError
from nlpkit.labeling.choice import gaps
from nlpkit.trust.answer_columns import labels_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 1024


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A text that may be asked about, and what the run makes of it."""

    text: str
    row: int
    fields: Mapping[str, Any]
    """The other columns of its row."""
    guess: str
    """The label that the run finds most probable."""
    certainty: float
    """Its probability."""
    probabilities: NDArray[Any]
    """(labels,)."""


class Pool(Protocol):
    """Takes texts, and keeps those that may be asked about."""

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Take texts as they come."""


class Smallest:
    """Keeps the texts with the smallest numbers, each distinct text once; `number` tells those of a batch."""

    def __init__(self, most: int, number: Callable[[Sequence[Candidate]], Sequence[float]]) -> None:
        self._most, self._number = most, number
        self._heap: list[tuple[float, str]] = []
        self._kept: dict[str, Candidate] = {}

    def add(self, candidates: Sequence[Candidate]) -> None:
        """Take texts as they come."""
        for number, candidate in zip(self._number(candidates), candidates, strict=True):
            is_full = len(self._heap) >= self._most
            if is_full and -number < self._heap[0][0]:
                continue
            entry = (-number, normalized(candidate.text))
            if entry[1] in self._kept or (is_full and entry <= self._heap[0]):
                continue
            self._kept[entry[1]] = candidate
            heapq.heappush(self._heap, entry)
            if len(self._heap) > self._most:
                del self._kept[heapq.heappop(self._heap)[1]]

    def sorted(self) -> list[Candidate]:
        """Return the texts, that of the smallest number first."""
        return [self._kept[key] for _, key in sorted(self._heap, reverse=True)]


def by_gap(candidates: Sequence[Candidate]) -> Sequence[float]:
    """Return how far the second label of each text is behind the first."""
    import numpy as np

    numbers: list[float] = gaps(np.stack([each.probabilities for each in candidates])).tolist()
    return numbers


def by_hash(seed: int) -> Callable[[Sequence[Candidate]], Sequence[float]]:
    """Return what gives each distinct text a random number, wherever it stands and however often."""

    def number(candidate: Candidate) -> float:
        key = f"{seed} {normalized(candidate.text)}".encode("utf-8", "backslashreplace")
        return float(int.from_bytes(hashlib.sha256(key).digest()[:8]))

    return lambda candidates: list(map(number, candidates))


@dataclass(kw_only=True)
class Passed:
    """How many rows of a file were read, and how many of them are not asked about, and why."""

    rows: int = 0
    labeled: int = 0
    """Have a label in the file itself, in the file of labeled rows, or were trained on."""
    bad: int = 0
    """Cannot be read, or hold no text."""


def fill(
    pool: Pool,
    records: Iterable[Record],
    classifier: Classifier,
    *,
    text: str,
    label: str,
    known: Sequence[KnownTexts],
    skip: bool,
    progress: Callable[[int], None],
) -> Passed:
    """Let a pool take the texts of records that have no label yet, with what a classifier answers.

    Args:
        pool: takes them.
        records: of a file.
        classifier: gives one label a text, with probabilities.
        text: the column of the text.
        label: the column of the label, where there is one.
        known: texts that have a label already.
        skip: whether rows without text are passed over, and counted.
        progress: gets how many rows were read.

    Raises:
        DataError: a row has no text.
    """
    import numpy as np

    passed, labels = Passed(), labels_of(classifier.task.family)
    for batch in _batches(records):
        passed.rows += len(batch)
        rows = [(record, words) for record in batch if (words := _text(record, text, skip)) is not None]
        passed.bad += len(batch) - len(rows)
        is_known = np.array([is_filled(record.fields.get(label)) for record, _ in rows], dtype=bool)
        for texts in known:
            is_known |= texts.holds([words for _, words in rows])
        passed.labeled += int(is_known.sum())
        asked = [row for row, is_labeled in zip(rows, is_known, strict=True) if not is_labeled]
        if asked:
            predictions = classifier.predict([words for _, words in asked])
            pool.add([
                _candidate(record, words, answer.probabilities, labels, (text, label))
                for (record, words), answer in zip(asked, predictions, strict=True)
            ])  # fmt: skip
        progress(passed.rows)
    return passed


def _candidate(
    record: Record,
    text: str,
    probabilities: Mapping[str, float],
    labels: Sequence[str],
    apart: Sequence[str],
) -> Candidate:
    import numpy as np

    each = np.array([probabilities[label] for label in labels])
    return Candidate(
        text=text,
        row=record.row,
        fields={name: value for name, value in record.fields.items() if name not in apart},
        guess=labels[int(each.argmax())],
        certainty=float(each.max()),
        probabilities=each,
    )


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while batch := list(islice(rest, BATCH)):
        yield batch


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
