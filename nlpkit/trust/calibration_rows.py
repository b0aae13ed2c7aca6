"""Rows with known labels that a run was not trained on: what every promise about its answers is fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.config import validate
from nlpkit.data.examples import GROUP
from nlpkit.errors import RunError
from nlpkit.generation.decision_server import naming_rows
from nlpkit.reports.keeping import OWN_PARTS
from nlpkit.run import Run
from nlpkit.tasks.prediction import OPINIONS, read_with_texts
from nlpkit.tasks.reading import read_examples
from nlpkit.trust.answer_columns import RANKS, is_true, labels_in, labels_of, matrices

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class CalibrationRows:
    """What a run answers to rows whose labels are known."""

    source: str
    labels: tuple[str, ...]
    probabilities: NDArray[Any]
    """(rows, labels)."""
    given: NDArray[Any]
    """(rows, labels): whether the run gave each label."""
    truth: NDArray[Any]
    """(rows, labels): whether each label is true."""
    what: str = "label"
    """What the run gives; with `opinion` the labels are RANKS."""
    groups: tuple[str, ...] = ()
    """The group of each row, such as its language: nothing of a row without one. Empty where groups are not
    asked for."""

    def __len__(self) -> int:
        return len(self.truth)

    def taken(self, chosen: Sequence[int] | NDArray[Any]) -> CalibrationRows:
        """Return the rows with these numbers, each as often as it is named."""
        return replace(
            self,
            probabilities=self.probabilities[chosen],
            given=self.given[chosen],
            truth=self.truth[chosen],
            groups=tuple(self.groups[row] for row in chosen) if self.groups else (),
        )

    def by_group(self) -> dict[str, CalibrationRows]:
        """Return the rows of each group; those that have none are left out."""
        members: dict[str, list[int]] = {}
        for row, group in enumerate(self.groups):
            if group:
                members.setdefault(group, []).append(row)
        return {group: self.taken(rows) for group, rows in members.items()}


@dataclass(frozen=True, kw_only=True, eq=False)
class ValueRows:
    """The numbers that a run answers to rows whose numbers are known."""

    source: str
    values: NDArray[Any]
    """(rows,), as are the others."""
    truth: NDArray[Any]
    spreads: NDArray[Any] | None
    """The standard deviation of people's ratings that the run expects; None where it has not learned it."""

    def __len__(self) -> int:
        return len(self.truth)


def joined(groups: Mapping[str, CalibrationRows]) -> CalibrationRows:
    """Return the rows of all groups as one, each with its group."""
    import numpy as np

    parts = list(groups.values())
    return replace(
        parts[0],
        probabilities=np.concatenate([part.probabilities for part in parts]),
        given=np.concatenate([part.given for part in parts]),
        truth=np.concatenate([part.truth for part in parts]),
        groups=tuple(group for group, part in groups.items() for _ in range(len(part))),
    )


def calibration_rows(
    run: Run, classifier: Classifier, held_out: Path | str | None = None, **fields: Any
) -> CalibrationRows:
    """Return what a run answers to held-out rows.

    Args:
        run: completed.
        classifier: its classifier.
        held_out: labeled rows that it was not trained on; default: the test rows of its training, or where
            there are none the validation rows.
        fields: settings of the source `held_out`, such as `label`; with `by` the rows have groups.

    Raises:
        RunError: its answers are not labels, it reads more than a text, or it has no held-out rows, or none
            with groups where they are asked for.
        DataError: a file or a row of `held_out` is wrong.
    """
    labels = RANKS if OPINIONS in classifier.columns else labels_of(classifier.task.family)
    held = _held_out(run, classifier, held_out, fields)
    return rows_of(held.source, held.answers, held.truth, labels, held.groups if fields.get("by") else ())


