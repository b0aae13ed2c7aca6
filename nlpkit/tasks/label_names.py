"""Labels in records: one or a list, known or not."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, TypeAlias

from pydantic import AfterValidator, BeforeValidator

from nlpkit.data.label_spellings import spellings
from nlpkit.data.records import Record
from nlpkit.errors import DataError, nearest
from nlpkit.settings.data import LabelSetSource, LabelSource

_FLAGS = {"1": True, "1.0": True, "true": True, "0": False, "0.0": False, "false": False, "": False}


def _as_names(value: Any) -> Any:
    """Return a config's list of labels as text, since YAML reads 1 as a number."""
    return tuple(str(label) for label in value) if isinstance(value, (list, tuple)) else value


def _at_least_two(labels: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(labels)) < len(labels) or len(labels) == 1:
        raise ValueError(f"expected at least two labels, each named once, found {list(labels)}")
    return labels


Names: TypeAlias = Annotated[tuple[str, ...], BeforeValidator(_as_names)]
TwoOrMore: TypeAlias = Annotated[Names, AfterValidator(_at_least_two)]
"""Labels of which each text has one; none where they are still to be found."""


def known_label(label: str, labels: Sequence[str], where: str, column: str) -> str:
    """Return the label, if the task has it or has no labels yet.

    Raises:
        DataError: the task has others; with file and row, and the spelling that it knows.
    """
    if not labels or label in labels:
        return label
    spelled = spellings({label: 0} | dict.fromkeys(labels, 1))
    hint = f"; hint: {spelled.hint}" if label in spelled.mapping else nearest(label, labels)
    raise DataError(
        f"{where}: column {column!r} holds the label {label!r}, which the task does not have{hint}"
    )


def _refuse_spellings(counts: Mapping[str, int], examples: Sequence[Any]) -> None:
    """Refuse labels that are written in several ways.

    Raises:
        DataError: with the place of one, and the mapping to paste.
    """
    if spelled := spellings(counts):
        where = next(example.where for example in examples if spelled.mapping.keys() & {*example.labels})
        raise DataError(f"{where or 'training rows'}: {spelled.message}; hint: {spelled.hint}")


def labels_in(examples: Sequence[Any]) -> set[str]:
    """Return all labels of examples.

    Raises:
        DataError: one of them is written in several ways.
    """
    counts = Counter(label for example in examples for label in example.labels)
    _refuse_spellings(counts, examples)
    return set(counts)


def label_of(record: Record, source: LabelSource) -> str:
    """Return the label that a record holds, as the task calls it.

    Raises:
        DataError: it holds none, with file and row.
    """
    value = record.fields.get(source.label)
    label = "" if value is None else str(value).strip()
    if not label:
        raise DataError(f"{record.where}: column {source.label!r} holds no label")
    return source.labels.get(label, label)


def label_list(record: Record, source: LabelSetSource) -> list[str]:
    """Return the labels that a record holds: a list, text with a separator, or a column for each label.

    Raises:
        DataError: no such column, or neither, with file and row.
    """
    if source.label_columns:
        return [column for column in source.label_columns if _is_set(record, column)]
    if source.label not in record.fields:
        raise DataError(f"{record.where}: no column {source.label!r}{nearest(source.label, record.fields)}")
    held = record.fields[source.label]
    held = parsed_list(held)
    if isinstance(held, str) and held.lstrip().startswith("["):
        raise DataError(f"{record.where}: column {source.label!r} holds no whole list: {held[:40]!r}")
    if isinstance(held, str):
        held = [label for part in held.split(source.separator) if (label := part.strip())]
    if held is None:
        return []
    if not hasattr(held, "__iter__") or isinstance(held, (Mapping, bytes)):
        raise DataError(
            f"{record.where}: column {source.label!r} holds {str(held)[:40]!r}; expected a list of labels"
        )
    labels = list(held)
    if wrong := [label for label in labels if isinstance(label, (bool, float, list, Mapping, type(None)))]:
        raise DataError(
            f"{record.where}: column {source.label!r} holds {str(wrong[0])[:40]!r} in its list; "
            "expected names of labels"
        )
    return [str(label).strip() for label in labels]


def parsed_list(held: Any) -> Any:
    """Return the list that a text spells, as JSON or as Python prints it; anything else as it is."""
    if not (isinstance(held, str) and held.lstrip().startswith("[")):
        return held
    for parse in (json.loads, ast.literal_eval):
        try:
            return parse(held)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
    return held


def _is_set(record: Record, column: str) -> bool:
    value = record.fields.get(column, record)
    if value is record:
        raise DataError(f"{record.where}: no column {column!r}{nearest(column, record.fields)}")
    text = "" if value is None else str(value).strip().casefold()
    if text not in _FLAGS:
        raise DataError(f"{record.where}: column {column!r} holds {str(value)[:40]!r}; expected 0 or 1")
    return _FLAGS[text]
