"""What annotators answered, as the columns of a row: a label a question, or the reason why there is none."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Labels = tuple[object, ...] | str
"""The labels that an annotator gave to a text, or why there are none."""

SPANS = "marks spans of the text, and has no label of the whole text"
UNLABELED = "is not labeled"
_HINT = "; hint: label it in the tool, or skip such rows (--on-error skip; in a config, on_bad: skip)"


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """A task as a row."""

    fields: dict[str, Any]
    faults: dict[str, str] = field(default_factory=dict)
    """Columns that hold no label, each with the reason."""
    unlabeled: str = ""
    """Why no question has a label."""

    def fault(self, columns: Collection[str]) -> str | None:
        """Say why one of these columns holds no label; None where all are there."""
        roles = columns if isinstance(columns, Mapping) else {}
        for column in columns:
            reason = self.faults.get(column, "")
            if roles.get(column) == "label" and column not in self.fields:
                reason = reason or self.unlabeled
            if reason:
                return f"column {column!r}: {reason}{'' if '; hint: ' in reason else _HINT}"
        return None


def labels_of(value: object) -> Labels:
    """Return the labels in a value: a single one, a list of them, or a list of objects that hold one each."""
    if not isinstance(value, list):
        return () if value in (None, "") else (value,)
    labels: list[object] = []
    for part in value:
        if isinstance(part, list) or (isinstance(part, Mapping) and {"start", "start_offset"} & part.keys()):
            return SPANS
        if isinstance(part, Mapping) and "rank" in part:
            return "holds a ranking, which is no label"
        labels.append(part.get("label", part.get("value")) if isinstance(part, Mapping) else part)
    return tuple(labels)


def unlabeled(fields: dict[str, Any], reason: str) -> Row:
    """Return a row that holds no label of any question, and the reason."""
    return Row(fields=fields, faults={"label": reason}, unlabeled=reason)


def labeled(fields: dict[str, Any], labels: Labels) -> Row:
    """Return a row whose column `label` is the only one of these labels."""
    label, reason = _agreed([labels])
    return Row(fields=fields, faults={"label": reason}) if reason else Row(fields=fields | {"label": label})


def answered(fields: dict[str, Any], answers: Mapping[str, Sequence[Labels]]) -> Row:
    """Return a row with a column for each question, and the column `label` where there is one question."""
    faults: dict[str, str] = {}
    asked = {question: given for question, given in answers.items() if not all(map(_is_no_label, given))}
    columns = dict(answers)
    if "label" not in answers and len(asked or answers) == 1:
        columns["label"] = next(iter((asked or answers).values()))
    elif "label" not in answers:
        first = next(iter(asked or answers), "QUESTION")
        several = f"there are {len(answers)} questions; hint: name one, as with --label {first}"
        faults["label"] = several if answers else UNLABELED
    for name, given in columns.items():
        label, reason = _agreed(given)
        if name in fields:
            faults[name] = "the text has a field of that name too; hint: rename the field or the question"
        elif reason:
            faults[name] = reason
        else:
            fields[name] = label
    return Row(fields=fields, faults=faults)


def _is_no_label(labels: Labels) -> bool:
    return isinstance(labels, str)


def _agreed(given: Sequence[Labels]) -> tuple[object, str]:
    """Return the label that all annotators gave, or why there is none."""
    for labels in given:
        if isinstance(labels, str):
            return None, labels
    distinct = list(dict.fromkeys(given))
    if len(distinct) > 1:
        named = ", ".join(" and ".join(map(repr, labels)) or "no label" for labels in distinct)
        return None, f"its {len(given)} annotators disagree: {named}"
    if len(distinct[0]) != 1:
        return None, several(distinct[0])
    return distinct[0][0], ""


def several(labels: Labels) -> str:
    """Return the reason why labels that are not exactly one cannot be used."""
    return f"has {len(labels)} labels, expected one: {', '.join(map(repr, labels))}" if labels else UNLABELED
