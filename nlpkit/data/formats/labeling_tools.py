"""Exports of labeling tools: Label Studio, doccano, Argilla and Prodigy, as rows with a text and a label.

All columns of a task are kept. A task without one label (nobody labeled it, it was rejected, its annotators
disagree, it has several labels or spans) is a bad row where its label is asked for, and else a row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import orjson

from nlpkit.data.formats import delimited, json_document, json_lines
from nlpkit.data.formats.labeled_spans import has_spans, opinions_of
from nlpkit.data.formats.labeling_answers import (
    SPANS,
    UNLABELED,
    Labels,
    Row,
    answered,
    labeled,
    labels_of,
    several,
    unlabeled,
)
from nlpkit.data.rows import BadRow, DataFile, Record, Stream

Task = Mapping[str, Any]

_TABLES = {".csv": "csv", ".tsv": "tsv"}
_LINES = (".jsonl", ".ndjson")


def stream(file: DataFile, columns: Collection[str]) -> Stream:
    """Yield the columns of the first tasks, then the rows; one without the label asked for is a bad row."""
    return json_lines.headed(file.name, columns, _rows(file, columns))


def count(file: DataFile) -> int | None:
    """Return None: only reading shows how many tasks there are."""
    return None


def fits(tool: str, start: str) -> bool:
    """Return whether a file that starts with a text is certainly an export of the tool: its first row shows
    it.
    """
    return FORMATS[tool][1](_first_row(start))


@lru_cache(maxsize=1)  # each tool looks at the same one
def _first_row(start: str) -> Task:
    if start.lstrip().startswith(("{", "[")):
        return json_document.first_row(start)
    return delimited.first_row("tsv" if "\t" in start.partition("\n")[0] else "csv", start)


def _rows(file: DataFile, columns: Collection[str]) -> Iterator[Record | BadRow]:
    row_of = FORMATS[file.format][0]
    for task in _tasks(file):
        if isinstance(task, Record):
            try:
                row = row_of(task.fields)
            except (AttributeError, TypeError):
                row = unlabeled(dict(task.fields), f"is no task as {file.format} exports it")
            if reason := row.fault(columns):
                raw = orjson.dumps(task.fields, default=str).decode()
                yield BadRow(file=task.file, row=task.row, reason=reason, raw=raw)
            else:
                yield Record(fields=row.fields, file=task.file, row=task.row)
        elif isinstance(task, BadRow):
            yield task


def _tasks(file: DataFile) -> Stream:
    """Read the tasks of a file, whichever of the tool's forms it is in."""
    ending = (
        next((suffix for suffix in reversed(file.path.suffixes) if suffix != ".gz"), "") if file.path else ""
    )
    if ending in _TABLES:
        return delimited.stream(replace(file, format=_TABLES[ending]), ())
    if ending in _LINES:
        return json_lines.stream(replace(file, format="jsonl"), ())
    return json_document.stream(replace(file, format="json"), ())


def label_studio(task: Task) -> Row:
    """Read a task of Label Studio: of JSON its `data` and a column a question, else its columns."""
    if not isinstance(task.get("data"), Mapping):
        return _label_studio_columns(task)
    fields = {"id": task.get("id"), **task["data"]}
    texts = [value for value in task["data"].values() if isinstance(value, str)]
    if "text" not in fields and len(texts) == 1:
        fields["text"] = texts[0]
    annotations = task.get("annotations") or task.get("completions") or []
    kept = [annotation for annotation in annotations if not annotation.get("was_cancelled")]
    if not kept:
        return unlabeled(fields, "was skipped by its annotators" if annotations else UNLABELED)
    given = [annotation.get("result") or [] for annotation in kept]
    if any(map(has_spans, given)) and "triplets" not in fields and isinstance(fields.get("text"), str):
        fields["triplets"] = _agreed_opinions(given, fields["text"])
    answers: dict[str, list[Labels]] = {}
    for annotation in kept:
        for question, labels in _results(annotation.get("result") or []).items():
            answers.setdefault(question, []).append(labels)
    return answered(fields, answers)


def _agreed_opinions(given: Sequence[Sequence[Task]], text: str) -> list[dict[str, Any]] | str:
    """Return the opinions that all annotators marked, or in words why there are none."""
    try:
        marked = [opinions_of(results, text) for results in given]
    except ValueError as error:
        return str(error)
    keys = {json.dumps(sorted(map(json.dumps, opinions))) for opinions in marked}
    return marked[0] if len(keys) == 1 else f"spans on which its {len(marked)} annotators disagree"


def _results(results: Sequence[Task]) -> dict[str, Labels]:
    """Return what one annotator answered, by question."""
    answers: dict[str, Labels] = {}
    for result in results:
        if question := result.get("from_name"):
            kind, value = str(result.get("type")), result.get("value") or {}
            labels: Labels = f"holds an answer of the type {kind!r}, which is no label"
            if "start" in value:
                labels = SPANS
            elif kind == "choices":
                labels = tuple(value.get("choices") or ())
            elif kind in ("rating", "number"):
                labels = (value.get(kind),)
            before = answers.get(question, ())
            whole = isinstance(before, tuple) and isinstance(labels, tuple)
            answers[question] = (*before, *labels) if whole else labels
    return answers


