"""What people answered: labels in a file and in the journals next to it, as rows to train on."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.config import validate
from nlpkit.data.near import normalized
from nlpkit.data.records import Record, read_records, text_of
from nlpkit.errors import DataError
from nlpkit.labeling.agreement import agreement, agreement_line
from nlpkit.labeling.journal import journals_of, merged
from nlpkit.labeling.pool import is_filled
from nlpkit.metrics.score import Score
from nlpkit.settings.data import LabelSource
from nlpkit.sources import resolve
from nlpkit.tasks.annotators import annotated_labels
from nlpkit.tasks.label_names import known_label, label_of

MOST_LISTED = 5
"""Texts with different labels that are shown; all are counted."""


@dataclass(frozen=True, kw_only=True)
class LabeledRows:
    """The texts that have a label, each once."""

    source: str
    rows: tuple[tuple[str, str], ...]
    """Text and label."""
    empty: int
    """Rows without a label."""
    disputes: tuple[tuple[str, tuple[str, ...]], ...]
    """Texts that people gave different labels, which are left out, and these labels."""
    raters: tuple[str, ...]
    """The columns of the people, and those who have a journal."""
    agreement: Score
    """Krippendorff's alpha on the texts that more than one person labeled."""
    gone: int
    """Texts in journals that the file no longer has."""

    @property
    def lines(self) -> list[str]:
        """What was read, in words."""
        lines = [f"{len(self.rows):,} labeled texts in {self.source}"]
        if self.empty:
            lines.append(f"{self.empty:,} rows have no label yet, and are left out")
        if self.gone:
            lines.append(f"{self.gone:,} texts of the journals are not in the file, and are left out")
        if agreed := agreement_line(self.agreement, self.raters):
            apart = len(self.raters) > 1 and not self.agreement.count
            lines.append(f"warning: {agreed}; hint: give both the same 20 texts" if apart else agreed)
        if self.disputes:
            lines.append(
                f"{len(self.disputes):,} texts with different labels are left out; hint: fill the "
                "column of the label for them, which decides"
            )
            lines += [f"  {', '.join(given)}: {text[:80]!r}" for text, given in self.disputes[:MOST_LISTED]]
        return lines


def read_labeled(file: str, known: Sequence[str], *, text: str, label: str, **fields: Any) -> LabeledRows:
    """Read the labels that people gave.

    Rows of the same text are answers of several people, and so are the columns that `annotators` names, and
    the journals of raters next to the file. A text with different answers is left out. A label in the file
    wins over those in journals. `known` are the labels that there are, `fields` further settings of the
    source: labels, annotators, format, encoding.

    Raises:
        DataError: a label is not known, or no row has one.
    """
    source = validate({**fields, "source": file, "text": text, "label": label}, LabelSource, where=Path(file))
    path = resolve(file, kind="data")
    journals = journals_of(path)
    for journal in journals:
        for name in journal.labels().values():
            known_label(name, known, str(journal.path), "label")
    columns = source.annotators or (() if journals else (label,))
    own: dict[str, tuple[str, ...]] = defaultdict(tuple)
    texts: dict[str, str] = {}
    without: Counter[str] = Counter()
    for record in read_records(
        path, format=source.format, encoding=source.encoding, columns=[text, *columns]
    ):
        given = _answers(record, source, known)
        words = text_of(record, text) if given else str(record.fields.get(text) or "")
        key = normalized(words)
        texts.setdefault(key, words)
        if given:
            own[key] += given
        else:
            without[key] += 1
    by_raters = merged(journals)
    theirs = {key: given for key, given in by_raters.items() if key in texts}
    answers = {**theirs, **own}
    empty = sum(count for key, count in without.items() if key not in theirs)
    if not answers:
        first = (columns or (label,))[0]
        raise DataError(
            f"{file}: none of its {empty:,} rows has a label; hint: fill the column {first!r}, "
            "name another with --label, or use nlpkit label open"
        )
    agreed = {key: given[0] for key, given in answers.items() if len(set(given)) == 1}
    if not agreed:
        raise DataError(
            f"{file}: people gave different labels to each of its {len(answers):,} texts; nothing is left to "
            "learn; hint: agree on a label for each"
        )
    return LabeledRows(
        source=file,
        rows=tuple((words, agreed[key]) for key, words in texts.items() if key in agreed),
        empty=empty,
        disputes=tuple((texts[key], given) for key, given in answers.items() if key not in agreed),
        raters=(*source.annotators, *(journal.rater for journal in journals)),
        agreement=agreement([*theirs.values(), *own.values()]),
        gone=len(by_raters) - len(theirs),
    )


def _answers(record: Record, source: LabelSource, labels: Sequence[str]) -> tuple[str, ...]:
    if source.annotators:
        return annotated_labels(record, source, labels)
    if not is_filled(record.fields.get(source.label)):
        return ()
    return (known_label(label_of(record, source), labels, record.where, source.label),)
