"""Texts to label as a file: a table with an empty column for the label, or the tasks of a labeling tool."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
GUESSES = ("guess", "certainty")
"""The columns of the run's label and its probability; a blind file has none of them."""
ROW = "row"
"""The column of where the text stands in its file, from 1."""
_HINTS = ("predictions", "suggestions", "score")
"""The keys of a task that show what the model makes of the text, besides a label."""


def plan(output: Path, source: str, asked: str | None, *, overwrite: bool) -> str:
    """Return the format of a file, before anything is computed.

    Raises:
        ConfigError: the path or the format cannot be written.
    """
    name = asked or suffix_of(output).removeprefix(".")
    name = "label-studio" if name == "json" else name
    if name not in FORMATS:
        raise ConfigError(
            f"{output}: format {name!r} cannot be written; expected one of {', '.join(FORMATS)}"
            f"{nearest(name, FORMATS)}; hint: -o next.csv, or --output-format"
        )
    refuse_path(output, {"the input": Path(source)}, hint="-o next.csv")
    if output.exists() and not overwrite:
        raise ConfigError(
            f"{output}: exists already, perhaps with labels; hint: --overwrite, or another name"
        )
    return name


def write(
    output: Path,
    name: str,
    chosen: Sequence[Candidate],
    *,
    text: str,
    label: str,
    blind: bool,
    extra: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write the texts whole, or no file at all.

    Args:
        output: the file.
        name: its format.
        chosen: the texts, in their order.
        text: the column of the text.
        label: the column of the label, left empty.
        blind: whether to leave out what the run makes of a text.
        extra: further columns of each text, which come before those of its own row.
    """
    added = extra or [{} for _ in chosen]
    if name in TASKS:
        tasks = [_task(name, each, more, text, blind) for each, more in zip(chosen, added, strict=True)]
        write_whole(output, _tasks(tasks, name))
        return
    rows = [_row(each, more, text, label, blind) for each, more in zip(chosen, added, strict=True)]
    if name == "jsonl":
        write_whole(output, "".join(json_text(row) + "\n" for row in rows))
        return
    columns = Columns(given={}, added=dict.fromkeys((key for row in rows for key in row), "string"))
    writer = DelimitedWriter(columns, delimiter="\t" if name == "tsv" else ",")
    write_whole(output, (writer.header() + writer.rows(rows)[0]).decode("utf-8"))


def _row(
    candidate: Candidate, extra: Mapping[str, Any], text: str, label: str, blind: bool
) -> dict[str, Any]:
    guess = {} if blind else dict(zip(GUESSES, (candidate.guess, candidate.certainty), strict=True))
    ours = {text: candidate.text, label: "", **guess, **extra, ROW: candidate.row}
    return ours | {name: value for name, value in candidate.fields.items() if name not in ours}


def _task(
    tool: str, candidate: Candidate, extra: Mapping[str, Any], text: str, blind: bool
) -> Mapping[str, Any]:
    others = {**candidate.fields, **extra, ROW: candidate.row}
    task = dict(
        TASKS[tool][0](
            Scored(
                text=candidate.text, others=others, label=candidate.guess, probability=candidate.certainty,
                name=text,
            )
        )
    )  # fmt: skip
    if not blind:
        return task
    meta = task.get("meta")
    if isinstance(meta, dict):
        task["meta"] = {key: value for key, value in meta.items() if key != "score"}
    if tool == "doccano":
        task["label"] = []
    return {
        key: value
        for key, value in task.items()
        if key not in _HINTS and not (tool == "prodigy" and key == "label")
    }


def _tasks(tasks: Iterable[Mapping[str, Any]], tool: str) -> str:
    lines = list(map(json_text, tasks))
    return "[\n" + ",\n".join(lines) + "\n]\n" if tool in ARRAYS else "\n".join([*lines, ""])
