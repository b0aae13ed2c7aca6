"""The metrics as `evaluate.Metric` classes: they live in the package, so they work where `evaluate.load`
cannot.

    import evaluate
    from nlpkit.metrics.modules import Accuracy, LogLoss

    both = evaluate.combine([Accuracy(), LogLoss()])
    both.compute(predictions=[[0.9, 0.1], [0.4, 0.6]], references=[0, 1])

Metrics of labels take the probabilities of every label; those that need no probabilities also take label
numbers, as the
modules on the hub do. A metric that is undefined for the data is None.

The classes are made from the metric objects: Accuracy, MacroF1, MCC, AUROC, LogLoss, Brier, ECE, Pearson,
Spearman, MAE, RMSE.

This is the one module that imports `evaluate` (seconds) at its top, since its classes derive from it: import
it where you use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import datasets
import evaluate
import numpy as np

from nlpkit.errors import DataError
from nlpkit.metrics.labels import LABEL_METRICS
from nlpkit.metrics.metric import Inputs, Metric
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.values import VALUE_METRICS

_PROBABILITIES = datasets.Features(
    {"predictions": datasets.List(datasets.Value("float64")), "references": datasets.Value("int64")}
)
_NUMBERS = datasets.Features({"predictions": datasets.Value("int64"), "references": datasets.Value("int64")})
_VALUES = datasets.Features(
    {"predictions": datasets.Value("float64"), "references": datasets.Value("float64")}
)
_FEATURES: dict[Inputs, list[Any]] = {
    "labels": [_PROBABILITIES, _NUMBERS],
    "probabilities": [_PROBABILITIES],
    "values": [_VALUES],
}
_LABELS = "for each text the probability of each label.\n    references: the number of the true label.\n"
_DESCRIPTIONS: dict[Inputs, str] = {
    "labels": _LABELS,
    "probabilities": _LABELS,
    "values": "for each text the predicted value.\n    references: the true value.\n",
}


if TYPE_CHECKING:

    class _Metric:
        """What is inherited from evaluate, which has no types."""

        def __init__(self, **settings: Any) -> None: ...
        def add(self, *, prediction: Any = None, reference: Any = None) -> None: ...
        def add_batch(self, *, predictions: Any = None, references: Any = None) -> None: ...
        def compute(self, *, predictions: Any = None, references: Any = None) -> dict[str, Any] | None: ...
else:
    _Metric = evaluate.Metric


class MetricModule(_Metric):
    """An nlpkit metric as the `evaluate` library calls it; a subclass names it."""

    of: ClassVar[Metric[Any]]
    metric: ClassVar[str]

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description=f"{self.of.title}. {self.of.meaning}",
            citation="",
            inputs_description=f"\nArgs:\n    predictions: {_DESCRIPTIONS[self.of.inputs]}",
            features=_FEATURES[self.of.inputs],
        )

    def _compute(self, predictions: Any, references: Any) -> dict[str, float | None]:
        outcomes = _values if self.of.inputs == "values" else _labels
        return {self.metric: self.of.value(outcomes(predictions, references))}


def _values(predictions: Any, references: Any) -> ValueOutcomes:
    return ValueOutcomes(truth=np.asarray(references), predicted=np.asarray(predictions))


def _labels(predictions: Any, references: Any) -> LabelOutcomes:
    truth = np.asarray(references)
    if len(truth) == 0:
        raise DataError("nothing to measure: there are no rows; expected at least one")
    if np.ndim(predictions[0]) == 0:
        # Label numbers count as certain. There are as many labels as numbers occur.
        predictions = np.eye(max(2, int(max(*predictions, *truth)) + 1))[np.asarray(predictions)]
    probabilities = np.asarray(predictions)
    names = tuple(map(str, range(probabilities.shape[1])))
    return LabelOutcomes(labels=names, truth=truth, probabilities=probabilities)


def _module(metric: Metric[Any]) -> type[MetricModule]:
    fields = {"of": metric, "metric": metric.name, "__doc__": metric.meaning, "__module__": __name__}
    return type(metric.class_name, (MetricModule,), fields)


_METRICS: tuple[Metric[Any], ...] = (*LABEL_METRICS, *VALUE_METRICS)
METRIC_CLASSES: dict[str, type[MetricModule]] = {
    metric.name: _module(metric) for metric in _METRICS if metric.class_name
}
"""The classes, by the metric's name."""

globals().update({module.__name__: module for module in METRIC_CLASSES.values()})


def __getattr__(name: str) -> type[MetricModule]:
    # Only tells type checkers that the classes are here: those that exist are found before this is asked.
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
