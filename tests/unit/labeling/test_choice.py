"""Which texts are asked about: uncertain and unlike one another, or drawn so that shares have no bias."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from nlpkit.errors import DataError
from nlpkit.labeling.choice import diverse, first_of_each, gaps, uncertain
from nlpkit.labeling.pool import Candidate, Smallest, by_gap
from nlpkit.labeling.strata import Drawn, StrataSampler, allocated, stratified_shares


def test_a_gap_is_how_far_the_second_label_is_behind() -> None:
    assert gaps(np.array([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])) == pytest.approx([0.2, 0.7])


def test_a_pool_keeps_the_texts_with_the_smallest_gaps_once() -> None:
    """Of 3,000 texts, a third of them twice: the 40 smallest gaps, however the texts come."""
    first = np.random.default_rng(3).uniform(0.5, 1.0, 2000)
    numbers = [*range(2000), *range(1000)]
    pool = Smallest(40, by_gap)
    for part in np.array_split(np.random.default_rng(4).permutation(numbers), 9):
        pool.add([
            Candidate(
                text=f"text {number}", fields={"row": int(number)}, guess="a", certainty=first[number],
                probabilities=np.array([first[number], 1 - first[number]]),
            )
            for number in part
        ])  # fmt: skip
    assert [each.fields["row"] for each in pool.sorted()] == np.argsort(first)[:40].tolist()


def test_near_equal_texts_are_asked_about_once() -> None:
    texts = ["the food was good", "The food was GOOD!", "a bad film", "this place is fine"]
    assert first_of_each(texts, ["a bad film."], seed=1) == [0, 3]


def test_diverse_texts_come_from_every_corner() -> None:
    """Ten equal texts in each of three directions: no direction twice before all are there."""
    vectors = np.repeat(np.eye(3), 10, axis=0)
    for seed in range(20):
        chosen = diverse(vectors, np.ones(30), 3, seed=seed)
        assert {number // 10 for number in chosen} == {0, 1, 2}
    assert sorted(diverse(vectors, np.zeros(30), 30, seed=1)) == list(range(30))
    assert diverse(vectors, np.arange(30.0), 1, seed=1) == [29]


def test_the_uncertain_are_chosen_and_embedded_alone() -> None:
    """Of 100 texts, the 20 with the smallest gaps are candidates for 2."""
    first = np.linspace(0.5, 1.0, 100)
    asked: list[int] = []

    def vectors(numbers: list[int]) -> np.ndarray:
        asked.extend(numbers)
        return np.eye(100)[list(numbers)]

    chosen = uncertain(np.column_stack([first, 1 - first]), vectors, 2, seed=1)
    assert asked == list(range(20))
    assert len(set(chosen)) == 2
    assert max(chosen) < 20
    assert chosen[0] == 0


def test_labels_are_allocated_as_wanted_with_two_for_each_stratum() -> None:
    assert allocated([6.0, 4.0, 0.5], [100, 100, 100], 10) == [5, 3, 2]
    assert allocated([6.0, 4.0], [3, 100], 10) == [3, 7]
    assert allocated([1.0, 1.0], [2, 1], 10) == [2, 1]


def of_two(random: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return probabilities of two labels, too certain, and labels."""
    true = random.random(rows) < 0.3
    logits = np.where(true, 1.5, -1.5) + 1.5 * random.normal(size=rows)
    second = 1 / (1 + np.exp(-2 * logits))
    return np.column_stack([1 - second, second]), true.astype(int)


def drawn_of(probabilities: np.ndarray, count: int, seed: int) -> list[Drawn[int]]:
    sampler = StrataSampler[int](count, seed=seed)
    for part in np.array_split(np.arange(len(probabilities)), 7):
        sampler.add(probabilities[part], part.tolist())
    return sampler.draw()


def test_inclusion_probabilities_are_those_of_the_draws() -> None:
    probabilities, _ = of_two(np.random.default_rng(1), 60)
    counts: Counter[int] = Counter()
    stated = {}
    for seed in range(600):
        drawn = drawn_of(probabilities, 12, seed)
        assert len({each.item for each in drawn}) == 12
        counts.update(each.item for each in drawn)
        stated |= {each.item: each.probability for each in drawn}
    shares = np.array([counts[item] / 600 for item in stated])
    expected = np.array(list(stated.values()))
    assert np.abs(shares - expected).max() < 4.5 * np.sqrt(expected * (1 - expected) / 600).max()


def test_shares_have_no_bias_and_narrower_intervals_than_a_random_draw() -> None:
    random = np.random.default_rng(2)
    probabilities, truth = of_two(random, 3000)
    real = truth.mean()
    estimates, widths, inside, plain = [], [], [], []
    for seed in range(200):
        counts: dict[int, Counter[str]] = {}
        drawn = drawn_of(probabilities, 60, seed)
        for each in drawn:
            counts.setdefault(each.stratum, Counter())[str(truth[each.item])] += 1
        sizes = {each.stratum: each.texts for each in drawn}
        assert sum(sizes.values()) == 3000
        (share,) = stratified_shares(counts, sizes, ["1"])
        estimates.append(share.share)
        widths.append(share.high - share.low)
        inside.append(share.low <= real <= share.high)
        at_random = Counter(map(str, truth[random.choice(3000, 60, replace=False)]))
        (alone,) = stratified_shares({1: at_random}, {1: 3000}, ["1"])
        plain.append(alone.high - alone.low)
    assert abs(np.mean(estimates) - real) < 3 * np.std(estimates) / np.sqrt(200)
    assert np.mean(inside) >= 0.93
    assert np.mean(widths) < 0.85 * np.mean(plain)


def test_shares_by_hand() -> None:
    """Strata of 80 and 20 texts: 1 of 4 and 2 of 2 are `a`: 0.8 * 0.25 + 0.2 * 1 = 0.4."""
    counts = {1: Counter(a=1, b=3), 2: Counter(a=2)}
    a, b = stratified_shares(counts, {1: 80, 2: 20}, ["a", "b"])
    assert (a.share, b.share) == pytest.approx((0.4, 0.6))
    assert (a.labeled, b.labeled) == (3, 3)
    assert 0 < a.low < 0.4 < a.high < 1
    (whole,) = stratified_shares({1: Counter(a=1, b=3)}, {1: 4}, ["a"])
    assert (whole.low, whole.high) == (0.25, 0.25)  # all texts are labeled
    with pytest.raises(DataError, match="stratum 2: none of its rows has a label"):
        stratified_shares({1: Counter(a=1)}, {1: 80, 2: 20}, ["a"])
