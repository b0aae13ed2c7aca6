"""What drives a change: by hand, and that the parts always sum to the whole."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nlpkit.analysis.drivers import Decomposition, corrected, decompose, split
from nlpkit.errors import DataError
from nlpkit.trust.gaps import holm


def counts(texts: list[int], having: list[int]) -> Any:
    """Return how many texts of each part there are, and how many have a label."""
    return np.array([texts, having])


def total(change: Decomposition) -> float:
    return sum(driver.mix.value + driver.rate.value for driver in change.drivers)


def test_a_change_is_split_as_by_hand() -> None:
    # 34 of 100 texts before, 46 of 100 after; their mean is 40.
    change = decompose(counts([60, 40], [30, 4]), counts([80, 20], [40, 6]), ["delivery", "price"])
    by_part = {driver.part: driver for driver in change.drivers}
    assert change.whole.value == pytest.approx(0.12)
    # Delivery: 20 points more texts, whose rate lies 10 points above the mean; its rate stays.
    assert by_part["delivery"].mix.value == pytest.approx(0.2 * (0.5 - 0.4))
    assert by_part["delivery"].rate.value == pytest.approx(0)
    # Price: 20 points fewer, 20 below the mean; its rate rises by 20 points, in 30% of the texts on average.
    assert by_part["price"].mix.value == pytest.approx(-0.2 * (0.2 - 0.4))
    assert by_part["price"].rate.value == pytest.approx(0.2 * 0.3)
    assert change.mix.value == pytest.approx(0.06)
    assert change.rate.value == pytest.approx(0.06)
    assert [driver.part for driver in change.drivers] == ["price", "delivery"]


def test_the_parts_sum_to_the_whole_whatever_is_missing_or_small() -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        texts = random.integers(0, 60, (2, 30)) * random.integers(0, 2, (2, 30))
        texts[:, 0] += 1
        having = random.binomial(texts, random.random((2, 30)))
        before, after = (counts(list(row), list(has)) for row, has in zip(texts, having, strict=True))
        change = decompose(before, after, [str(part) for part in range(30)])
        expected = having[1].sum() / texts[1].sum() - having[0].sum() / texts[0].sum()
        assert total(change) == pytest.approx(expected, abs=1e-12)
        assert change.mix.value + change.rate.value == pytest.approx(expected, abs=1e-12)


def test_a_new_part_adds_by_its_share_alone() -> None:
    change = decompose(counts([100, 0], [10, 0]), counts([100, 100], [10, 50]), ["old", "new"])
    new = next(driver for driver in change.drivers if driver.part == "new")
    assert new.rates == (None, 0.5)
    assert new.rate.value == 0
    # Means: 10% and 30%, so 20% in the middle; half of the texts are new, 30 points above.
    assert new.mix.value == pytest.approx(0.5 * (0.5 - 0.2))


def test_small_parts_count_with_the_rest() -> None:
    change = decompose(counts([50, 3, 4], [5, 1, 1]), counts([50, 2, 9], [5, 1, 1]), ["a", "b", "c"])
    assert {driver.part: driver.texts for driver in change.drivers} == {
        "a": (50, 50),
        "the rest (2)": (7, 11),
    }


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    shares, rates = np.array([[0.5, 0.3, 0.2], [0.3, 0.3, 0.4]]), np.array([[0.1, 0.3, 0.6], [0.1, 0.5, 0.6]])
    true = np.concatenate(split(shares, rates))
    held = []
    for seed in range(100):
        texts = np.stack([random.multinomial(200, row) for row in shares])
        having = random.binomial(texts, rates)
        before, after = (counts(list(row), list(has)) for row, has in zip(texts, having, strict=True))
        change = decompose(before, after, ["0", "1", "2"], seed=seed)
        ordered = sorted(change.drivers, key=lambda driver: driver.part)
        effects = [driver.mix for driver in ordered] + [driver.rate for driver in ordered]
        held += [effect.low <= value <= effect.high for effect, value in zip(effects, true, strict=True)]
    assert 0.91 < np.mean(held) < 0.99


def test_a_rate_of_zero_in_few_texts_is_not_certain() -> None:
    change = decompose(counts([12, 100], [0, 50]), counts([12, 100], [0, 50]), ["few", "many"])
    few = next(driver for driver in change.drivers if driver.part == "few")
    assert few.rate.low < 0 < few.rate.high


def test_many_comparisons_are_corrected_together() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([]) == []
    change = decompose(counts([500, 500], [100, 100]), counts([500, 500], [100, 250]), ["a", "b"])
    (one,) = corrected([change])
    assert one.whole.is_significant
    assert all(effect.corrected_p >= effect.p for effect in (one.whole, one.mix, one.rate))
    b = next(driver for driver in one.drivers if driver.part == "b")
    assert b.rate.is_significant
    assert not b.mix.is_significant


def test_without_a_change_none_of_many_comparisons_is_significant() -> None:
    random = np.random.default_rng(7)
    changes = []
    for seed in range(10):
        before, after = (
            counts(list(row), list(random.binomial(row, 0.3)))
            for row in random.multinomial(1000, [0.2] * 5, size=2)
        )
        changes.append(decompose(before, after, list("abcde"), seed=seed))
    effects = [effect for change in corrected(changes) for effect in change.effects]
    assert any(effect.p < 0.05 for effect in effects)  # alone, by chance
    assert not any(effect.is_significant for effect in effects)


def test_a_period_without_texts_is_refused() -> None:
    with pytest.raises(DataError, match="2026-W01: no texts"):
        decompose(counts([0], [0]), counts([3], [1]), ["a"], names=("2026-W01", "2026-W02"))


def test_the_same_seed_gives_the_same_intervals() -> None:
    pair = counts([60, 40], [30, 4]), counts([80, 20], [40, 6])
    assert decompose(*pair, ["a", "b"]) == decompose(*pair, ["a", "b"])
    assert decompose(*pair, ["a", "b"], seed=2) != decompose(*pair, ["a", "b"])
