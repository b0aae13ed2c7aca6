from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from nlpkit.metrics.sums import LeftOut, Look, gain, paired, ratio, score

LOOK = Look(title="X", meaning="x")
SHARE = Look(title="S", meaning="s", percent=True)


def test_a_ratio_is_one_of_sums_and_not_a_mean_of_ratios() -> None:
    # 2/1 and 3/3: the sums give 5/4, the mean of ratios 1.5
    assert ratio(LOOK, [2, 3], [1, 3]).value == 1.25
    assert ratio(LOOK, [2, 3]).value == 2.5
    assert ratio(LOOK, [2, 3], [1, 3], after=np.exp).value == pytest.approx(np.exp(1.25))


def test_a_resample_draws_what_an_item_brings_together() -> None:
    found = ratio(LOOK, [10, 0], [1, 9])
    # two draws of two items: both the first, one of each, both the second
    assert set(found.resampled(seed=0).round(6)) == {10.0, 1.0, 0.0}


def test_the_interval_of_a_mean_is_close_to_the_normal_one() -> None:
    values = np.random.default_rng(0).normal(5, 2, 400)
    found = score(ratio(LOOK, values), seed=1)
    half = 1.96 * values.std() / 20
    assert found.value == pytest.approx(values.mean())
    assert found.low == pytest.approx(values.mean() - half, abs=0.04)
    assert found.high == pytest.approx(values.mean() + half, abs=0.04)
    assert found.count == 400


@pytest.mark.parametrize("value", [0, 1])
def test_a_share_of_none_or_all_has_the_exact_interval(value: int) -> None:
    found = score(ratio(SHARE, [value] * 20), seed=0)
    expected = binomtest(20 * value, 20).proportion_ci(0.95, method="exact")
    assert (found.low, found.high) == (pytest.approx(expected.low), pytest.approx(expected.high))


def test_nothing_to_divide_by_is_no_score_and_says_why() -> None:
    found = score(ratio(LOOK, [0, 0], [0, 0]), seed=0, undefined="no words")
    assert (found.value, found.low, found.undefined, found.count) == (None, None, "no words", 2)
    assert score(ratio(LOOK, []), seed=0).value is None


def test_items_that_are_all_alike_have_no_interval() -> None:
    found = score(ratio(LOOK, [3, 3, 3]), seed=0)
    assert (found.value, found.low) == (3, None)
    assert "too alike" in str(found.undefined)


def test_equal_scores_differ_by_nothing_from_nothing_to_nothing() -> None:
    values = ratio(LOOK, [0.1, 0.7, 0.2], [1, 2, 3])
    found = gain(values, values, look=LOOK, seed=3)
    assert (found.value, found.low, found.high, found.undefined) == (0, 0, 0, None)
    test = paired("x", values, values, seed=3)
    assert (test.difference, test.low, test.high, test.p) == (0, 0, 0, 1)


def test_a_paired_difference_is_surer_than_its_two_sides() -> None:
    noise = np.random.default_rng(0).normal(0, 10, 100)
    first, second = ratio(LOOK, noise + 1), ratio(LOOK, noise + np.random.default_rng(1).normal(0, 0.1, 100))
    found = gain(first, second, look=LOOK, seed=0)
    assert found.value == pytest.approx(1, abs=0.05)
    assert found.low > 0.9
    assert paired("x", first, second, seed=0).p < 0.01
    assert score(first, seed=0).high - score(first, seed=0).low > 3


def test_a_gain_over_one_item_has_no_interval() -> None:
    found = gain(ratio(LOOK, [3]), ratio(LOOK, [1]), look=LOOK, seed=0)
    assert (found.value, found.low, found.high) == (2, None, None)
    assert gain(ratio(LOOK, []), ratio(LOOK, []), look=LOOK, seed=0, undefined="none").undefined == "none"


def test_a_share_gained_on_every_item_has_the_exact_interval() -> None:
    all_, none = ratio(SHARE, [1] * 20), ratio(SHARE, [0] * 20)
    low = binomtest(20, 20).proportion_ci(0.95, method="exact").low
    won, lost = gain(all_, none, look=SHARE, seed=0), gain(none, all_, look=SHARE, seed=0)
    assert (won.value, won.low, won.high) == (1, pytest.approx(low), 1)
    assert (lost.value, lost.low, lost.high) == (-1, -1, pytest.approx(-low))


def test_leaving_out_gives_the_jackknife_interval() -> None:
    # For a mean the jackknife's standard error is the sample's: sd / sqrt(n).
    values = np.array([0.2, 0.4, 0.3, 0.7])
    mean = LeftOut(look=LOOK, value=values.mean(), without=(values.sum() - values) / 3)
    error = values.std(ddof=1) / 2
    found = score(mean, seed=0)
    assert found.low == pytest.approx(values.mean() - 1.959964 * error)
    assert found.high == pytest.approx(values.mean() + 1.959964 * error)
    none = LeftOut(look=LOOK, value=0.0, without=np.zeros(4))
    test = paired("x", mean, none, seed=0)
    assert test.difference == pytest.approx(0.4)
    assert test.p == pytest.approx(2 * norm.sf(0.4 / error))
    assert paired("x", mean, mean, seed=0).p == 1


def test_only_scores_of_one_kind_on_the_same_items_are_compared() -> None:
    with pytest.raises(ValueError, match="same items"):
        paired("x", ratio(LOOK, [1, 2]), ratio(LOOK, [1]), seed=0)
    with pytest.raises(ValueError, match="same kind"):
        paired("x", ratio(LOOK, [1, 2]), LeftOut(look=LOOK, value=1, without=np.zeros(2)), seed=0)
