"""Measure a round of labeling: the new run against earlier ones, on the same held-out rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.evaluation.measure_classifier import refuse_other_answers
from nlpkit.files import fingerprint
from nlpkit.labeling.rounds import Round, gains_of, packed, read_rounds
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.labels import ACCURACY
from nlpkit.run import Run


def measure_round(
    old: Run, new: Run, before: Classifier, examples: Sequence[Any], *, added: int, threshold: float
) -> tuple[Round, ...]:
    """Return the rounds so far, the last one measured anew, and the one that led from `old` to `new`.

    `before` is the classifier of the old run, and `examples` are the held-out rows.

    Raises:
        ConfigError: the two do not answer with the same labels.
    """
    after = Classifier.load(new)
    refuse_other_answers(after, before)
    held_out = fingerprint({"rows": [(example.text, str(example.label)) for example in examples]})
    earlier, _ = _measured(before, examples, held_out)
    later, right = _measured(after, examples, held_out)
    *rounds, last = read_rounds(old) or [Round(run=old.name, added=0, labels=0, **earlier)]
    rounds.append(last.model_copy(update=earlier))
    gains = gains_of(rounds, right, held_out, added)
    reached = {"run": new.name, "added": added, "labels": last.labels + added}
    return (*rounds, Round(**reached, **later, gains=gains, threshold=threshold))


def _measured(classifier: Classifier, examples: Sequence[Any], held_out: str) -> tuple[dict[str, Any], Any]:
    """Return what a round says of its run, and (rows,): which rows the run gets right."""
    predictions = classifier.predict([classifier.task.input(example) for example in examples])
    outcomes: Any = classifier.task.family.outcomes(examples, predictions)
    accuracy = bootstrap(outcomes, [ACCURACY], seed=0)[ACCURACY.name]
    return {"held_out": held_out, "accuracy": accuracy, "right": packed(outcomes.right)}, outcomes.right
