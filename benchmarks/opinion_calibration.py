"""Calibration error and log loss of the probabilities of opinions, by cross-fitting on real texts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from nlpkit.classifiers.classifier import Classifier
from nlpkit.metrics.calibration import EQUAL_MASS_ERROR
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.label_probabilities import LOG_LOSS
from nlpkit.metrics.labels import ACCURACY
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.tasks.answers.span_fit import fit_candidates, right_in
from nlpkit.tasks.calibrator import FOLDS

if TYPE_CHECKING:
    from nlpkit.tasks.answers.span_decoding import Candidates

FITTED = "weights and offset"


def candidates_in(run: Path, file: Path) -> tuple[list[Candidates], list[set[tuple[int, ...]]]]:
    """Return what may be an opinion in each window of the texts in a file, and what truly is one."""
    classifier = Classifier.load(run)
    task: Any = classifier.task
    examples = task.read(file, task.source_settings(source=str(file))).examples
    encoded = classifier.encode([task.input(example) for example in examples])
    windows: tuple[list[Candidates], list[set[tuple[int, ...]]]]
    windows = task.family.possible(classifier.model.logits_of(encoded), encoded, examples)
    return windows


def measure_opinions(run: Path, file: Path, *, seed: int) -> dict[str, Any]:
    """Return calibration error and log loss of what may be an opinion: with the sum of its scores as the
    log-odds, and by what the windows of other folds fit.
    """
    windows, true = candidates_in(run, file)
    fold = np.random.default_rng(seed).permutation(len(windows)) % FOLDS
    plain, fitted = ([np.zeros(0)] * len(windows) for _ in range(2))
    for number in range(FOLDS):
        others = np.flatnonzero(fold != number)
        fitted_to = fit_candidates([windows[at] for at in others], [true[at] for at in others])
        for at in np.flatnonzero(fold == number):
            plain[at] = expit(windows[at].scores.sum(axis=1))
            fitted[at] = expit(windows[at].scores @ np.array(fitted_to["weights"]) + fitted_to["offset"])
    right = np.concatenate([right_in(*each) for each in zip(windows, true, strict=True)])
    methods = {}
    for method, answers in {"none": plain, FITTED: fitted}.items():
        chances = np.concatenate(answers)
        outcomes = LabelOutcomes(
            labels=("wrong", "right"),
            truth=right.astype(int),
            probabilities=np.stack([1 - chances, chances], 1),
        )
        scores = bootstrap(outcomes, (ACCURACY, EQUAL_MASS_ERROR, LOG_LOSS), seed=seed)
        methods[method] = {
            name: {"value": score.value, "low": score.low, "high": score.high}
            for name, score in scores.items()
        }
    return {"rows": len(right), "labels": 2, "chosen": FITTED, "methods": methods}
