"""A look at labelled rows before anything is trained: the check, on any source, with any base's tokens."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.data.check_report import CheckReport
from nlpkit.data.checks import check
from nlpkit.data.examples import LabeledText
from nlpkit.data.personal import Detector
from nlpkit.data.records import BadRow, Record, read_records, text_of
from nlpkit.errors import DataError
from nlpkit.models.pretrained import find_base, load_tokenizer, window_of
from nlpkit.sources import resolve
from nlpkit.tasks.encoding import token_ids


def check_source(
    data: str, *, text: str, label: str, test: str | None = None,
    base: str | None = None, encoding: str | None = None, pii: Detector = "patterns",
) -> tuple[CheckReport, list[BadRow]]:  # fmt: skip
    """What there is to know of the rows, and those that could not be read; an empty text is found, not refused.

    Raises:
        DataError: no such file or column.
    """
    bad: list[BadRow] = []
    parts = {"data": _rows(data, text, label, encoding, bad)}
    if test:
        parts["test"] = _rows(test, text, label, encoding, bad)
    if base is None:
        return check(parts, tokens=None, window=None, pii=pii), bad
    folder, _ = find_base(base)
    tokenizer = load_tokenizer(folder)

    def tokens(texts: Sequence[str]) -> list[int]:
        return [len(ids) for ids in token_ids(tokenizer, texts)]

    return check(parts, tokens=tokens, window=window_of(folder, tokenizer), pii=pii), bad


def _rows(source: str, text: str, label: str, encoding: str | None, bad: list[BadRow]) -> list[LabeledText]:
    records = read_records(
        resolve(source, kind="data"), encoding=encoding, columns=[text, label], on_bad=bad.append
    )
    rows = []
    for record in records:
        try:
            rows.append(_row(record, text, label))
        except DataError as error:
            bad.append(BadRow(file=record.file, row=record.row, reason=str(error), raw=""))
    return rows


def _row(record: Record, text: str, label: str) -> LabeledText:
    found = record.fields.get(label)
    named = None if found is None or str(found).strip() == "" else str(found).strip()
    return LabeledText(text=text_of(record, text, empty="allow"), label=named, where=record.where)
