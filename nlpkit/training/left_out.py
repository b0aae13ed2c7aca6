"""Rows that are not trained on, named by a file with their texts and labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlpkit.data.near import normalized
from nlpkit.data.records import read_records, text_of
from nlpkit.errors import DataError


def without(examples: Sequence[Any], path: str) -> tuple[tuple[Any, ...], str]:
    """Return the examples that a file does not name, and how many it names, in words.

    The file names a row by its text, case and punctuation aside, and its label.

    Raises:
        DataError: the file can't be read, lacks a column, or names none of the examples, or all of them.
    """
    columns = {"text": "text", "label": "label"}
    records = read_records(Path(path), columns=columns)
    named = {_key(text_of(record, "text"), record.fields["label"]) for record in records}
    keys = [_key(example.text, example.label) for example in examples]
    kept = tuple(example for example, key in zip(examples, keys, strict=True) if key not in named)
    if len(kept) == len(examples):
        raise DataError(
            f"{path}: names none of the {len(examples):,} training rows; expected their texts, and their "
            "labels as the task calls them; hint: data.leave_out=null"
        )
    if not kept:
        raise DataError(
            f"{path}: names all {len(examples):,} training rows; nothing is left to train on; "
            "hint: data.leave_out=null"
        )
    unknown = len(named - set(keys))
    rest = f"; {unknown:,} of its rows are not in the training rows" if unknown else ""
    return kept, f"{path}: names {len(examples) - len(kept):,} training rows{rest}"


def _key(text: str, label: object) -> tuple[str, str]:
    return normalized(text), str(label).strip().removeprefix("'")
