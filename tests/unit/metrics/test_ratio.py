from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from nlpkit.metrics.intervals import RESAMPLES, bootstrap, draws, gain, paired
from nlpkit.metrics.metric import Bootstrap, Jackknife, Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.score import Score


def identity(ratio: Ratio) -> Ratio:
    return ratio


MEAN: Metric[Ratio] = ratio_metric(identity, name="x", title="X", meaning="x")
SHARE: Metric[Ratio] = ratio_metric(identity, name="s", title="S", meaning="s", percent=True)


def score(metric: Metric[Any], outcomes: Any, seed: int = 0) -> Score:
    return bootstrap(outcomes, [metric], seed=seed)[metric.name]


def test_a_ratio_is_one_of_sums_and_not_a_mean_of_ratios() -> None:
    # 2/1 and 3/3: the sums give 5/4, the mean of ratios 1.5
    assert MEAN.value(Ratio.of([2, 3], [1, 3])) == 1.25
    assert MEAN.value(Ratio.of([2, 3])) == 2.5
    power: Callable[[Any], Any] = np.exp
    raised = ratio_metric(identity, after=power, name="x", title="X", meaning="x")
    assert raised.value(Ratio.of([2, 3], [1, 3])) == pytest.approx(np.exp(1.25))


def test_a_resample_draws_what_an_item_brings_together() -> None:
    way = MEAN.resample(Ratio.of([10, 0], [1, 9]))
    assert isinstance(way, Bootstrap)
    drawn = np.concatenate([way.statistic(block) for block in draws(2, RESAMPLES, 0)])
    # two draws of two items: both the first, one of each, both the second
    assert set(drawn.round(6)) == {10.0, 1.0, 0.0}


def test_the_interval_of_a_mean_is_close_to_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = score(MEAN, Ratio.of(values), seed=1)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.04)
    assert found.high == pytest.approx(values.mean() + half, abs=0.04)
    assert found.count == 400


@pytest.mark.parametrize("value", [0, 1])
def test_a_share_of_none_or_all_has_the_exact_interval(value: int) -> None:
    found = score(SHARE, Ratio.of([value] * 20))
    expected = binomtest(20 * value, 20).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_nothing_to_divide_by_is_no_score_and_says_why() -> None:
    worded = ratio_metric(identity, nothing="no words", name="x", title="X", meaning="x")
    found = score(worded, Ratio.of([0, 0], [0, 0]))
    assert (found.value, found.low, found.undefined, found.count) == (None, None, "no words", 2)
    assert score(MEAN, Ratio.of([])).value is None


def test_items_that_are_all_alike_have_no_interval() -> None:
    found = score(MEAN, Ratio.of([3, 3, 3]))
    assert (found.value, found.low) == (3, None)
    assert "too alike" in str(found.undefined)


def test_equal_scores_differ_by_nothing_from_nothing_to_nothing() -> None:
    values = Ratio.of([0.1, 0.7, 0.2], [1, 2, 3])
    found = gain(MEAN, values, values, seed=3)
    assert (found.value, found.low, found.high, found.undefined) == (0, 0, 0, None)
    test = paired(MEAN, values, values, seed=3)
    assert (test.difference, test.low, test.high, test.p) == (0, 0, 0, 1)


def test_a_paired_difference_is_surer_than_its_two_sides() -> None:
    noise = np.random.default_rng(0).normal(0, 10, 100)
    first, second = Ratio.of(noise + 1), Ratio.of(noise + np.random.default_rng(1).normal(0, 0.1, 100))
    found = gain(MEAN, first, second, seed=0)
    assert found.value == pytest.approx(1, abs=0.05)
    assert found.low is not None
    assert found.low > 0.9
    assert (paired(MEAN, first, second, seed=0).p or 1) < 0.01
    alone = score(MEAN, first)
    assert alone.high is not None
    assert alone.low is not None
    assert alone.high - alone.low > 3


def test_a_gain_over_one_item_has_no_interval() -> None:
    found = gain(MEAN, Ratio.of([3]), Ratio.of([1]), seed=0)
    assert (found.value, found.low, found.high) == (2, None, None)
    assert gain(MEAN, Ratio.of([]), Ratio.of([]), seed=0, undefined="none").undefined == "none"


def test_a_share_gained_on_every_item_has_the_exact_interval() -> None:
    all_, none = Ratio.of([1] * 20), Ratio.of([0] * 20)
    low = binomtest(20, 20).proportion_ci(0.95, method="exact").low
    won, lost = gain(SHARE, all_, none, seed=0), gain(SHARE, none, all_, seed=0)
    assert (won.value, won.low, won.high) == (1, pytest.approx(low), 1)
    assert (lost.value, lost.low, lost.high) == (-1, -1, pytest.approx(-low))


@dataclass(frozen=True)
class Values:
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.values)

    def same_rows(self, other: Values) -> bool:
        return len(self) == len(other)


LEFT_OUT = Metric[Values](
    name="x",
    title="X",
    meaning="x",
    compute=lambda outcomes: float(outcomes.values.mean()),
    resample=lambda outcomes: Jackknife(
        without=(outcomes.values.sum() - outcomes.values) / max(1, len(outcomes) - 1)
    ),
)


def test_leaving_out_gives_the_jackknife_interval() -> None:
    # For a mean the jackknife's standard error is the sample's: sd / sqrt(n).
    values = np.array([0.2, 0.4, 0.3, 0.7])
    error = values.std(ddof=1) / 2
    found = score(LEFT_OUT, Values(values))
    assert found.low == pytest.approx(values.mean() - 1.959964 * error)
    assert found.high == pytest.approx(values.mean() + 1.959964 * error)
    test = paired(LEFT_OUT, Values(values), Values(np.zeros(4)), seed=0)
    assert test.difference == pytest.approx(0.4)
    assert test.p == pytest.approx(2 * norm.sf(0.4 / error))
    assert paired(LEFT_OUT, Values(values), Values(values), seed=0).p == 1


def test_a_jackknife_over_one_item_has_no_interval_and_no_p() -> None:
    assert score(LEFT_OUT, Values(np.array([0.5]))).low is None
    test = paired(LEFT_OUT, Values(np.array([0.5])), Values(np.array([0.2])), seed=0)
    assert (test.difference, test.low, test.p) == (pytest.approx(0.3), None, None)


def test_only_outcomes_on_the_same_items_are_compared() -> None:
    with pytest.raises(ValueError, match="same rows"):
        paired(MEAN, Ratio.of([1, 2]), Ratio.of([1]), seed=0)


def test_the_words_of_a_metric_are_filled_in() -> None:
    metric = replace(MEAN, title="{count} rows", words=lambda outcomes: {"count": len(outcomes)})
    assert score(metric, Ratio.of([1, 2])).title == "2 rows"
