"""Measure a round of labeling: the new run against earlier ones, on the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.evaluation.evaluate import refuse_other_answers
from nlpkit.files import fingerprint
from nlpkit.labeling.rounds import Round, gains_of, packed, read_rounds
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.labels import ACCURACY
from nlpkit.metrics.score import Score
from nlpkit.run import Run


def measure_round(
    old: Run, new: Run, before: Classifier, examples: Sequence[Any], *, added: int, threshold: float
) -> tuple[Round, ...]:
    """Return the rounds so far, and the one that led from one run to the next.

    Args:
        old: the run that the texts were picked by.
        new: the run that learned their labels.
        before: the classifier of the old run.
        examples: the held-out rows.
        added: how many labels were learned.
        threshold: the points that 100 labels have to be worth.

    Raises:
        ConfigError: the two do not answer with the same labels.
    """
    after = Classifier.load(new)
    refuse_other_answers(after, before)
    held_out = fingerprint({"rows": [(example.text, str(example.label)) for example in examples]})
    theirs, ours = _outcomes(before, examples), _outcomes(after, examples)
    rounds = _rounds_of(old, theirs, held_out)
    this = Round(
        run=new.name,
        added=added,
        labels=rounds[-1].labels + added,
        held_out=held_out,
        accuracy=_accuracy(ours),
        right=packed(ours.right),
        gains=gains_of(rounds, ours.right, held_out, added),
        threshold=threshold,
    )
    return (*rounds, this)


def _rounds_of(run: Run, outcomes: Any, held_out: str) -> tuple[Round, ...]:
    """Return the rounds that led to a run, the last one as it is measured on the held-out rows of now."""
    rounds = read_rounds(run)
    measured = {
        "held_out": held_out,
        "accuracy": _accuracy(outcomes),
        "right": packed(outcomes.right),
    }
    if not rounds:
        return (Round(run=run.name, added=0, labels=0, **measured),)
    return (*rounds[:-1], rounds[-1].model_copy(update=measured))


def _outcomes(classifier: Classifier, examples: Sequence[Any]) -> Any:
    predictions = classifier.predict([classifier.task.input(example) for example in examples])
    return classifier.task.family.outcomes(examples, predictions)


def _accuracy(outcomes: Any) -> Score:
    return bootstrap(outcomes, [ACCURACY], seed=0)[ACCURACY.name]
