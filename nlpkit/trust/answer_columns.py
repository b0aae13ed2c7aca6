"""What the output columns of a run's answers say: its labels, their probabilities, what was given and what is
true.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, RunError
from nlpkit.tasks.answers.family import ClassifierFamily
from nlpkit.tasks.prediction import OPINIONS, SEVERAL

if TYPE_CHECKING:
    from numpy.typing import NDArray

RANKS = tuple(map(str, range(1, 17)))
"""Stand for labels where a run finds opinions: the likeliest one of a text, and so on; more do not count."""


def is_true(answer: Mapping[str, Any], true: str, labels: Sequence[str]) -> list[bool]:
    """Return whether each label is true, or each of the likeliest opinions in all its parts."""
    if OPINIONS in answer:
        known = [_parts(opinion) for opinion in json.loads(true)]
        right = [_parts(opinion) in known for opinion in _likeliest(answer)]
        return right + [False] * (len(labels) - len(right))
    names = true.split(", ") if SEVERAL in answer else [true]
    return [label in names for label in labels]


def _likeliest(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return as many opinions as there are RANKS."""
    return sorted(answer[OPINIONS], key=lambda opinion: -opinion["probability"])[: len(RANKS)]


def _parts(opinion: Mapping[str, Any]) -> tuple[Any, ...]:
    spans = [opinion.get(name) or {} for name in ("aspect", "opinion")]
    return opinion["polarity"], *((span.get("start"), span.get("end")) for span in spans)


def labels_of(family: ClassifierFamily) -> tuple[str, ...]:
    """Return the labels that a family gives probabilities of.

    Raises:
        RunError: its answers are not labels.
    """
    names = labels_in(family.columns)
    if not names:
        raise RunError(f"the run answers with {', '.join(family.columns)}; expected one that gives labels")
    return names


def labels_in(columns: Iterable[str]) -> tuple[str, ...]:
    return tuple(name.removeprefix("p_") for name in columns if name.startswith("p_"))


def refuse_other_answers(classifier: Classifier, option: str, names: Sequence[str] = ("label",)) -> None:
    """Refuse a classifier that has none of these output columns.

    Raises:
        ConfigError: names the option that needs one.
    """
    if not classifier.columns.keys() & set(names):
        how = "one label a text" if len(names) == 1 else "labels or opinions"
        raise ConfigError(
            f"{option}: {classifier.name} answers with {', '.join(classifier.columns)}; "
            f"expected a run that gives {how}"
        )


def matrices(
    answers: Sequence[Mapping[str, Any]], labels: Sequence[str]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return, (rows, labels) each, the probabilities in answers' columns, and which labels were given.

    Opinions stand in the order of their probabilities, each in the column of its rank.
    """
    import numpy as np

    if answers and OPINIONS in answers[0]:
        ranked = np.zeros((len(answers), len(labels)))
        for row, answer in enumerate(answers):
            for rank, opinion in enumerate(_likeliest(answer)):
                ranked[row, rank] = opinion["probability"]
        return ranked, ranked > 0
    probabilities = [[float(answer[f"p_{label}"]) for label in labels] for answer in answers]
    given = [
        str(answer["labels"] or "").split(", ") if "labels" in answer else (answer["label"],)
        for answer in answers
    ]
    return np.array(probabilities), np.array([[label in names for label in labels] for names in given])
