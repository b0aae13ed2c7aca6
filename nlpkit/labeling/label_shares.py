"""The shares of labels in a file, from the texts that `nlpkit label next --aim shares` drew of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from nlpkit.data.label_spellings import spellings
from nlpkit.data.near import normalized
from nlpkit.data.records import columns_of, read_records, text_of
from nlpkit.errors import DataError
from nlpkit.labeling.journal import journals_of, merged
from nlpkit.labeling.pool import is_filled
from nlpkit.labeling.strata import LabelShare, stratified_shares
from nlpkit.tasks.numbers import number_of

STRATUM, OF = "stratum", "stratum_texts"
"""The columns of a text's stratum, and of how many texts that has."""


def label_shares(
    file: Path | str,
    *,
    text: str = "text",
    label: str = "label",
    format: str | None = None,
    encoding: str | None = None,
) -> list[LabelShare]:
    """Return the share of each label in a file, with 95% intervals, from the labels of some of its texts.

        nlpkit.label_next("runs/mine", "reviews.csv", "next.csv", aim="shares", count=100)
        nlpkit.label_shares("next.csv")  # after people have labeled it

    Rows without a label are taken to have been left out by chance. The shares are those of the texts that
    could be drawn: rows that had a label already are not among them.

    Args:
        file: what `label_next` wrote, with labels in it or in the journals next to it.
        text: the column of the text.
        label: the column of the label.
        format: as the name shows, by default.
        encoding: of a text file that is not UTF-8.

    Raises:
        DataError: the file was not drawn with `aim="shares"`, a row is wrong, people gave a text different
            labels, or a stratum has no labels.
    """
    if not {STRATUM, OF} <= set(columns_of(file, format=format, encoding=encoding)):
        raise DataError(
            f"{file}: was not drawn for shares: it has no columns {STRATUM} and {OF}; "
            "hint: nlpkit label next RUN FILE --aim shares"
        )
    by_raters = merged(journals_of(file))
    counts: dict[int, Counter[str]] = {}
    sizes: dict[int, int] = {}
    disputed = 0
    for record in read_records(
        file, format=format, encoding=encoding, columns=(text if by_raters else label, STRATUM, OF)
    ):
        stratum, texts = int(number_of(record, STRATUM)), int(number_of(record, OF))
        if sizes.setdefault(stratum, texts) != texts:
            raise DataError(
                f"{record.where}: column {OF!r} holds {texts}, and {sizes[stratum]} in an earlier row of "
                f"stratum {stratum}; expected rows of one draw; hint: give the files one by one"
            )
        given: tuple[str, ...] = ()
        if is_filled(held := record.fields.get(label)):
            given = (str(held).strip(),)
        elif by_raters:
            given = by_raters.get(normalized(text_of(record, text)), ())
        disputed += len(set(given)) > 1
        counts.setdefault(stratum, Counter()).update(given[:1])
    if disputed:
        raise DataError(
            f"{file}: people gave different labels to {disputed:,} of its texts; expected one label a text; "
            f"hint: fill the column {label!r} for them, which decides"
        )
    total = sum(counts.values(), Counter[str]())
    if spelled := spellings(total):
        raise DataError(f"{file}: {spelled.message}; hint: write it in one way")
    return stratified_shares(counts, sizes, [name for name, _ in total.most_common()])
