"""How sure the numbers are: bootstrap intervals, and paired tests between two models on the same rows.

A resample is written as how often each row was drawn: `drawn` is (resamples, rows). Each metric has a function that gives its
value for many resamples at once; `drawn` of all ones gives the metric itself, which ties them to metrics.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.outcomes import Outcomes
from nlpkit.metrics.score import PairedTest, Score
from nlpkit.metrics.table import (
    BINS,
    METRICS,
    confidence_bins,
    find,
    measure,
    ranked_labels,
    row_briers,
    row_log_losses,
    why_undefined,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Statistic: TypeAlias = Callable[[Array], Array]

RESAMPLES = 1000
CELLS = 2_000_000
"""Numbers in one block of resamples: 16 MB, so that it stays near the processor whatever the number of rows."""


def bootstrap(
    outcomes: Outcomes, metric_names: Sequence[str], *, resamples: int = RESAMPLES, seed: int
) -> dict[str, Score]:
    """Each metric with its 95% percentile bootstrap interval (Efron 1979), the same resamples for all."""
    values = {name: measure(outcomes, name) for name in metric_names}
    statistics = {name: _statistic(outcomes, name) for name, value in values.items() if value is not None}
    found = _resampled(list(statistics.values()), len(outcomes), resamples, seed)
    spreads = dict(zip(statistics, found, strict=True))
    return {name: _score(outcomes, name, value, spreads.get(name)) for name, value in values.items()}


def paired(
    first: Outcomes, second: Outcomes, metric: str, *, resamples: int = RESAMPLES, seed: int = 0
) -> PairedTest:
    """The difference first minus second on the same rows: 95% interval, two-sided p, and exact McNemar for accuracy.

    Raises:
        ValueError: the two are not on the same rows.
    """
    if first.labels != second.labels or first.truth.tolist() != second.truth.tolist():
        raise ValueError("a paired test needs the same labels and the same true rows in the same order")
    values = measure(first, metric), measure(second, metric)
    if values[0] is None or values[1] is None:
        return PairedTest(metric=metric, difference=None, count=len(first), resamples=resamples)
    drawn = _resampled([_statistic(first, metric), _statistic(second, metric)], len(first), resamples, seed)
    differences = drawn[0] - drawn[1]
    differences = differences[differences == differences]
    low, high = percentiles(differences)
    return PairedTest(
        metric=metric,
        difference=values[0] - values[1],
        low=low,
        high=high,
        p=two_sided(differences),
        count=len(first),
        resamples=resamples,
        **(_mcnemar(first, second) if metric == "accuracy" else {}),
    )


def two_sided(differences: Array) -> float:
    """Twice the smaller tail beyond zero, counting the observed sample as one more so that p is never 0."""
    total = len(differences) + 1
    return float(
        min(1.0, 2 * min(((differences <= 0).sum() + 1) / total, ((differences >= 0).sum() + 1) / total))
    )


def _mcnemar(first: Outcomes, second: Outcomes) -> dict[str, Any]:
    from scipy.stats import binomtest

    right, other = first.predicted == first.truth, second.predicted == second.truth
    only_first, only_second = int((right & ~other).sum()), int((other & ~right).sum())
    differ = only_first + only_second
    p = float(binomtest(only_first, differ).pvalue) if differ else 1.0
    return {"mcnemar_p": min(1.0, p), "only_first": only_first, "only_second": only_second}


def _score(outcomes: Outcomes, name: str, value: float | None, spread: Array | None) -> Score:
    metric = METRICS[name]
    low, high, reason = None, None, why_undefined(outcomes, name)
    if value is not None and spread is not None:
        low, high = percentiles(spread[spread == spread])
        if name == "accuracy" and value in (0.0, 1.0):
            low, high = exact_share(round(value * len(outcomes)), len(outcomes))
        elif low is None or high is None or low == high:
            low, high, reason = None, None, "no interval: the rows are too few or too alike"
        else:
            # Resampling adds noise to each bin, so a small calibration error may lie below nearly all of its resamples.
            low, high = min(low, value), max(high, value)
    return Score(
        value=value,
        low=low,
        high=high,
        count=len(outcomes),
        undefined=reason,
        title=metric.title,
        meaning=metric.meaning,
        higher_is_better=metric.higher_is_better,
        percent=metric.percent,
    )


def percentiles(values: Array) -> tuple[float | None, float | None]:
    """The 2.5th and the 97.5th percentile; nothing of nothing."""
    import numpy as np

    if not len(values):
        return None, None
    low, high = np.percentile(values, (2.5, 97.5))
    return float(low), float(high)


def exact_share(right: int, count: int) -> tuple[float, float]:
    """The Clopper-Pearson interval: resampling rows that are all right can only say that all are right."""
    from scipy.stats import binomtest

    interval = binomtest(right, count).proportion_ci(0.95, method="exact")
    return float(interval.low), float(interval.high)


def _resampled(statistics: Sequence[Statistic], rows: int, resamples: int, seed: int) -> Array:
    """(statistics, resamples): each statistic on the same resamples; nan where a resample leaves it undefined."""
    import numpy as np

    found = np.empty((len(statistics), resamples))
    at = 0
    with np.errstate(invalid="ignore", divide="ignore"):
        for drawn in draws(rows, resamples, seed) if statistics else ():
            for number, statistic in enumerate(statistics):
                found[number, at : at + len(drawn)] = statistic(drawn)
            at += len(drawn)
    return found


def draws(rows: int, resamples: int, seed: int) -> Iterator[Array]:
    """Blocks of (some resamples, rows): how often each row was drawn."""
    import numpy as np

    random = np.random.default_rng(seed)
    block = max(1, CELLS // rows)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        chosen = random.integers(0, rows, (size, rows)) + np.arange(size)[:, None] * rows
        yield np.bincount(chosen.ravel(), minlength=size * rows).reshape(size, rows).astype(float)


def _statistic(outcomes: Outcomes, name: str) -> Statistic:
    find(name, outcomes.kind)
    return _STATISTICS[name](outcomes)


def _mean(values: Array) -> Statistic:
    return lambda drawn: drawn @ values / len(values)


def _sums(cells: Array, kinds: int) -> Statistic:
    """How many drawn rows fall into each cell: (resamples, kinds)."""
    import numpy as np
    from scipy.sparse import csr_array

    one_hot = csr_array((np.ones(len(cells)), cells, np.arange(len(cells) + 1)), shape=(len(cells), kinds))
    transposed = one_hot.T.tocsr()
    return lambda drawn: (transposed @ drawn.T).T


def _confusions(outcomes: Outcomes) -> Statistic:
    labels = len(outcomes.labels)
    counts = _sums(outcomes.truth * labels + outcomes.predicted, labels * labels)
    return lambda drawn: counts(drawn).reshape(-1, labels, labels)


def _macro_f1(outcomes: Outcomes) -> Statistic:
    import numpy as np

    confusions = _confusions(outcomes)

    def statistic(drawn: Array) -> Array:
        counts = confusions(drawn)
        right, true, given = np.einsum("rii->ri", counts), counts.sum(axis=2), counts.sum(axis=1)
        f1 = np.where(true > 0, 2 * right / np.maximum(true + given, 1), np.nan)
        means: Array = np.nanmean(f1, axis=1)
        return means

    return statistic


def _mcc(outcomes: Outcomes) -> Statistic:
    """Gorodkin's R_K from counts; 0 if one label is always predicted, nan if a resample has one true label."""
    import numpy as np

    confusions = _confusions(outcomes)

    def statistic(drawn: Array) -> Array:
        counts = confusions(drawn)
        total = counts.sum(axis=(1, 2))
        right, true, given = np.einsum("rii->r", counts), counts.sum(axis=2), counts.sum(axis=1)
        spread_true, spread_given = total**2 - (true**2).sum(axis=1), total**2 - (given**2).sum(axis=1)
        found = (right * total - (true * given).sum(axis=1)) / np.sqrt(spread_true * spread_given)
        return np.where(spread_true == 0, np.nan, np.where(spread_given == 0, 0.0, found))

    return statistic