def _label_studio_columns(task: Task) -> Row:
    faults = {}
    for name, value in task.items():
        if isinstance(value, str) and value.startswith(('{"choices":', "[{")):  # as a table holds it
            try:
                value = json.loads(value)
            except json.JSONDecodeError:
                continue
        if isinstance(value, Mapping) and "choices" in value:
            value = value["choices"]
        if isinstance(value, list):
            labels = labels_of(value)
            faults[name] = labels if isinstance(labels, str) else several(labels)
    return Row(fields=dict(task), faults=faults)


def doccano(task: Task) -> Row:
    """Read a text of doccano, whose labels are a list."""
    fields = dict(task)
    if "text" not in fields and isinstance(fields.get("data"), str):
        fields["text"] = fields.pop("data")
    if fields.get("entities"):
        return Row(fields=fields, faults={"label": SPANS})
    names = ("label", "labels", "annotations")
    return labeled(fields, labels_of(next((fields[name] for name in names if name in fields), [])))


def argilla(record: Task) -> Row:
    """Read a record of Argilla, nested or flat: its fields, its metadata, and a column a question."""
    if isinstance(record.get("fields"), Mapping):
        fields, responses = _nested(record)
    else:
        responses = {
            name.removesuffix(".responses"): list(
                zip(values, record.get(f"{name}.status") or [None] * len(values), strict=False)
            )
            for name, values in record.items()
            if name.endswith(".responses") and isinstance(values, list)
        }
        fields = {name: value for name, value in record.items() if ".responses" not in name}
    submitted = {
        question: [labels_of(value) for value, status in given if status in (None, "submitted")]
        for question, given in responses.items()
    }
    answers = {question: labels for question, labels in submitted.items() if labels}
    if not answers:
        states = sorted({str(status) for given in responses.values() for _, status in given})
        return unlabeled(fields, f"has only responses that are {', '.join(states)}" if states else UNLABELED)
    return answered(fields, answers)


def _nested(record: Task) -> tuple[dict[str, Any], dict[str, list[tuple[Any, str | None]]]]:
    """Return the columns of a nested record, and the responses to each question with their states."""
    fields = {"id": record.get("id"), **record["fields"], **(record.get("metadata") or {})}
    suggestions, given = record.get("suggestions") or {}, record.get("responses") or {}
    for question, suggestion in suggestions.items() if isinstance(suggestions, Mapping) else ():
        fields[f"{question}.suggestion"] = suggestion.get("value")
        fields[f"{question}.suggestion.score"] = suggestion.get("score")
    responses: dict[str, list[tuple[Any, str | None]]] = {}
    if isinstance(given, Mapping):
        listed = [(question, answer, answer) for question, answers in given.items() for answer in answers]
    else:  # one response an annotator, as Argilla 1 writes it
        listed = [
            (question, answer, response)
            for response in given
            for question, answer in (response.get("values") or {}).items()
        ]
    for question, answer, response in listed:
        responses.setdefault(question, []).append((answer.get("value"), response.get("status")))
    return fields, responses


def prodigy(task: Task) -> Row:
    """Read a task of Prodigy: accepted choices, or an accepted label."""
    fields, answer = dict(task), task.get("answer")
    if answer != "accept":
        states = {"reject": "was rejected", "ignore": "was ignored"}
        reason = f"{states[answer]} by its annotator" if answer in states else UNLABELED
        return Row(fields=fields, faults={"label": reason})
    labels = labels_of(task.get("accept", task.get("label")))
    return labeled(fields, SPANS if labels == () and task.get("spans") else labels)


def is_label_studio(task: Task) -> bool:
    """Return whether a row is a task of Label Studio."""
    if not isinstance(task.get("data"), Mapping):
        return {"annotator", "annotation_id"} <= task.keys()
    listed = any(isinstance(task.get(name), list) for name in ("annotations", "predictions", "completions"))
    return listed or task.keys() <= {"id", "data", "meta"}


def is_doccano(task: Task) -> bool:
    """Return whether a row is a text of doccano: its labels are a list, of names or of spans."""
    label = task.get("label", task.get("entities"))
    if "id" not in task or not isinstance(task.get("text", task.get("data")), str):
        return False
    return isinstance(label, list) and all(_is_doccano_label(part) for part in label)


def _is_doccano_label(part: object) -> bool:
    if isinstance(part, list):
        return len(part) == 3 and isinstance(part[2], str)
    return isinstance(part, str) or (isinstance(part, Mapping) and "start_offset" in part)


def is_argilla(record: Task) -> bool:
    """Return whether a row is a record of Argilla, nested or flat."""
    if isinstance(record.get("fields"), Mapping):
        return {"responses", "suggestions"} <= record.keys()
    return any(f"{name}.status" in record for name in record if name.endswith(".responses"))


def is_prodigy(task: Task) -> bool:
    """Return whether a row is a task of Prodigy."""
    return {"_input_hash", "_task_hash", "answer"} <= task.keys()


FORMATS: dict[str, tuple[Callable[[Task], Row], Callable[[Task], bool]]] = {
    "label-studio": (label_studio, is_label_studio),
    "doccano": (doccano, is_doccano),
    "argilla": (argilla, is_argilla),
    "prodigy": (prodigy, is_prodigy),
}
"""Tool -> what reads its tasks, and what recognizes them."""
