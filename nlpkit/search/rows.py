"""Rows that many trainings are compared on, and what a run answers to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError
from nlpkit.metrics.metric import Metric
from nlpkit.run import Run
from nlpkit.settings.data import Data
from nlpkit.tasks.answers.family import ClassifierFamily
from nlpkit.training.codebooks import with_codebook
from nlpkit.training.rows import Rows, load_rows

CHOOSE = 0.1
"""The share of training rows that is split off to choose on, where the validation rows become test rows."""


def nested(settings: Any, share: float) -> dict[str, Any]:
    """Return overrides of `data` with which some rows are reported on and chosen by nobody.

    Test rows that the config names stay. Else a file of validation rows becomes the test rows, and a part of
    the training rows is chosen on. Else a share of the training rows is the test.

    Raises:
        ConfigError: the recipe has no such rows.
    """
    data = settings.data
    if not hasattr(data, "validation") or not hasattr(data, "test"):
        raise ConfigError(
            f"recipe {settings.recipe}: has no data.validation and data.test to compare runs on"
        )
    if data.test:
        return {}
    if isinstance(data.validation, tuple):
        sources = [source.model_dump(exclude_unset=True) for source in data.validation]
        return {"data.test": sources, "data.validation": CHOOSE}
    return {"data.test": share}


def where_reported(changed: Mapping[str, Any]) -> str:
    """Return in words what rows are reported on, for overrides that `nested` returned."""
    if not changed:
        return "the config's test rows"
    if "data.validation" in changed:
        return f"the config's validation rows; {CHOOSE:.0%} of the training rows are chosen on in their place"
    return f"{changed['data.test']:.0%} of the training rows, split off"


def labeled_rows(settings: Any) -> Rows[Any]:
    """Return the rows of a config as its training reads them.

    Raises:
        ConfigError: the config trains no classifier on labeled rows.
    """
    if not isinstance(settings.data, Data):
        raise ConfigError(
            f"recipe {settings.recipe}: expected labeled rows; folds and learning curves are for classifiers"
        )
    task = with_codebook(settings.task, getattr(settings, "codebook", None))
    return load_rows(task, settings.data, seed=settings.seed)


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a run answers to rows that it was not trained on."""

    family: ClassifierFamily
    examples: Sequence[Any]
    predictions: Sequence[Any]

    @property
    def outcomes(self) -> Any:
        """What was true and what was predicted, row by row."""
        return self.family.outcomes(self.examples, self.predictions)


def answers_of(run: Run, examples: Sequence[Any]) -> Answers:
    """Return a run's answers to examples, exactly as it is served."""
    classifier = Classifier.load(run)
    task = classifier.task
    predictions = classifier.predict([task.input(example) for example in examples])
    return Answers(family=task.family, examples=examples, predictions=predictions)


def metrics_of(family: ClassifierFamily, name: str | None) -> tuple[Metric[Any], ...]:
    """Return a family's metrics: first the one of that name, or the family's own choice if none has it."""
    first = next((metric for metric in family.metrics if metric.name == name), family.best_by)
    return first, *(metric for metric in family.metrics if metric.name != first.name)