def _calibration(outcomes: Outcomes) -> Statistic:
    import numpy as np

    gaps = outcomes.probabilities.max(axis=1) - (outcomes.truth == outcomes.predicted)
    binned = np.eye(BINS)[confidence_bins(outcomes)] * gaps[:, None]
    return lambda drawn: np.abs(drawn @ binned).sum(axis=1) / len(gaps)


def _ranking(scores: Array, positive: Array) -> Statistic:
    """AUROC as the Mann-Whitney statistic: pairs that are ranked right, ties counting half; the sort is done once."""
    import numpy as np

    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    sorted_positive = positive[order].astype(float)

    def statistic(drawn: Array) -> Array:
        drawn = drawn[:, order]
        above = np.add.reduceat(drawn * sorted_positive, starts, axis=1)
        below = np.add.reduceat(drawn, starts, axis=1) - above
        pairs = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
        auroc: Array = pairs / (above.sum(axis=1) * below.sum(axis=1))
        return auroc

    return statistic


def _auroc(outcomes: Outcomes) -> Statistic:
    import numpy as np

    parts = [
        _ranking(outcomes.probabilities[:, one], outcomes.truth == one) for one in ranked_labels(outcomes)
    ]

    def statistic(drawn: Array) -> Array:
        each = np.stack([part(drawn) for part in parts])
        known = np.isfinite(each)
        means: Array = np.where(known, each, 0).sum(axis=0) / known.sum(axis=0)  # nan where no label is left
        return means

    return statistic


def _correlation(drawn: Array, first: Array, second: Array) -> Array:
    """Pearson's r of each resample; the values may differ between resamples, as ranks do."""
    import numpy as np

    total = drawn.sum(axis=1, keepdims=True)
    first = first - (drawn * first).sum(axis=1, keepdims=True) / total
    second = second - (drawn * second).sum(axis=1, keepdims=True) / total
    weighed = drawn * first
    scale = np.sqrt((weighed * first).sum(axis=1) * (drawn * second * second).sum(axis=1))
    found: Array = (weighed * second).sum(axis=1) / scale
    return found


def _pearson(outcomes: Outcomes) -> Statistic:
    return lambda drawn: _correlation(drawn, outcomes.truth[None], outcomes.predicted[None])


def _ranks(values: Array) -> Statistic:
    """The mean rank of each row's value within each resample: (resamples, rows)."""
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


def _spearman(outcomes: Outcomes) -> Statistic:
    true, predicted = _ranks(outcomes.truth), _ranks(outcomes.predicted)
    return lambda drawn: _correlation(drawn, true(drawn), predicted(drawn))


_STATISTICS: dict[str, Callable[[Outcomes], Statistic]] = {
    "accuracy": lambda outcomes: _mean((outcomes.truth == outcomes.predicted).astype(float)),
    "macro_f1": _macro_f1,
    "mcc": _mcc,
    "auroc": _auroc,
    "log_loss": lambda outcomes: _mean(row_log_losses(outcomes)),
    "brier": lambda outcomes: _mean(row_briers(outcomes)),
    "expected_calibration_error": _calibration,
    "pearson": _pearson,
    "spearman": _spearman,
    "mae": lambda outcomes: _mean(abs(outcomes.truth - outcomes.predicted)),
    "rmse": lambda outcomes: lambda drawn: _mean((outcomes.truth - outcomes.predicted) ** 2)(drawn) ** 0.5,
}
