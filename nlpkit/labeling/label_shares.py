"""The shares of labels in a file, from the texts that `nlpkit label next --aim shares` drew of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from nlpkit.data.label_spellings import spellings
from nlpkit.data.records import read_records
from nlpkit.errors import DataError
from nlpkit.labeling.strata import LabelShare, stratified_shares
from nlpkit.tasks.numbers import number_of

STRATUM, OF = "stratum", "stratum_texts"
"""The columns of a text's stratum, and of how many texts that has."""


def label_shares(
    file: Path | str,
    *,
    label: str = "label",
    format: str | None = None,
    encoding: str | None = None,
) -> list[LabelShare]:
    """Return the share of each label in a file, with 95% intervals, from the labels of some of its texts.

        nlpkit.label_next("runs/mine", "reviews.csv", "next.csv", aim="shares", count=100)
        nlpkit.label_shares("next.csv")  # after people have filled the column `label`

    Rows without a label are taken to have been left out by chance. The shares are those of the texts that
    could be drawn: rows that had a label already are not among them.

    Args:
        file: what `label_next` wrote, with labels.
        label: the column of the label.
        format: as the name shows, by default.
        encoding: of a text file that is not UTF-8.

    Raises:
        DataError: the file was not drawn with `aim="shares"`, a row is wrong, or a stratum has no labels.
    """
    counts: dict[int, Counter[str]] = {}
    sizes: dict[int, int] = {}
    try:
        for record in read_records(file, format=format, encoding=encoding, columns=(label, STRATUM, OF)):
            stratum, texts = int(number_of(record, STRATUM)), int(number_of(record, OF))
            if sizes.setdefault(stratum, texts) != texts:
                raise DataError(
                    f"{record.where}: column {OF!r} holds {texts}, and {sizes[stratum]} in an earlier row of "
                    f"stratum {stratum}; expected rows of one draw; hint: give the files one by one"
                )
            held = record.fields[label]
            if held is not None and str(held).strip():
                counts.setdefault(stratum, Counter())[str(held).strip()] += 1
    except DataError as error:
        if f"no column {STRATUM!r}" in str(error) or f"no column {OF!r}" in str(error):
            raise DataError(
                f"{file}: was not drawn for shares: it has no columns {STRATUM} and {OF}; "
                "hint: nlpkit label next RUN FILE --aim shares"
            ) from None
        raise
    return stratified_shares(counts, sizes, _labels(file, counts))


def _labels(file: Path | str, counts: Mapping[int, Counter[str]]) -> list[str]:
    """Return the labels that were given, the commonest first.

    Raises:
        DataError: one is written in several ways.
    """
    total = sum(counts.values(), Counter[str]())
    if spelled := spellings(total):
        raise DataError(f"{file}: {spelled.message}; hint: write it in one way")
    return [label for label, _ in total.most_common()]
