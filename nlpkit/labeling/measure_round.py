"""Measure a round of labeling: the new run against earlier ones, on the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.evaluation.evaluate import refuse_other_answers
from nlpkit.files import fingerprint
from nlpkit.labeling.rounds import Gain, Round, compared_with, read_rounds
from nlpkit.metrics.intervals import bootstrap, paired
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
    answers, ours = _outcomes(before, examples), _outcomes(after, examples)
    rounds = _rounds_of(old, _accuracy(answers), held_out)
    labels = rounds[-1].labels + added
    last = Gain(since=old.name, labels=added, test=paired(ACCURACY, ours, answers))
    earlier, gain = compared_with(rounds, held_out), last
    if earlier is not None and earlier != rounds[-1]:
        theirs = _outcomes(Classifier.load(Run(Path(earlier.path))), examples)
        gain = Gain(since=earlier.run, labels=labels - earlier.labels, test=paired(ACCURACY, ours, theirs))
    this = Round(
        run=new.name,
        path=str(new.path.absolute()),
        added=added,
        labels=labels,
        held_out=held_out,
        accuracy=_accuracy(ours),
        gain=gain,
        last_gain=last,
        threshold=threshold,
        stop=gain.is_below(threshold),
    )
    return (*rounds, this)


def _rounds_of(run: Run, accuracy: Score, held_out: str) -> tuple[Round, ...]:
    """Return the rounds that led to a run; the accuracy of the last is the one on the held-out rows."""
    rounds = read_rounds(run)
    if not rounds:
        path = str(run.path.absolute())
        return (Round(run=run.name, path=path, added=0, labels=0, held_out=held_out, accuracy=accuracy),)
    last = rounds[-1].model_copy(
        update={"accuracy": accuracy, "held_out": held_out, "path": str(run.path.absolute())}
    )
    return (*rounds[:-1], last)


def _outcomes(classifier: Classifier, examples: Sequence[Any]) -> Any:
    predictions = classifier.predict([classifier.task.input(example) for example in examples])
    return classifier.task.family.outcomes(examples, predictions)


def _accuracy(outcomes: Any) -> Score:
    return bootstrap(outcomes, [ACCURACY], seed=0)[ACCURACY.name]
