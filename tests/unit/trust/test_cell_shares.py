"""Shares of cells: those of the whole file's estimator, their differences, and shares as counted."""

from __future__ import annotations

import numpy as np
import pytest

from nlpkit.trust.cell_shares import CellShares
from nlpkit.trust.shares import SharesEstimator, Tally
from tests.unit.trust.test_shares import draw, held, tally_of


def test_a_cell_has_the_shares_that_a_file_would_have() -> None:
    random = np.random.default_rng(7)
    (known, truth), (file, _) = draw([60, 60, 60], random), draw([20, 60, 120], random)
    rows = held(known, truth)
    whole = SharesEstimator(rows).shares(tally_of(file))
    estimate = CellShares(3, rows, is_set=False).estimate(tally_of(file))
    assert estimate.share == pytest.approx([share.share for share in whole])
    assert estimate.low == pytest.approx([share.low for share in whole], abs=0.03)
    assert estimate.high == pytest.approx([share.high for share in whole], abs=0.03)


def test_a_share_is_never_below_0() -> None:
    random = np.random.default_rng(2)
    (known, truth), (file, _) = draw([60, 60, 60], random), draw([0, 0, 60], random)
    estimate = CellShares(3, held(known, truth), is_set=False).estimate(tally_of(file))
    assert estimate.draws.min() >= 0
    assert estimate.share.sum() == pytest.approx(1)
    assert estimate.high[2] > 0.95


def test_labels_of_a_set_stand_alone() -> None:
    """Of rows with the label the mean is 0.8, of others 0.2: a mean of 0.5 stands for a share of one half."""
    probabilities = np.array([[0.7], [0.9], [0.1], [0.3]] * 10)
    rows = held(probabilities, np.zeros(40, dtype=int))
    rows.truth[:] = probabilities > 0.5
    tally = Tally(1)
    tally.add(np.full((20, 1), 0.5), np.ones((20, 1)))
    shares = CellShares(1, rows, is_set=True)
    assert shares.estimate(tally).share == pytest.approx([0.5])
    assert shares.weights is not None
    matrix, added = shares.weights
    assert matrix @ [0.5] + added == pytest.approx([0.5])


def test_counted_shares_have_jeffreys_intervals() -> None:
    """0 of 10: 0 to 21.7%; 5 of 10: 22.4% to 77.6% (Brown, Cai and DasGupta 2001, by R's qbeta)."""
    tally = Tally(2)
    tally.add(np.zeros((10, 2)), np.array([[False, True]] * 5 + [[False, False]] * 5))
    estimate = CellShares(2, None, is_set=True).estimate(tally)
    assert estimate.share.tolist() == [0, 0.5]
    assert estimate.low == pytest.approx([0, 0.2243], abs=1e-3)
    assert estimate.high == pytest.approx([0.2172, 0.7757], abs=1e-3)


def test_equal_cells_differ_at_the_stated_rate_and_others_always() -> None:
    """In 100 pairs of equal cells: p below 0.05 in at most 12, where 5 are meant."""
    random = np.random.default_rng(3)
    known, truth = draw([100, 100], random)
    shares = CellShares(2, held(known, truth), is_set=False)
    pairs = [(draw([80, 120], random)[0], draw([80, 120], random)[0]) for _ in range(100)]
    p_values = [
        shares.estimate(tally_of(one)).minus(shares.estimate(tally_of(two))).p[0] for one, two in pairs
    ]
    assert sum(p < 0.05 for p in p_values) <= 12
    gap = shares.estimate(tally_of(draw([150, 50], random)[0])).minus(
        shares.estimate(tally_of(draw([50, 150], random)[0]))
    )
    assert gap.low[0] <= 0.5 <= gap.high[0]
    assert gap.p[0] < 1e-4


def test_tallies_are_added_and_taken_away() -> None:
    random = np.random.default_rng(1)
    (one, _), (two, _) = draw([10, 20], random), draw([30, 5], random)
    both = tally_of(one).plus(tally_of(two))
    assert both.mean == pytest.approx(np.concatenate([one, two]).mean(axis=0))
    rest = both.plus(tally_of(two), sign=-1)
    assert rest.texts == 30
    assert rest.covariance == pytest.approx(np.cov(one.T, bias=True))
