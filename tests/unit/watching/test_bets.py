from __future__ import annotations

import math

import numpy as np
import pytest

from nlpkit.watching.bets import BOTH, STEPS, Martingale, Ranks


def bet(martingale: Martingale, p: np.ndarray, at_once: int = STEPS) -> np.ndarray:
    """The capital after each of many texts."""
    return np.concatenate([martingale.bet(p[start : start + at_once]) for start in range(0, len(p), at_once)])


def test_p_values_are_ranks_among_the_reference_and_all_texts_before() -> None:
    zeros = np.zeros(3, dtype=int)
    ranks = Ranks(np.array([0.5]), np.array([0.0, 0.0, 1.0]), zeros, 1)
    p = ranks.p_values(np.array([1.0, 0.0, 0.0]), zeros, np.array([0.5, 0.25, 1.0]))
    # 1: 2 below, 1 equal and itself; 0: 2 equal and itself of 5; 0: 3 equal and itself of 6
    assert p.tolist() == pytest.approx([(2 + 0.5 * 2) / 4, 0.25 * 3 / 5, 4 / 6])
    assert ranks.counts.tolist() == [[4, 2]]


def test_a_score_is_ranked_within_its_own_category() -> None:
    ranks = Ranks(np.array([0.5]), np.array([0.0, 1.0, 1.0]), np.array([0, 1, 1]), 2)
    p = ranks.p_values(np.array([1.0, 0.0]), np.array([0, 1]), np.array([0.5, 0.5]))
    assert p.tolist() == pytest.approx([(1 + 0.5) / 2, 0.5 / 3])


def test_a_bet_multiplies_the_capital_that_has_begun() -> None:
    martingale = Martingale(((1, 0.5),))
    waiting = [0.5 / (1 + math.log1p(texts / 1000)) for texts in (1, 2)]
    first = (1 - waiting[0]) * 1.25
    second = (first + waiting[0] - waiting[1]) * 0.5
    capital = martingale.bet(np.array([0.75, 0.0]))
    assert capital.tolist() == pytest.approx([first + waiting[0], second + waiting[1]])


def test_it_does_not_matter_how_a_stream_is_cut() -> None:
    p = np.random.default_rng(1).random(500) ** 1.5
    whole, parts = Martingale(BOTH), Martingale(BOTH)
    expected, made = bet(whole, p), bet(parts, p, at_once=7)
    assert made == pytest.approx(expected)
    assert whole.since == parts.since


def test_the_capital_seldom_grows_without_a_change_and_fast_with_one() -> None:
    random = np.random.default_rng(1)
    highest = [bet(Martingale(BOTH), random.random(1000)).max() for _ in range(200)]
    assert np.mean(np.array(highest) >= 10) <= 0.1
    changed = Martingale(BOTH)
    capital = bet(changed, np.concatenate([random.random(2000), random.random(500) * 0.7]))
    assert capital[:2000].max() < 100 < capital[-1]
    assert abs(changed.since - 2000) < 50
