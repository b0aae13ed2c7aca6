"""Metrics of predicted values. To add one, write an object and name it in `VALUE_METRICS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.metric import Bootstrap, Metric
from nlpkit.metrics.outcomes import ValueOutcomes
from nlpkit.metrics.ratio import mean_statistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.metrics.metric import Statistic

    Array: TypeAlias = NDArray[Any]


def pearson(outcomes: ValueOutcomes) -> float:
    """Return the linear correlation between true and predicted values."""
    from scipy.stats import pearsonr

    return float(pearsonr(outcomes.truth, outcomes.predicted).statistic)


def spearman(outcomes: ValueOutcomes) -> float:
    """Return the correlation between the ranks of true and predicted values, ties sharing their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(outcomes.truth, outcomes.predicted).statistic)


def mae(outcomes: ValueOutcomes) -> float:
    """Return the mean absolute error, in the units of the data."""
    return float(_errors(outcomes).mean())


def rmse(outcomes: ValueOutcomes) -> float:
    """Return the root of the mean squared error, in the units of the data."""
    return float(_squares(outcomes).mean() ** 0.5)


def _errors(outcomes: ValueOutcomes) -> Array:
    return abs(outcomes.truth - outcomes.predicted)


def _squares(outcomes: ValueOutcomes) -> Array:
    squares: Array = (outcomes.truth - outcomes.predicted) ** 2
    return squares


def _no_variation(outcomes: ValueOutcomes) -> str | None:
    if len(outcomes) < 2:
        return "a correlation needs at least two rows"
    for name, values in (("true", outcomes.truth), ("predicted", outcomes.predicted)):
        if (values == values[0]).all():
            return f"all {name} values are equal"
    return None


def _correlation(drawn: Array, first: Array, second: Array) -> Array:
    """Return Pearson's r of each resample; the values may differ between resamples, as ranks do."""
    import numpy as np

    total = drawn.sum(axis=1, keepdims=True)
    first = first - (drawn * first).sum(axis=1, keepdims=True) / total
    second = second - (drawn * second).sum(axis=1, keepdims=True) / total
    weighed = drawn * first
    scale = np.sqrt((weighed * first).sum(axis=1) * (drawn * second * second).sum(axis=1))
    correlations: Array = (weighed * second).sum(axis=1) / scale
    return correlations


def _pearson_resampled(outcomes: ValueOutcomes) -> Bootstrap:
    return Bootstrap(
        statistic=lambda drawn: _correlation(drawn, outcomes.truth[None], outcomes.predicted[None])
    )


def _ranks(values: Array) -> Statistic:
    """Return the mean rank of each row's value within each resample: (resamples, rows)."""
    import numpy as np

    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))
    group = np.empty(len(values), dtype=int)
    group[order] = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(values)))

    def statistic(drawn: Array) -> Array:
        sizes = np.add.reduceat(drawn[:, order], starts, axis=1)
        ranks: Array = (sizes.cumsum(axis=1) - sizes / 2)[:, group]
        return ranks

    return statistic


def _spearman_resampled(outcomes: ValueOutcomes) -> Bootstrap:
    true, predicted = _ranks(outcomes.truth), _ranks(outcomes.predicted)
    return Bootstrap(statistic=lambda drawn: _correlation(drawn, true(drawn), predicted(drawn)))


def _rmse_resampled(outcomes: ValueOutcomes) -> Bootstrap:
    squares = mean_statistic(_squares(outcomes))
    return Bootstrap(statistic=lambda drawn: squares.statistic(drawn) ** 0.5)


PEARSON = Metric[ValueOutcomes](
    name="pearson",
    title="Pearson r",
    meaning="Linear correlation with the true values: 1 is perfect, 0 is none.",
    scale=(-1, 1),
    compute=pearson,
    resample=_pearson_resampled,
    undefined=_no_variation,
    hub_name="pearsonr",
    class_name="Pearson",
    inputs="values",
)
SPEARMAN = Metric[ValueOutcomes](
    name="spearman",
    title="Spearman rho",
    meaning="Correlation of the ranks: whether it sorts texts as people do.",
    scale=(-1, 1),
    compute=spearman,
    resample=_spearman_resampled,
    undefined=_no_variation,
    hub_name="spearmanr",
    class_name="Spearman",
    inputs="values",
)
MAE = Metric[ValueOutcomes](
    name="mae",
    title="Mean absolute error",
    meaning="How far off a prediction is, on average, in the units of the data.",
    higher_is_better=False,
    compute=mae,
    resample=lambda outcomes: mean_statistic(_errors(outcomes)),
    class_name="MAE",
    inputs="values",
)
RMSE = Metric[ValueOutcomes](
    name="rmse",
    title="RMSE",
    meaning="Root mean squared error, in the units of the data: large misses count more.",
    higher_is_better=False,
    compute=rmse,
    resample=_rmse_resampled,
    class_name="RMSE",
    inputs="values",
)

VALUE_METRICS: tuple[Metric[ValueOutcomes], ...] = (PEARSON, SPEARMAN, MAE, RMSE)
"""In the order in which they are shown."""
