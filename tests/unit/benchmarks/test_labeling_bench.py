"""The simulated label loop: what it hides, when it stops, and what stopping costs."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.labeling import CHOOSERS, Hidden, mean_interval, measure, regrets, rights, stopped
from benchmarks.labeling_page import page_of


@pytest.fixture(scope="module")
def hidden() -> Hidden:
    random = np.random.default_rng(1)
    labels = np.resize([0, 1], 800)
    vectors = random.normal(size=(800, 8)) + 1.5 * np.eye(8)[labels]
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Hidden(
        vectors=vectors[:600], labels=labels[:600], test_vectors=vectors[600:], test_labels=labels[600:],
        names=2,
    )  # fmt: skip


def test_each_choice_learns(hidden: Hidden) -> None:
    for chooser in CHOOSERS.values():
        right = rights(hidden, chooser, 1, rounds=2)
        assert right.shape == (3, 200)
        assert right.mean() > 0.7


def test_the_page_shows_each_choice_and_stop(hidden: Hidden) -> None:
    found = measure(hidden, ("random", "uncertain"), draws=2, rounds=3, talk=lambda line: None)
    assert found["stops"]["never"]["labels"] == 150
    lines = "\n".join(page_of({"blobs": found}))
    assert "| uncertain |" in lines
    assert "| never | 150 |" in lines


def test_regret_by_hand() -> None:
    """Mean accuracies of 50, 60 and 60%; a round of 50 labels costs 0.25 points."""
    right = np.zeros((2, 3, 100), dtype=bool)
    right[0, 0, :40] = right[1, 0, :60] = True
    right[:, 1:, :60] = True
    assert regrets(list(right), [0, 1, 2]) == pytest.approx([9.75, 0.0, 0.25])


def test_the_loop_stops_where_rounds_gain_nothing() -> None:
    """4,000 rows: 10 points in the first round, then none; over two rounds the first one still counts."""
    right = np.zeros((5, 4000), dtype=bool)
    right[0, :2000] = True
    right[1:, :2400] = True
    assert (stopped(right, (1,)), stopped(right, (2,)), stopped(right, (1, 2))) == (2, 3, 2)
    assert stopped(right, (2,), estimate=True) == 3
    assert stopped(right[:2], (1,)) == 1


def test_the_interval_over_draws_by_hand() -> None:
    """Of 1 and 3: the mean is 2, the standard error 1, and t is 12.706 for one degree of freedom."""
    assert mean_interval([1.0, 3.0]) == pytest.approx([2.0, -10.706, 14.706], abs=1e-3)
