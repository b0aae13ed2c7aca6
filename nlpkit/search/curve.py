"""Scores over the number of labels: intervals over test rows and draws, and the power law through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from nlpkit.errors import DataError
from nlpkit.metrics.intervals import draws as resampled_rows
from nlpkit.metrics.metric import Bootstrap, Metric
from nlpkit.search.power_law import LEAST_SIZES, PowerLaw, fit
from nlpkit.search.rows import Answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

RESAMPLES = 400
STEPS = 40
"""Points of the line that is drawn."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Scores by size, and how they go on."""

    metric: Metric[Any]
    sizes: tuple[int, ...]
    values: tuple[tuple[float, ...], ...]
    """Of each size, of each draw."""
    intervals: tuple[tuple[float, float], ...]
    """Of the mean of each size, over test rows and draws."""
    test_rows: int
    law: PowerLaw | None = None
    line: tuple[tuple[float, float, float, float], ...] = ()
    """(labels, score, lower end, upper end) of the fit, up to twice the largest size."""
    gain: tuple[float, float, float] | None = None
    """What twice the largest size adds by the fit, with the ends of its interval."""
    fits: int = 0
    """Resamples that the intervals of the fit rest on."""


def measure_curve(
    answers: Sequence[Answers], sizes: Sequence[int], metric: Metric[Any], *, seed: int
) -> Curve:
    """Return the scores by size with intervals over test rows and draws, and the power law that fits them.

    Args:
        answers: to the same rows, all draws of the first size first.
        sizes: numbers of labels.
        metric: the score.
        seed: resamples rows and draws.
    """
    import numpy as np

    count = len(answers) // len(sizes)
    values = np.array([_value(metric, answer) for answer in answers])
    samples = _samples(answers, values, metric, seed)
    random = np.random.default_rng(seed)
    # Which draw of each size: in each resample the draws are drawn too
    chosen = (
        random.integers(0, count, (len(samples), len(sizes), count)) + np.arange(len(sizes))[:, None] * count
    )
    drawn = np.take_along_axis(samples, chosen.reshape(len(samples), -1), axis=1)
    means = drawn.reshape(len(samples), len(sizes), count).mean(axis=2)
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    curve = Curve(
        metric=metric,
        sizes=tuple(sizes),
        values=tuple(tuple(map(float, each)) for each in values.reshape(len(sizes), count)),
        intervals=tuple((float(a), float(b)) for a, b in zip(low, high, strict=True)),
        test_rows=len(answers[0].examples),
    )
    return _fitted(curve, values, drawn) if len(sizes) >= LEAST_SIZES else curve


def _value(metric: Metric[Any], answer: Answers) -> float:
    value = metric.value(answer.outcomes)
    if value is None:
        raise DataError(f"{metric.name}: {metric.undefined(answer.outcomes)}; hint: another training.metric")
    return value


def _samples(answers: Sequence[Answers], values: Array, metric: Metric[Any], seed: int) -> Array:
    """Return (resamples, runs): each run's score on the same resampled test rows, where it is defined."""
    import numpy as np

    ways = [metric.resample(answer.outcomes) for answer in answers]
    blocks = []
    for drawn in resampled_rows(len(answers[0].examples), RESAMPLES, seed):
        columns = [
            way.statistic(drawn) if isinstance(way, Bootstrap) else np.full(len(drawn), value)
            for way, value in zip(ways, values, strict=True)
        ]
        blocks.append(np.stack(columns, axis=1))
    samples: Array = np.concatenate(blocks)
    known: Array = samples[np.isfinite(samples).all(axis=1)]
    return known


def _fitted(curve: Curve, values: Array, drawn: Array) -> Curve:
    """Return the curve with its power law, and intervals from the law of each resample."""
    import numpy as np

    at = np.repeat(np.array(curve.sizes, dtype=float), len(curve.values[0]))
    better = curve.metric.higher_is_better is not False

    def law_of(scores: Array) -> PowerLaw | None:
        return fit(at, scores, higher_is_better=better, scale=curve.metric.scale)

    law = law_of(values)
    laws = [refit for sample in drawn if (refit := law_of(sample)) is not None]
    if law is None or not laws:
        return curve
    largest = curve.sizes[-1]
    grid = np.geomspace(curve.sizes[0], 2 * largest, STEPS)
    ends = np.percentile([refit.at(grid) for refit in laws], (2.5, 97.5), axis=0)
    gains = [refit.at(2.0 * largest) - refit.at(float(largest)) for refit in laws]
    gain = law.at(2.0 * largest) - law.at(float(largest)), *np.percentile(gains, (2.5, 97.5))
    return replace(
        curve,
        law=law,
        line=tuple(
            (float(size), float(score), float(low), float(high))
            for size, score, low, high in zip(grid, law.at(grid), *ends, strict=True)
        ),
        gain=(float(gain[0]), float(gain[1]), float(gain[2])),
        fits=len(laws),
    )
