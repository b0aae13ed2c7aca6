"""Texts to label as a file: a table with an empty column for the label, or the tasks of a labeling tool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from nlpkit.data.file_format import suffix_of
from nlpkit.errors import ConfigError, nearest
from nlpkit.files import refuse_path, write_whole
from nlpkit.labeling.pool import Candidate
from nlpkit.scoring.json_values import json_text
from nlpkit.scoring.labeling_writers import ARRAYS, TASKS, Scored
from nlpkit.scoring.output_columns import Columns
from nlpkit.scoring.writers import DelimitedWriter

FORMATS = ("csv", "tsv", "jsonl", *TASKS)
_HINTS = ("predictions", "suggestions", "score", "label")
"""The keys of a task that show what the model makes of the text."""


def plan(output: Path, source: str, asked: str | None, *, overwrite: bool) -> str:
    """Return the format of a file, before anything is computed.

    Raises:
        ConfigError: the path or the format cannot be written.
    """
    name = asked or suffix_of(output).removeprefix(".")
    name = "label-studio" if name == "json" else name
    if name not in FORMATS:
        raise ConfigError(
            f"{output}: format {name!r} cannot be written{nearest(name, FORMATS)}; "
            "hint: -o next.csv, or --output-format"
        )
    refuse_path(output, {"the input": Path(source)}, hint="-o next.csv")
    if output.exists() and not overwrite:
        raise ConfigError(
            f"{output}: exists already, perhaps with labels; hint: --overwrite, or another name"
        )
    return name


def write(
    output: Path, name: str, chosen: Sequence[Candidate], *, text: str, label: str, blind: bool
) -> None:
    """Write a file of the format `name` whole, with an empty column for the label; see `label_next`."""
    if name in TASKS:
        lines = [json_text(_task(name, each, text, blind)) for each in chosen]
        whole = "[\n" + ",\n".join(lines) + "\n]\n" if name in ARRAYS else "\n".join([*lines, ""])
        write_whole(output, whole)
        return
    rows = []
    for each in chosen:
        guess = {} if blind else {"guess": each.guess, "certainty": each.certainty}
        ours: dict[str, Any] = {text: each.text, label: "", **guess}
        rows.append(ours | {column: value for column, value in each.fields.items() if column not in ours})
    if name == "jsonl":
        write_whole(output, "".join(json_text(row) + "\n" for row in rows))
        return
    columns = Columns(given={}, added=dict.fromkeys((key for row in rows for key in row), "string"))
    writer = DelimitedWriter(columns, delimiter="\t" if name == "tsv" else ",")
    write_whole(output, (writer.header() + writer.rows(rows)[0]).decode("utf-8"))


def _task(tool: str, candidate: Candidate, text: str, blind: bool) -> Mapping[str, Any]:
    others, probability = dict(candidate.fields), candidate.certainty
    row = Scored(
        text=candidate.text, others=others, label=candidate.guess, probability=probability, name=text
    )
    task = TASKS[tool][0](row)
    if not blind:
        return task
    plain = {key: value for key, value in task.items() if key not in _HINTS}
    return {**plain, "label": [], "meta": others} if tool == "doccano" else plain
