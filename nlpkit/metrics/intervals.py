"""95% intervals by bootstrap or jackknife, and paired tests between two models on the same rows.

A resample is written as how often each row was drawn: `drawn` is (resamples, rows). A metric's `resample`
gives its value for
many resamples at once; `drawn` of all ones gives the metric itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from nlpkit.metrics.metric import RESAMPLES, Bootstrap, Jackknife, Measured, Metric
from nlpkit.metrics.score import PairedTest, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Interval: TypeAlias = tuple[float, float]

Ends = TypeVar("Ends", float, float | None)

CELLS = 2_000_000
"""Numbers in one block of resamples: 16 MB, so that it stays near the processor whatever the number of rows.
"""
NORMAL = 1.959964
"""Half the width of a 95% interval, in standard errors."""
TOO_FEW = "no interval: the rows are too few or too alike"


def bootstrap(
    outcomes: Measured, metrics: Sequence[Metric[Measured]], *, resamples: int = RESAMPLES, seed: int
) -> dict[str, Score]:
    """Return each metric with its 95% interval: percentile bootstrap (Efron 1979), the same resamples for
    all, or jackknife.

    Args:
        outcomes: the rows to measure on.
        metrics: what to measure.
        resamples: how often the rows are drawn, at most.
        seed: draws them.
    """
    values = {metric.name: metric.value(outcomes) for metric in metrics}
    ways = {metric.name: metric.resample(outcomes) for metric in metrics if values[metric.name] is not None}
    drawn = {name: way for name, way in ways.items() if isinstance(way, Bootstrap)}
    samples = dict(zip(drawn, _resampled(list(drawn.values()), len(outcomes), resamples, seed), strict=True))
    scores = {}
    for metric in metrics:
        value, way = values[metric.name], ways.get(metric.name)
        interval, why = None, metric.undefined(outcomes)
        if value is not None:
            interval = (
                _leave_one_out(value, way)
                if isinstance(way, Jackknife)
                else _percentile(metric, value, drawn[metric.name], samples[metric.name], len(outcomes))
            )
            why = TOO_FEW if interval is None else None
        scores[metric.name] = metric.score(outcomes, value, interval, why)
    return scores


def paired(
    metric: Metric[Measured],
    first: Measured,
    second: Measured,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> PairedTest:
    """Return the difference first minus second on the same rows: 95% interval, two-sided p, and exact McNemar
    for a share.

    Raises:
        ValueError: the two are not on the same rows.
    """
    if not first.same_rows(second):
        raise ValueError(
            f"{metric.name}: a paired test needs both outcomes on the same rows in the same order"
        )
    values = metric.value(first), metric.value(second)
    if values[0] is None or values[1] is None:
        return PairedTest(metric=metric.name, difference=None, count=len(first), resamples=resamples)
    difference = values[0] - values[1]
    ways = metric.resample(first), metric.resample(second)
    if isinstance(ways[0], Jackknife) and isinstance(ways[1], Jackknife):
        tested = {**_normal_test(difference, ways[0], ways[1]), "resamples": 0}
    else:
        drawn = _differences(ways, len(first), resamples, seed)
        low, high = _around(difference, percentiles(drawn))
        tested = {"low": low, "high": high, "p": two_sided(drawn), "resamples": resamples}
    if metric.right is not None:
        tested |= _mcnemar(metric.right(first), metric.right(second))
    return PairedTest(metric=metric.name, difference=difference, count=len(first), **tested)


def gain(
    metric: Metric[Measured], first: Measured, second: Measured, *, seed: int, undefined: str = ""
) -> Score:
    """Return first minus second on the same rows as a score with a paired interval.

    Where the two are equal on every row the gain is 0, from 0 to 0. Where there is no value, `undefined` says
    why.
    """
    values = metric.value(first), metric.value(second)
    if values[0] is None or values[1] is None:
        return metric.score(first, None, None, undefined or metric.undefined(first))
    value, count = values[0] - values[1], len(first)
    drawn = _differences((metric.resample(first), metric.resample(second)), count, RESAMPLES, seed)
    low, high = _around(value, percentiles(drawn)) if count > 1 else (None, None)
    if metric.percent and abs(value) == 1 and count > 1:
        # Won on all rows, or lost on all: as for a share, resampling them can only say so again.
        sure = exact_share(count, count)[0]
        low, high = (sure, 1.0) if value > 0 else (-1.0, -sure)
    if low is None or high is None:
        return metric.score(first, value, None, TOO_FEW)
    return metric.score(first, value, (low, high), None)


def two_sided(differences: Array) -> float | None:
    """Return twice the smaller tail beyond zero, counting the observed sample as one more so that p is never
    0.

    None where there are no differences.
    """
    if not len(differences):
        return None
    total = len(differences) + 1
    return float(
        min(1.0, 2 * min(((differences <= 0).sum() + 1) / total, ((differences >= 0).sum() + 1) / total))
    )


def percentiles(values: Array) -> tuple[float | None, float | None]:
    """Return the 2.5th and the 97.5th percentile; None where there are no values."""
    import numpy as np

    if not len(values):
        return None, None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def exact_share(right: int, count: int) -> Interval:
    """Return the Clopper-Pearson interval: resampling rows that are all right can only say that all are
    right.
    """
    from scipy.stats import binomtest

    interval = binomtest(right, count).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def draws(rows: int, resamples: int, seed: int) -> Iterator[Array]:
    """Yield blocks of (some resamples, rows): how often each row was drawn."""
    import numpy as np

    random = np.random.default_rng(seed)
    block = max(1, CELLS // rows)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        chosen = random.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(chosen.ravel(), minlength=size * rows).reshape(size, rows).astype(float)


def _resampled(ways: Sequence[Bootstrap], rows: int, resamples: int, seed: int) -> Array:
    """Return (statistics, resamples): each statistic on the same resamples; nan where one leaves it
    undefined.
    """
    import numpy as np

    samples = np.full((len(ways), resamples), np.nan)
    start = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        for drawn in draws(rows, resamples, seed) if ways else ():
            for number, way in enumerate(ways):
                wanted = drawn[: max(0, way.resamples - start)]
                if len(wanted):
                    samples[number, start : start + len(wanted)] = way.statistic(wanted)
            start += len(drawn)
    return samples


def _differences(
    ways: tuple[Bootstrap | Jackknife, Bootstrap | Jackknife], rows: int, resamples: int, seed: int
) -> Array:
    drawn = _resampled([way for way in ways if isinstance(way, Bootstrap)], rows, resamples, seed)
    differences = drawn[0] - drawn[1]
    known: Array = differences[differences == differences]
    return known


def _percentile(
    metric: Metric[Any], value: float, way: Bootstrap, sample: Array, count: int
) -> Interval | None:
    if way.share and metric.percent and value in (0.0, 1.0):
        return exact_share(round(value * count), count)
    low, high = percentiles(sample[sample == sample])
    if low is None or high is None or low == high:
        return None
    return _around(value, (low, high))


def _around(value: float, interval: tuple[Ends, Ends]) -> tuple[Ends, Ends]:
    """Return the interval, widened to hold the value.

    Resampling adds noise to each bin, so a small calibration error may lie below nearly all of its resamples.
    """
    low, high = interval
    return (low, high) if low is None or high is None else (min(low, value), max(high, value))


def _leave_one_out(value: float, way: Jackknife) -> Interval | None:
    error = _standard_error(way.without)
    if not error:
        return None
    return max(0.0, value - NORMAL * error), min(1.0, value + NORMAL * error)


def _normal_test(difference: float, first: Jackknife, second: Jackknife) -> dict[str, Any]:
    from scipy.stats import norm

    error = _standard_error(first.without - second.without)
    if error is None:
        return {}
    certain = 1.0 if difference == 0 else None
    p = float(2 * norm.sf(abs(difference) / error)) if error else certain
    return {"low": difference - NORMAL * error, "high": difference + NORMAL * error, "p": p}


def _standard_error(without: Array) -> float | None:
    """Return the jackknife's standard error: how much the score moves when single rows go."""
    import numpy as np

    if len(without) < 2 or not np.isfinite(without).all():
        return None
    return float(np.sqrt((len(without) - 1) * without.var()))


def _mcnemar(first: Array, second: Array) -> dict[str, Any]:
    from scipy.stats import binomtest

    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    differ = only_first + only_second
    p = float(binomtest(only_first, differ).pvalue) if differ else 1.0
    return {"mcnemar_p": min(1.0, p), "only_first": only_first, "only_second": only_second}
