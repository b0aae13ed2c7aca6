"""Scored rows as pre-annotated tasks of a labeling tool, for people to correct."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from nlpkit.errors import ConfigError
from nlpkit.scoring.json_values import json_text
from nlpkit.scoring.output_columns import Columns
from nlpkit.scoring.writers import Row

MODEL = "nlpkit"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """A scored row: its text, its other columns, and the model's label with its probability."""

    text: str
    others: dict[str, object]
    label: str
    probability: float
    name: str
    """The column that held the text."""


def label_studio(row: Scored) -> Row:
    """Return a task with a prediction for the tags `<Text name="text">` and `<Choices name="label">`."""
    choice = {"from_name": "label", "to_name": "text", "type": "choices", "value": {"choices": [row.label]}}
    prediction = {"model_version": MODEL, "score": row.probability, "result": [choice]}
    return {"data": {**row.others, row.name: row.text}, "predictions": [prediction]}


def doccano(row: Scored) -> Row:
    """Return a text with its label; the other columns are its metadata."""
    return {"text": row.text, "label": [row.label], "meta": {**row.others, "score": row.probability}}


def argilla(row: Scored) -> Row:
    """Return a record with a suggestion for the question `label`; the other columns are its metadata."""
    suggestion = {"value": row.label, "score": row.probability, "agent": MODEL}
    return {"fields": {"text": row.text}, "metadata": row.others, "suggestions": {"label": suggestion}}


def prodigy(row: Scored) -> Row:
    """Return a task with a label and its score; the other columns are its `meta`, which Prodigy shows."""
    return {"text": row.text, "label": row.label, "score": row.probability, "meta": row.others}


TASKS: dict[str, tuple[Callable[[Scored], Row], bool]] = {
    "label-studio": (label_studio, True),
    "doccano": (doccano, False),
    "argilla": (argilla, True),
    "prodigy": (prodigy, False),
}
"""Tool -> what makes its tasks, and whether it reads one JSON array; else it reads JSON Lines."""


ARRAYS = tuple(tool for tool, (_, is_array) in TASKS.items() if is_array)
"""Tools whose file is one JSON array, which is complete only at the end."""


class LabelingWriter:
    """Tasks as JSON Lines, which become one array at the end where the tool reads that."""

    def __init__(self, columns: Columns, tool: str, *, text: str, prefix: str) -> None:
        self._task, self._is_array = TASKS[tool]
        self._added, self._text, self._prefix = frozenset(columns.added), text, prefix
        if f"{prefix}label" not in self._added:
            raise ConfigError(
                f"{tool} takes labels, but the model answers with {', '.join(columns.added)}; "
                "hint: write JSON Lines, with --output-format jsonl"
            )

    def header(self) -> bytes:
        """Return no bytes: JSON Lines have no header."""
        return b""

    def rows(self, rows: Sequence[Row]) -> tuple[bytes, int]:
        """Return one line for each row."""
        return "".join(json_text(self._task(self._scored(row))) + "\n" for row in rows).encode(), 0

    def seal(self, partial: Path, whole: Path) -> Path:
        """Return the file as it stands, or the array of its lines."""
        if not self._is_array:
            return partial
        with partial.open("rb") as lines, whole.open("wb") as array:
            array.write(b"[")
            mark = b"\n"
            for line in lines:
                array.write(mark + line.rstrip(b"\n"))
                mark = b",\n"
            array.write(b"\n]\n")
        return whole

    def _scored(self, row: Row) -> Scored:
        label = str(row[f"{self._prefix}label"])
        return Scored(
            text=str(row[self._text]),
            others={name: row[name] for name in row if name != self._text and name not in self._added},
            label=label,
            probability=cast("float", row[f"{self._prefix}p_{label}"]),
            name=self._text,
        )
