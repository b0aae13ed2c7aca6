"""Rows with known labels that a run was not trained on: what every promise about its answers is fitted to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.config import validate
from nlpkit.errors import ConfigError, RunError
from nlpkit.generation.decision_server import naming_rows
from nlpkit.reports.keeping import OWN_PARTS
from nlpkit.run import Run
from nlpkit.tasks.answers.family import ClassifierFamily
from nlpkit.tasks.reading import read_examples

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

    def __len__(self) -> int:
        return len(self.truth)


def calibration_rows(
    run: Run, classifier: Classifier, held_out: Path | str | None = None, **fields: Any
) -> CalibrationRows:
    """Return what a run answers to held-out rows.

    Args:
        run: completed.
        classifier: its classifier.
        held_out: labeled rows that it was not trained on; default: the test rows of its training, or where
            there are none the validation rows.
        fields: settings of the source `held_out`, such as `label`.

    Raises:
        RunError: its answers are not labels, it reads more than a text, or it has no held-out rows.
        DataError: a file or a row of `held_out` is wrong.
    """
    family = classifier.task.family
    labels = labels_of(family)
    if classifier.turns is not None or classifier.reads_aspects:
        more = "the turns before" if classifier.turns is not None else "an aspect"
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
        truth = [example.labels for example in examples]
        return _rows(source.source, labels, [answer.row() for answer in predictions], truth)
    for part in OWN_PARTS:
        path = run.evaluation / f"{part}.predictions.parquet"
        if path.is_file():
            from pyarrow import parquet

            kept = parquet.read_table(path).to_pylist()
            is_set = "labels" in family.columns
            truth = [tuple(row["truth"].split(", ")) if is_set else (row["truth"],) for row in kept]
            return _rows(f"{part} rows of {run.name}", labels, kept, truth)
    raise RunError(
        f"{run.path}: holds no predictions for held-out rows; "
        "hint: name a file with labels that it was not trained on, with --held-out FILE"
    )


def labels_of(family: ClassifierFamily) -> tuple[str, ...]:
    """Return the labels that a family gives probabilities of.

    Raises:
        RunError: its answers are not labels.
    """
    names = tuple(name.removeprefix("p_") for name in family.columns if name.startswith("p_"))
    if not names:
        raise RunError(f"the run answers with {', '.join(family.columns)}; expected one that gives labels")
    return names


def refuse_other_answers(classifier: Classifier, option: str, names: Sequence[str] = ("label",)) -> None:
    """Refuse a classifier that has none of these output columns.

    Raises:
        ConfigError: names the option that needs one.
    """
    if not classifier.columns.keys() & set(names):
        how = "one label a text" if len(names) == 1 else "labels"
        raise ConfigError(
            f"{option}: {classifier.name} answers with {', '.join(classifier.columns)}; "
            f"expected a run that gives {how}"
        )


def matrices(
    answers: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return, (rows, labels) each, the probabilities in answers' columns, and which labels were given."""
    import numpy as np

    probabilities = [[float(answer[f"p_{label}"]) for label in labels] for answer in answers]
    given = [
        str(answer["labels"] or "").split(", ") if "labels" in answer else (answer["label"],)
        for answer in answers
    ]
    return np.array(probabilities), np.array([[label in names for label in labels] for names in given])


def _rows(
    source: str, labels: Sequence[str], answers: Sequence[Mapping[str, Any]], truth: Sequence[Sequence[str]]
) -> CalibrationRows:
    import numpy as np

    probabilities, given = matrices(answers, labels)
    return CalibrationRows(
        source=source,
        labels=tuple(labels),
        probabilities=probabilities,
        given=given,
        truth=np.array([[label in true for label in labels] for true in truth], dtype=bool),
    )
