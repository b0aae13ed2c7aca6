"""Texts of a file, or of each group of it, drawn at random in one pass and constant memory."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from nlpkit.data.records import read_records, text_of
from nlpkit.errors import ConfigError, DataError
from nlpkit.tasks.reading import group_of
from nlpkit.trust.shares import SAMPLE

EVERY = ""
"""The group of all texts, where there are no groups."""


@dataclass(frozen=True, kw_only=True)
class SampledTexts:
    """A sample of the texts of each group."""

    texts: dict[str, list[str]]
    """At most SAMPLE in all, as many of each group."""
    counts: dict[str, int]
    """Group -> its texts in the file, also of groups without a sample."""


def sampled_texts(
    file: Path | str,
    *,
    text: str = "text",
    by: str | None = None,
    groups: Collection[str] = (EVERY,),
    format: str | None = None,
    encoding: str | None = None,
    skips_bad_rows: bool = False,
    seed: int = 1,
) -> SampledTexts:
    """Return texts of a file or folder, each of a group as likely as any other (Vitter's algorithm R).

    Args:
        file: a file or folder.
        text: the column that holds the text.
        by: the column that holds the group; None: all are one.
        groups: those that texts are drawn of.
        format: of the file, as the name shows by default.
        encoding: of a text file that is not UTF-8.
        skips_bad_rows: whether rows without a text are left out.
        seed: draws.

    Raises:
        ConfigError: the file can be read only once.
        DataError: the file or a row is wrong.
    """
    if str(file) == "-" or "://" in str(file):
        raise ConfigError(
            f"--max-error: {file} can be read only once; hint: score a copy of it in a file on this machine"
        )
    draws = random.Random(seed)  # noqa: S311
    texts: dict[str, list[str]] = {group: [] for group in groups}
    counts: dict[str, int] = {}
    size = SAMPLE // max(len(texts), 1)
    columns = {by: "--by"} if by else {}
    records = read_records(
        file,
        format=format,
        encoding=encoding,
        columns=columns,
        on_bad=(lambda row: None) if skips_bad_rows else None,
    )
    for record in records:
        try:
            read = text_of(record, text)
        except DataError:
            if skips_bad_rows:
                continue
            raise
        group = group_of(record, by) if by else EVERY
        counts[group] = counts.get(group, 0) + 1
        if group not in texts:
            continue
        if len(texts[group]) < size:
            texts[group].append(read)
        elif (slot := draws.randrange(counts[group])) < size:
            texts[group][slot] = read
    return SampledTexts(texts=texts, counts=counts)
