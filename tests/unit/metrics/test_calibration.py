from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from nlpkit.errors import DataError
from nlpkit.metrics.calibration import (
    COLDEST,
    EQUAL_MASS_ERROR,
    HOTTEST,
    fit_scaling,
    fit_temperature,
    reliability,
)
from nlpkit.metrics.label_probabilities import expected_calibration_error
from nlpkit.metrics.metric import Bootstrap
from nlpkit.metrics.outcomes import LabelOutcomes


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and truths drawn from their softmax: temperature 1 is right."""
    random = np.random.default_rng(seed)
    logits = random.normal(size=(rows, 3)) * 2
    truth = (softmax(logits, axis=1).cumsum(axis=1) < random.random((rows, 1))).sum(axis=1)
    return logits, truth


@pytest.mark.parametrize("planted", [0.5, 1.0, 4.0])
def test_finds_the_temperature_that_was_planted(planted: float) -> None:
    logits, truth = drawn(20_000, 0)
    assert fit_temperature(logits * planted, truth) == pytest.approx(planted, rel=0.05)


def test_agrees_with_scikit_learn() -> None:
    class Logits(ClassifierMixin, BaseEstimator):
        classes_ = np.arange(3)

        def fit(self, features: np.ndarray, truth: np.ndarray) -> Logits:
            return self

        def decision_function(self, features: np.ndarray) -> np.ndarray:
            return features

        def predict(self, features: np.ndarray) -> np.ndarray:
            return features.argmax(axis=1)

        def __sklearn_is_fitted__(self) -> bool:
            return True

    logits, truth = drawn(5_000, 1)
    theirs = CalibratedClassifierCV(FrozenEstimator(Logits()), method="temperature").fit(logits * 3, truth)
    ours = softmax(logits * 3 / fit_temperature(logits * 3, truth), axis=1)
    np.testing.assert_allclose(ours, theirs.predict_proba(logits * 3), atol=0.005)


def test_lowers_the_loss_and_the_calibration_error() -> None:
    logits, truth = drawn(5_000, 2)
    temperature = fit_temperature(logits * 4, truth)
    before, after = (
        LabelOutcomes(labels=("a", "b", "c"), truth=truth, probabilities=softmax(logits * 4 / one, axis=1))
        for one in (1, temperature)
    )
    assert expected_calibration_error(after) < 0.03 < expected_calibration_error(before)
    rows = np.arange(len(truth))
    assert (
        log_softmax(logits * 4 / temperature, axis=1)[rows, truth].mean()
        > log_softmax(logits * 4, axis=1)[rows, truth].mean()
    )


def test_a_perfect_set_gives_the_confidence_that_its_size_justifies() -> None:
    truth = np.array([0, 1] * 5)
    logits = np.where(np.arange(2) == truth[:, None], 8.0, 0.0)
    temperature = fit_temperature(logits, truth)
    # Ten of ten right, two labels: (10 + 1) / (10 + 2).
    assert softmax(logits[0] / temperature).max() == pytest.approx(11 / 12, abs=1e-3)


@pytest.mark.parametrize(
    "logits", [np.zeros((3, 2)), np.array([[0.001, 0.0]]), np.array([[1e4, -1e4], [-1e4, 1e4]])]
)
def test_hopeless_sets_stay_within_bounds(logits: np.ndarray) -> None:
    assert COLDEST <= fit_temperature(logits, np.zeros(len(logits), dtype=int)) <= HOTTEST


def test_no_rows_or_no_numbers_is_an_error() -> None:
    with pytest.raises(DataError, match="temperature: 0 rows"):
        fit_temperature(np.empty((0, 2)), np.empty(0, dtype=int))
    with pytest.raises(DataError, match="not finite"):
        fit_temperature(np.array([[np.nan, 0.0]]), np.array([0]))


def test_reliability_by_hand() -> None:
    first = np.array([0.95, 0.95, 0.95, 0.93, 0.55])
    bins = reliability(
        LabelOutcomes(
            labels=("a", "b"), truth=np.array([0, 0, 1, 0, 1]), probabilities=np.c_[first, 1 - first]
        ),
        bins=10,
    )
    assert [one.count for one in bins] == [0, 0, 0, 0, 0, 1, 0, 0, 0, 4]
    assert bins[9].confidence == pytest.approx(0.945)
    assert (bins[9].accuracy, bins[5].accuracy, bins[0].accuracy) == (0.75, 0.0, None)
    assert (bins[9].low, bins[9].high) == (pytest.approx(0.9), 1.0)


def test_bins_add_up_to_the_calibration_error() -> None:
    logits, truth = drawn(500, 3)
    outcomes = LabelOutcomes(labels=("a", "b", "c"), truth=truth, probabilities=softmax(logits * 2, axis=1))
    gaps = [one.count * abs((one.confidence or 0) - (one.accuracy or 0)) for one in reliability(outcomes)]
    assert sum(gaps) / 500 == pytest.approx(expected_calibration_error(outcomes))


def sure(confidence: list[float], right: list[int]) -> LabelOutcomes:
    """Rows of two labels with such confidence in the first, which is right or not."""
    first = np.array(confidence)
    return LabelOutcomes(
        labels=("a", "b"), truth=1 - np.array(right), probabilities=np.stack([first, 1 - first], axis=1)
    )


def test_bins_of_equally_many_rows_by_hand() -> None:
    # Fewer rows than bins: a bin a row
    four = sure([0.9, 0.8, 0.7, 0.6], [1, 0, 1, 1])
    assert EQUAL_MASS_ERROR.value(four) == pytest.approx((0.1 + 0.8 + 0.3 + 0.4) / 4)
    # A resample keeps the bins of the whole set
    way = EQUAL_MASS_ERROR.resample(four)
    assert isinstance(way, Bootstrap)
    np.testing.assert_allclose(way.statistic(np.array([[2, 0, 1, 1]])), [(2 * 0.1 + 0.3 + 0.4) / 4])
    # 15 bins of two rows, one of them right: each is 0.6 + 0.6 sure of what is right once
    assert EQUAL_MASS_ERROR.value(sure([0.6] * 30, [1, 0] * 15)) == pytest.approx(0.1)


@pytest.mark.parametrize("by_label", [False, True])
def test_finds_the_scales_and_biases_that_were_planted(by_label: bool) -> None:
    logits, truth = drawn(20_000, 4)
    scales, biases = (0.5, 1.0, 2.0) if by_label else (2.0, 2.0, 2.0), np.array([1.0, 0.0, -1.0])
    found, added = fit_scaling((logits - biases) / scales, truth, by_label=by_label)
    np.testing.assert_allclose(found, scales, rtol=0.05)
    np.testing.assert_allclose(added - added.mean(), biases, atol=0.06)


def test_few_rows_of_many_labels_are_calibrated_as_well_as_of_two() -> None:
    # The outputs mean what they say already, for 77 labels and 250 rows: T must stay near 1
    draw = np.random.default_rng(0)
    logits = 3 * draw.normal(size=(250, 77))
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([draw.choice(77, p=row) for row in shares])
    assert fit_temperature(logits, truth) == pytest.approx(1, abs=0.12)
