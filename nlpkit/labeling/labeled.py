"""What people answered: labels in a file, by one person or several, as rows to train on."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.config import validate
from nlpkit.data.near import normalized
from nlpkit.data.records import Record, read_records, text_of
from nlpkit.errors import DataError
from nlpkit.metrics.agreement import krippendorff_alpha
from nlpkit.settings.data import LabelSource
from nlpkit.sources import resolve
from nlpkit.tasks.annotators import annotated_labels
from nlpkit.tasks.label_names import known_label, label_of


@dataclass(frozen=True, kw_only=True)
class LabeledRows:
    """The texts that have a label, each once."""

    source: str
    rows: tuple[tuple[str, str], ...]
    """Text and label."""
    empty: int
    """Rows without a label."""
    disputed: int
    """Texts that people gave different labels: left out."""
    shared: int
    """Texts that more than one person labeled."""
    raters: tuple[str, ...] = ()
    """The columns of the people."""
    agreement: float | None = None
    """Krippendorff's alpha on the shared texts; None where there are none, or all have one label."""

    @property
    def lines(self) -> list[str]:
        """What was read, in words."""
        lines = [f"{len(self.rows):,} labeled texts in {self.source}"]
        if self.empty:
            lines.append(f"{self.empty:,} rows have no label yet, and are left out")
        if self.raters and not self.shared:
            lines.append(
                f"warning: {' and '.join(self.raters)} have no text in common, so that nobody knows whether "
                "they agree; hint: give both the same 20 texts"
            )
        if self.shared:
            alpha = "not defined: all labels are equal" if self.agreement is None else f"{self.agreement:.2f}"
            lines.append(f"{self.shared:,} texts have several answers; Krippendorff's alpha is {alpha}")
        if self.disputed:
            lines.append(f"{self.disputed:,} texts with different answers are left out")
        return lines


def read_labeled(file: str, known: Sequence[str], *, text: str, label: str, **fields: Any) -> LabeledRows:
    """Read the labels that people gave.

    Rows of the same text are answers of several people, and so are the columns that `annotators` names. A
    text with different answers is left out.

    Args:
        file: with labels; rows without one are counted.
        known: the labels that there are.
        text: the column of the text.
        label: the column of the label.
        fields: further settings of a source of labels: labels, annotators, format, encoding.

    Raises:
        DataError: a label is not known, or no row has one.
    """
    source = validate({**fields, "source": file, "text": text, "label": label}, LabelSource, where=Path(file))
    names = [text, *(source.annotators or (label,))]
    answers: dict[str, list[str]] = defaultdict(list)
    texts: dict[str, str] = {}
    empty = 0
    for record in read_records(
        resolve(file, kind="data"), format=source.format, encoding=source.encoding, columns=names
    ):
        given = _answers(record, source, known)
        empty += not given
        if given:
            words = text_of(record, text)
            texts.setdefault(normalized(words), words)
            answers[normalized(words)] += given
    if not answers:
        raise DataError(
            f"{file}: none of its {empty:,} rows has a label; hint: fill the column {names[1]!r}, "
            "or name another with --label"
        )
    agreed = {key: given for key, given in answers.items() if len(set(given)) == 1}
    if not agreed:
        raise DataError(
            f"{file}: people gave different labels to each of its {len(answers):,} texts; nothing is left to "
            "learn; hint: agree on a label for each"
        )
    several = [[known.index(each) for each in given] for given in answers.values() if len(given) > 1]
    return LabeledRows(
        source=file,
        rows=tuple((texts[key], given[0]) for key, given in agreed.items()),
        empty=empty,
        disputed=len(answers) - len(agreed),
        shared=len(several),
        raters=source.annotators,
        agreement=krippendorff_alpha(several, "nominal"),
    )


def _answers(record: Record, source: LabelSource, labels: Sequence[str]) -> tuple[str, ...]:
    if source.annotators:
        return annotated_labels(record, source, labels)
    held = record.fields.get(source.label)
    if held is None or not str(held).strip():
        return ()
    return (known_label(label_of(record, source), labels, record.where, source.label),)
