"""nlpkit's metrics as `evaluate.Metric` classes: they live in the package, so they work where `evaluate.load` cannot.

    import evaluate
    from nlpkit.metrics.modules import Accuracy, LogLoss

    both = evaluate.combine([Accuracy(), LogLoss()])
    both.compute(predictions=[[0.9, 0.1], [0.4, 0.6]], references=[0, 1])

Metrics of labels take the probabilities of every label; those that need no probabilities also take label numbers, as the
modules on the hub do. A metric that is undefined for the data is None.

This is the one module that imports `evaluate` (seconds) at its top, since its classes derive from it: import it where you use it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any, ClassVar

import datasets
import evaluate
import numpy as np

from nlpkit.errors import DataError
from nlpkit.metrics.outcomes import Outcomes
from nlpkit.metrics.table import METRICS, find, measure

_PROBABILITIES = datasets.Features(
    {"predictions": datasets.List(datasets.Value("float64")), "references": datasets.Value("int64")}
)
_NUMBERS = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})
_VALUES = datasets.Features(
    {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
)

_INPUTS = {
    "labels": "\nArgs:\n    predictions: for each text the probability of each label.\n    references: the number of the true label.\n",
    "values": "\nArgs:\n    predictions: for each text the predicted value.\n    references: the true value.\n",
}


class _Module(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """One row of METRICS; a subclass names it."""

    metric: ClassVar[str]
    features_allowed: ClassVar[list[Any]] = [_PROBABILITIES]

    def _info(self) -> Any:
        metric = METRICS[self.metric]
        return evaluate.MetricInfo(
            description=f"{metric.title}. {metric.meaning}",
            citation="",
            inputs_description=_INPUTS[metric.kind],
            features=self.features_allowed,
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float | None]:
        return {
            self.metric: measure(_outcomes(predictions, references, METRICS[self.metric].kind), self.metric)
        }


def _outcomes(predictions: Any, references: Any, kind: str) -> Outcomes:
    truth = np.asarray(references)
    if kind == "values":
        return Outcomes(truth=truth, predicted=np.asarray(predictions))
    if len(truth) == 0:
        raise DataError("nothing to measure: there are no rows; expected at least one")
    if np.ndim(predictions[0]) == 0:
        # Numbers of labels: as sure as can be. There are as many labels as numbers occur.
        predictions = np.eye(max(2, int(max(*predictions, *truth)) + 1))[np.asarray(predictions)]
    probabilities = np.asarray(predictions)
    return Outcomes(
        labels=tuple(map(str, range(probabilities.shape[1]))), truth=truth, probabilities=probabilities
    )


class Accuracy(_Module):
    """The share of rows with the right label; takes probabilities or label numbers."""

    metric = "accuracy"
    features_allowed: ClassVar[list[Any]] = [_PROBABILITIES, _NUMBERS]


class MacroF1(_Module):
    """The mean F1 of the labels that occur; takes probabilities or label numbers."""

    metric = "macro_f1"
    features_allowed: ClassVar[list[Any]] = [_PROBABILITIES, _NUMBERS]


class MCC(_Module):
    """Matthews correlation; takes probabilities or label numbers."""

    metric = "mcc"
    features_allowed: ClassVar[list[Any]] = [_PROBABILITIES, _NUMBERS]


class AUROC(_Module):
    """Area under the ROC curve, for more than two labels the mean of each against the rest; takes probabilities."""

    metric = "auroc"


class LogLoss(_Module):
    """Mean negative log-likelihood; takes probabilities."""

    metric = "log_loss"


class Brier(_Module):
    """Brier score, squared errors summed over labels (0 to 2); takes probabilities."""

    metric = "brier"


class ECE(_Module):
    """Expected calibration error over 15 bins; takes probabilities."""

    metric = "expected_calibration_error"


class Pearson(_Module):
    """Linear correlation of values."""

    metric = "pearson"
    features_allowed: ClassVar[list[Any]] = [_VALUES]


class Spearman(_Module):
    """Rank correlation of values."""

    metric = "spearman"
    features_allowed: ClassVar[list[Any]] = [_VALUES]


class MAE(_Module):
    """Mean absolute error of values."""

    metric = "mae"
    features_allowed: ClassVar[list[Any]] = [_VALUES]


class RMSE(_Module):
    """Root mean squared error of values."""

    metric = "rmse"
    features_allowed: ClassVar[list[Any]] = [_VALUES]


METRIC_CLASSES: dict[str, type[_Module]] = {
    one.metric: one
    for one in (Accuracy, MacroF1, MCC, AUROC, LogLoss, Brier, ECE, Pearson, Spearman, MAE, RMSE)
}


def compute(outcomes: Outcomes, names: Sequence[str]) -> dict[str, float | None]:
    """Each metric's value through its `evaluate` class; None where it is undefined.

    Raises:
        ConfigError: there is no such metric, or it does not apply to these outcomes.
    """
    for name in names:
        find(name, outcomes.kind)
    if not names:
        return {}
    # evaluate makes a folder for each metric even when it keeps the rows in memory: leave none behind.
    with tempfile.TemporaryDirectory() as folder:
        modules = [METRIC_CLASSES[name](keep_in_memory=True, cache_dir=folder) for name in names]
        predictions = outcomes.probabilities if outcomes.kind == "labels" else outcomes.predicted
        found: dict[str, float | None] = evaluate.combine(modules).compute(
            predictions=predictions, references=outcomes.truth
        )
    return found
