"""How a round of self-training is measured, and whether it is better than the best one before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric, find_metric
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.reports.self_training_sections import Round
from nlpkit.reports.wording import difference
from nlpkit.run import Run
from nlpkit.tasks.answers.family import ClassifierFamily
from nlpkit.tasks.task import TextTask
from nlpkit.training.rows import Rows


def choosing_metric(family: ClassifierFamily, name: str | None) -> Metric[Any]:
    """Return the metric that chooses the round: that of the checkpoint, for the loss its calibrated value.

    Raises:
        ConfigError: the family has no metric of that name.
    """
    if name is None:
        return family.best_by
    return find_metric("log_loss" if name == "loss" else name, family.metrics)


def outcomes_of(run: Run, examples: Sequence[Any]) -> Any:
    """Return truth and answers of a completed run, as it is served, to examples."""
    classifier = Classifier.load(run)
    inputs = [classifier.task.input(example) for example in examples]
    return classifier.task.family.outcomes(examples, classifier.predict(inputs))


def score_of(metric: Metric[Any], outcomes: Any, seed: int) -> Score:
    """Return a score with its interval."""
    return bootstrap(outcomes, [metric], seed=seed)[metric.name]


def is_better(test: PairedTest, metric: Metric[Any]) -> bool:
    """Return whether the score of a round is better than that of the best one before, by however little."""
    if test.difference is None:
        return False
    return test.difference < 0 if metric.higher_is_better is False else test.difference > 0


def compare_on_test(
    metric: Metric[Any], rows: Rows[TextTask], first: Run, kept: Run, seed: int
) -> dict[str, Any]:
    """Return what the self-training is worth on rows that chose nothing, for its record."""
    if not rows.test:
        return {}
    before, after = (outcomes_of(run, rows.test) for run in (first, kept))
    return {
        "first_on_test": score_of(metric, before, seed),
        "kept_on_test": score_of(metric, after, seed),
        "test": paired(metric, after, before, seed=seed),
    }


def in_words(trained: Round) -> str:
    """Return the score of a round on the validation rows in a line."""
    score = trained.score
    compared = difference(score, trained.test)
    than = f", {compared} than the best round before" if compared else ""
    return f"{score.title} {score.shown_with_interval} on {score.count:,} validation rows{than}"
