"""Attacks on hand-made scores: AUC, interval and likelihood ratio worked out on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nlpkit.errors import DataError
from nlpkit.trust.membership import (
    attack,
    confidences,
    highest_auc,
    likelihood_ratios,
    log_probabilities,
)


def test_auc_counts_the_pairs_in_which_the_member_is_above() -> None:
    found = attack(np.array([3.0, 1.0]), np.array([2.0, 0.0]))
    assert found.auc == 0.75  # three of four pairs
    # DeLong: the members win 1 and 1/2, the others lose 1/2 and 1; each part is 0.125 / 2
    assert found.low == pytest.approx(0.75 - 1.959964 * math.sqrt(0.125))
    assert found.high == 1.0
    assert (found.members, found.others) == (2, 2)


def test_ties_count_half_and_equal_scores_are_a_coin() -> None:
    assert attack(np.array([1.0, 1.0]), np.array([1.0, 0.0])).auc == 0.75
    same = np.random.default_rng(1).normal(size=400)
    found = attack(same, same)
    assert found.auc == 0.5
    assert found.low < 0.5 < found.high


def test_scores_that_do_not_overlap_have_an_interval_all_the_same() -> None:
    found = attack(np.arange(10.0) + 10, np.arange(20.0) - 20)
    assert (found.auc, found.high, found.recall) == (1.0, 1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / 10))  # Clopper and Pearson, 10 of 10
    assert attack(np.array([0.0, 0.0]), np.array([1.0, 2.0])).low == 0.0


def test_members_are_found_at_one_percent_of_false_alarms() -> None:
    others = np.arange(100.0)  # one of them may be taken for a member: 99 alone is above 98
    assert attack(np.array([98.5, 97.0, 99.5, 0.0]), others).recall == 0.5


def test_too_few_rows_are_refused() -> None:
    with pytest.raises(DataError, match="1 members and 2 others; expected at least two of each"):
        attack(np.array([1.0]), np.array([1.0, 2.0]))


def test_confidence_is_the_log_odds_of_the_label() -> None:
    logits = np.array([[2.0, 0.0], [0.0, 3.0], [0.0, 0.0]])
    labels = np.array([0, 0, 1])
    assert confidences(logits, labels) == pytest.approx([2, -3, 0])
    assert log_probabilities(logits, labels) == pytest.approx(-np.log1p(np.exp([-2.0, 3.0, 0.0])))


def test_a_likelihood_ratio_weighs_both_worlds() -> None:
    shadows = np.array([[1.0], [3.0], [-1.0], [1.0]])  # with the row 2 on average, without it 0; variance 2
    inside = np.array([[True], [True], [False], [False]])
    assert likelihood_ratios(np.array([1.0]), shadows, inside) == pytest.approx([0])
    assert likelihood_ratios(np.array([2.0]), shadows, inside) == pytest.approx([1])  # (4 - 0) / (2 * 2)
    with pytest.raises(DataError, match="fewer than two shadow models"):
        likelihood_ratios(np.array([1.0]), shadows, np.array([[True], [True], [True], [False]]))


def test_no_attack_can_be_better_than_epsilon_permits() -> None:
    assert highest_auc(0.0, 0.0) == 0.5
    assert highest_auc(math.log(3), 0.0) == 0.75
    assert highest_auc(math.inf, 1e-5) == 1.0
    assert highest_auc(0.0, 0.5) == 0.875  # above the line from (0, 0.5) to (0.5, 1) lies an eighth
    assert highest_auc(0.0, 1.0) == 1.0  # a delta of 1 promises nothing
