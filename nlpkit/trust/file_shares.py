"""The shares of labels in a file, and in each group of it, read in constant memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.dates import FORMATS, Period, is_slashed, period_of, read_date
from nlpkit.data.records import Record, read_records, text_of
from nlpkit.errors import ConfigError, DataError, nearest
from nlpkit.generation.decision_server import naming_rows
from nlpkit.run import Run
from nlpkit.tasks.numbers import number_of
from nlpkit.tasks.reading import NOTHING, group_of
from nlpkit.trust.answer_columns import labels_of, matrices
from nlpkit.trust.calibration_rows import calibration_rows
from nlpkit.trust.shares import FEWEST, Share, SharesEstimator, Tally

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 1024
EVERY = ""
"""The group of all texts."""


@dataclass(frozen=True, kw_only=True)
class FileShares:
    """The shares of labels in a file."""

    texts: int
    held_out: str
    """Where the labeled rows come from that the correction is fitted to."""
    held_out_rows: int
    shares: tuple[Share, ...]
    is_unlike: bool
    """Whether these texts do not look like the labeled rows, so that the shares may be wrong."""
    by_group: Mapping[str, tuple[Share, ...]]
    """Group -> its shares; empty without groups."""
    group_texts: Mapping[str, int]
    left_out: Mapping[str, int]
    """Groups with too few texts, and how many each has."""

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return asdict(self)


def file_shares(
    run: Run | Path | str,
    file: Path | str,
    *,
    text: str = "text",
    by: str | None = None,
    every: Period | None = None,
    format: str | None = None,
    encoding: str | None = None,
    held_out: Path | str | None = None,
    progress: Callable[[int], None] = lambda texts: None,
    **fields: Any,
) -> FileShares:
    """Estimate the share of each label in a file, with 95% intervals.

        nlpkit.file_shares("runs/mine", "reviews.csv", by="month")

    Args:
        run: of a classifier that gives labels.
        file: texts without labels; or a file that `nlpkit score` has scored by this run, whose probabilities
            are taken as they are.
        text: the column that holds the text.
        by: a column whose values get shares of their own, such as a product or a date.
        every: the periods that have shares of their own, where the column `by` holds dates.
        format: as the name shows, by default.
        encoding: of a text file that is not UTF-8.
        held_out: labeled rows that the run was not trained on; default: those of its training.
        progress: gets how many texts are read.
        fields: settings of the source of `held_out`, such as `label`.

    Raises:
        ConfigError: periods without a column of dates.
        DataError: a file or a row is wrong, or there are too few texts or labeled rows.
        RunError: the run does not answer with labels, or has no held-out rows of its own.
    """
    if every and not by:
        raise ConfigError(f"--every {every}: of which dates? hint: add --by and the column that holds them")
    opened = run if isinstance(run, Run) else Run.open(run)
    classifier = Classifier.load(opened)
    labels = labels_of(classifier.task.family)
    rows = calibration_rows(opened, classifier, held_out, **fields)
    estimator = SharesEstimator(rows, is_set="labels" in classifier.columns)
    tallies: dict[str, Tally] = {}
    for batch in _batches(read_records(file, format=format, encoding=encoding)):
        probabilities, given = _answers(classifier, batch, text, labels)
        for group, chosen in _groups(batch, by, every).items():
            tally = tallies.setdefault(group, Tally(len(labels), seed=1))
            tally.add(probabilities[chosen], given[chosen])
        progress(tallies[EVERY].texts)
    if not tallies:
        raise DataError(f"{file}: no rows; expected texts")
    whole = tallies.pop(EVERY)
    shares = estimator.shares(whole)
    large = {group: tally for group, tally in sorted(tallies.items()) if tally.texts >= FEWEST}
    return FileShares(
        texts=whole.texts,
        held_out=rows.source,
        held_out_rows=len(rows),
        shares=tuple(shares),
        is_unlike=estimator.is_unlike(whole, shares),
        by_group={group: tuple(estimator.shares(tally)) for group, tally in large.items()},
        group_texts={group: tally.texts for group, tally in large.items()},
        left_out={group: tally.texts for group, tally in tallies.items() if group not in large},
    )


def _batches(records: Iterable[Record]) -> Iterator[list[Record]]:
    rest = iter(records)
    while batch := list(islice(rest, BATCH)):
        yield batch


def _groups(batch: Sequence[Record], by: str | None, every: Period | None) -> dict[str, list[int]]:
    """Return the rows of each group in a batch, and of all."""
    groups = {EVERY: list(range(len(batch)))}
    for row, record in enumerate(batch if by else ()):
        if by not in record.fields:
            raise DataError(f"{record.where}: no column {by!r}{nearest(str(by), record.fields)}")
        group = group_of(record, str(by))
        groups.setdefault(_period(record, group, every) if every else group, []).append(row)
    return groups


def _period(record: Record, held: str, every: Period) -> str:
    """Return the period of a date; no date keeps the name of its group.

    Raises:
        DataError: it is no date.
    """
    if held == NOTHING:
        return held
    day = read_date(held)
    if day is None:
        two = ", or can be read as two days" if is_slashed(held) else ""
        raise DataError(
            f"{record.where}: {held!r} is no date{two}; expected one such as {FORMATS}; "
            "hint: leave out --every"
        )
    return period_of(day, every)


def _answers(
    classifier: Classifier, batch: Sequence[Record], text: str, labels: Sequence[str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return (texts, labels): the probabilities of a batch, and whether each label was given.

    They are those of the columns of a scored file, where it has them.
    """
    name = "labels" if "labels" in classifier.columns else "label"
    columns = [f"p_{label}" for label in labels]
    if batch[0].fields.keys() >= {name, *columns}:
        for record in batch:
            for column in columns:
                number_of(record, column)
        # A column of the user's own may be called as another family's answers are
        own = [{column: record.fields[column] for column in (name, *columns)} for record in batch]
        return matrices(own, labels)
    texts = [text_of(record, text) for record in batch]
    with naming_rows(zip(texts, (record.where for record in batch), strict=True)):
        predictions = classifier.predict(texts)
    return matrices([answer.row() for answer in predictions], labels)