def kept_rows(predictions: Path, *, source: str) -> CalibrationRows:
    """Return what a run answered to the rows of a report, as the file next to the report keeps it.

    Args:
        predictions: `*.predictions.parquet` of a run that gives labels or opinions.
        source: what messages call the rows.
    """
    from pyarrow import parquet

    kept = parquet.read_table(predictions).to_pylist()
    labels = RANKS if OPINIONS in kept[0] else labels_in(kept[0])
    return rows_of(source, kept, [row["truth"] for row in kept], labels)


def rows_of(
    source: str,
    answers: list[dict[str, Any]],
    true: Sequence[str],
    labels: tuple[str, ...],
    groups: tuple[str, ...] = (),
) -> CalibrationRows:
    """Return rows of answers' output columns and of what is true, as reports keep both.

    Args:
        source: what messages call the rows.
        answers: the output columns of each.
        true: what is true of each.
        labels: those that the columns hold probabilities of.
        groups: of the rows, if they have any.
    """
    import numpy as np

    probabilities, given = matrices(answers, labels)
    return CalibrationRows(
        source=source,
        labels=labels,
        probabilities=probabilities,
        given=given,
        truth=np.array([is_true(answer, of, labels) for answer, of in zip(answers, true, strict=True)]),
        what="opinion" if OPINIONS in answers[0] else "label",
        groups=groups,
    )


def value_rows(
    run: Run, classifier: Classifier, held_out: Path | str | None = None, **fields: Any
) -> ValueRows:
    """Return the numbers that a run answers to held-out rows; arguments and errors as for labels."""
    import numpy as np

    held = _held_out(run, classifier, held_out, fields)
    values, spreads = ([answer.get(name) for answer in held.answers] for name in ("value", "spread"))
    return ValueRows(
        source=held.source,
        values=np.array(values, dtype=float),
        truth=np.array(held.truth, dtype=float),
        spreads=None if None in spreads else np.array(spreads, dtype=float),
    )


@dataclass(frozen=True, kw_only=True)
class _HeldOut:
    """Rows whose answers are known, as reports keep them."""

    source: str
    answers: list[dict[str, Any]]
    """The output columns of each answer."""
    truth: list[Any]
    groups: tuple[str, ...]


def _held_out(
    run: Run, classifier: Classifier, held_out: Path | str | None, fields: Mapping[str, Any]
) -> _HeldOut:
    if more := read_with_texts(classifier):
        raise RunError(
            f"{classifier.name}: reads {more} with each text; expected a run that reads texts alone; "
            "hint: `nlpkit score` answers such a file"
        )
    if held_out is not None:
        tree = {**fields, "source": str(held_out)}
        source = validate(tree, classifier.task.source_settings, where=Path(str(held_out)))
        examples = read_examples(classifier.task, [source], seed=0).examples
        with naming_rows((example.text, example.where) for example in examples):
            predictions = classifier.predict([classifier.task.input(example) for example in examples])
        family = classifier.task.family
        return _HeldOut(
            source=source.source,
            answers=[answer.row() for answer in predictions],
            truth=[family.truth(example) for example in examples],
            groups=tuple(example.group for example in examples),
        )
    for part in OWN_PARTS:
        path = run.evaluation / f"{part}.predictions.parquet"
        if path.is_file():
            from pyarrow import parquet

            kept = parquet.read_table(path).to_pylist()
            if fields.get("by") and GROUP not in kept[0]:
                raise RunError(
                    f"{path}: its rows have no groups; hint: name a file with labels and the column "
                    f"{fields['by']!r} that the run was not trained on, with --held-out FILE; "
                    f"or train with `by: {fields['by']}` below the source"
                )
            return _HeldOut(
                source=f"{part} rows of {run.name}",
                answers=kept,
                truth=[row["truth"] for row in kept],
                groups=tuple(row.get(GROUP, "") for row in kept),
            )
    raise RunError(
        f"{run.path}: holds no predictions for held-out rows; "
        "hint: name a file with labels that it was not trained on, with --held-out FILE"
    )
