"""Guess from a column of labels what the task is, and say why: only for a first config."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from nlpkit.data.label_spellings import spellings
from nlpkit.errors import DataError
from nlpkit.tasks.label_names import parsed_list
from nlpkit.tasks.polarity import in_order

_STARS = 10
"""Up to so many different whole numbers are labels; more are an intensity."""
_INTENTS = 20
"""From so many labels on, they are intents."""
_FEW = 64
"""Up to so many rows a label, the recipe few_shot is worth a try."""
_OUTSIDE = ("oos", "ood", "out_of_scope", "out-of-scope", "none_of_these")
"""Labels of texts that have none of the others."""
_SEPARATORS = (",", ";", "|")
_SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class Guess:
    """What a file is taken for, and why."""

    task: Mapping[str, object]
    columns: Mapping[str, object]
    """Keys below the source."""
    why: tuple[str, ...]
    base: str = "minilm-l6"
    recipe: str = "sentiment"
    needed: tuple[str, ...] = ("text", "label")
    """Keys of the columns in which no row may be empty."""


def guess_task(source: str, label: str, cells: Sequence[object]) -> Guess:
    """Return the guess for a column of labels or numbers.

    Raises:
        DataError: the column holds one label only, or nearly as many as rows.
    """
    separator = _list_separator(cells)
    if separator is not None:
        keys: dict[str, object] = {} if separator in ("", ",") else {"separator": separator}
        why = f"task: emotions, as {label!r} holds several labels a row; left out, they are found in the data"
        task: dict[str, object] = {"kind": "emotions"}
        return Guess(task=task, columns={"label": label, **keys}, why=(why,), needed=("text",))
    counts = Counter(text for cell in cells if (text := text_of_cell(cell)))
    numbers = [_number(text) for text in counts]
    if counts and all(number is not None for number in numbers):
        values = sorted({number for number in numbers if number is not None})
        if len(values) > _STARS or any(value != int(value) for value in values):
            why = f"task: intensity, as {label!r} holds numbers from {values[0]:g} to {values[-1]:g}"
            return Guess(task={"kind": "intensity"}, columns={"label": label}, why=(why,))
    spelled = spellings(counts)
    columns: dict[str, object] = {"label": label}
    merged: Counter[str] = Counter()
    for name, count in counts.items():
        merged[spelled.mapping.get(name, name)] += count
    if len(merged) < 2 or len(merged) > max(_INTENTS, counts.total() / 2):
        raise DataError(
            f"{source}: column {label!r} holds {len(merged):,} different values in {counts.total():,} rows: "
            "no labels; hint: --label COLUMN"
        )
    reasons = [
        f"label: {label!r} holds {listed(f'{name} {count:,}' for name, count in merged.most_common())}"
    ]
    if spelled:
        columns["labels"] = dict(spelled.mapping)
        reasons.append(f"labels: {spelled.message}")
    if max(merged.values()) <= _FEW:
        reasons.append(
            f"at most {_FEW} rows a label: try the recipe few_shot too, nlpkit config show few-shot"
        )
    fitting, reason = _task_of(merged)
    return Guess(task=fitting, columns=columns, why=(*reasons, reason))


def _task_of(counts: Counter[str]) -> tuple[Mapping[str, object], str]:
    outside = next((name for name in counts if name.casefold() in _OUTSIDE), None)
    if outside:
        return {"kind": "intents", "outside": outside}, f"task: intents, as {outside!r} means none of them"
    if len(counts) >= _INTENTS:
        return {"kind": "intents"}, f"task: intents, as there are {len(counts)} labels"
    labels, ordered = in_order(counts)
    if ordered:
        return {"kind": "polarity", "labels": labels}, "task: polarity, from the most negative label on"
    why = "task: labels in no order; if they run from negative to positive, sort them so, and drop `ordered`"
    return {"kind": "polarity", "labels": labels, "ordered": False}, why


def _list_separator(cells: Sequence[object]) -> str | None:
    """Return what stands between the labels of a cell, "" in a list; None where a cell holds one label."""
    parsed = [parsed_list(cell) for cell in cells]
    if any(hasattr(cell, "__iter__") and not isinstance(cell, (str, bytes, Mapping)) for cell in parsed):
        return ""
    texts = {text for cell in cells if (text := text_of_cell(cell))}
    for separator in _SEPARATORS:
        pieces = {piece.strip() for text in texts for piece in text.split(separator)}
        if len(pieces) < len(texts) and any(separator in text for text in texts):
            return separator
    return None


def text_of_cell(cell: object) -> str:
    """Return what a cell holds as text, without space around it."""
    return "" if cell is None else str(cell).strip()


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def listed(names: Iterable[str]) -> str:
    """Return names on one line: the first of them, and how many more there are."""
    shown = [str(name) for name in names]
    more = f" and {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else ""
    return ", ".join(shown[:_SHOWN]) + more
