"""Metrics of several labels a text, against scikit-learn and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from nlpkit.errors import DataError
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.label_sets import LABEL_SET_METRICS
from nlpkit.metrics.outcomes import LabelSetOutcomes
from nlpkit.metrics.thresholds import NEVER, best_thresholds, fit_scale

LABELS = ("joy", "love", "grief")


def sample(rows: int = 200) -> LabelSetOutcomes:
    draw = np.random.default_rng(3)
    truth = draw.random((rows, 3)) < (0.5, 0.3, 0.05)
    probabilities = 0.4 * truth + 0.6 * draw.random((rows, 3))
    return LabelSetOutcomes(
        labels=LABELS, truth=truth, probabilities=probabilities, given=probabilities > (0.3, 0.55, 0.4)
    )


def test_they_are_what_scikit_learn_computes() -> None:
    found = sample()
    values = {metric.name: metric.value(found) for metric in LABEL_SET_METRICS}
    truth, given, chances = found.truth, found.given, found.probabilities
    assert values["macro_f1"] == pytest.approx(sklearn_metrics.f1_score(truth, given, average="macro"))
    assert values["micro_f1"] == pytest.approx(sklearn_metrics.f1_score(truth, given, average="micro"))
    assert values["exact"] == pytest.approx(sklearn_metrics.accuracy_score(truth, given))
    assert values["auroc"] == pytest.approx(sklearn_metrics.roc_auc_score(truth, chances, average="macro"))
    losses = [sklearn_metrics.log_loss(truth[:, at], chances[:, at], labels=[False, True]) for at in range(3)]
    assert values["log_loss"] == pytest.approx(np.mean(losses))


def test_a_small_sample_by_hand() -> None:
    found = LabelSetOutcomes(
        labels=LABELS,
        truth=np.array([[1, 1, 0], [0, 0, 0], [1, 0, 0], [0, 0, 0]]),
        probabilities=np.array([[0.9, 0.2, 0.0], [0.1, 0.1, 0.0], [0.4, 0.1, 0.0], [0.6, 0.1, 0.0]]),
        given=np.array([[1, 0, 0], [0, 0, 0], [0, 0, 0], [1, 0, 0]]),
    )
    values = {metric.name: metric.value(found) for metric in LABEL_SET_METRICS}
    assert values["macro_f1"] == pytest.approx((0.5 + 0.0) / 2)  # no text has grief: it doesn't count
    assert values["micro_f1"] == pytest.approx(2 * 1 / (3 + 2))
    assert values["jaccard"] == pytest.approx((0.5 + 1 + 0 + 0) / 4)  # nothing true, nothing given: all right
    assert values["exact"] == 0.25


def test_each_has_an_interval_around_its_value() -> None:
    for name, score in bootstrap(sample(), LABEL_SET_METRICS, resamples=200, seed=0).items():
        assert score.low is not None, name
        assert score.low <= score.value <= score.high, name


def test_a_probability_out_of_range_names_its_row() -> None:
    flags = np.zeros((2, 1), dtype=bool)
    with pytest.raises(DataError, match=r"row 2 of probabilities: \[1.5\]; expected 0 to 1"):
        LabelSetOutcomes(labels=("joy",), truth=flags, probabilities=np.array([[0.1], [1.5]]), given=flags)


def test_thresholds_give_the_highest_f1_and_rare_labels_share_one() -> None:
    found = sample()
    thresholds = best_thresholds(found.probabilities, found.truth)
    for at in (0, 1):
        scores, true = found.probabilities[:, at], found.truth[:, at]
        best = max(sklearn_metrics.f1_score(true, scores > cut) for cut in np.linspace(0, 1, 50))
        assert sklearn_metrics.f1_score(true, scores > thresholds[at]) >= best
    shared = best_thresholds(found.probabilities.reshape(-1, 1), found.truth.reshape(-1, 1))
    assert found.truth[:, 2].sum() < 20
    assert thresholds[2] == shared[0]


def test_thresholds_keep_a_precision_or_never_give_the_label() -> None:
    found = sample()
    at = best_thresholds(found.probabilities[:, :1], found.truth[:, :1], precision=0.98)
    given = found.probabilities[:, 0] > at[0]
    assert sklearn_metrics.precision_score(found.truth[:, 0], given) >= 0.98
    upside_down = best_thresholds(1 - found.probabilities[:, :1], found.truth[:, :1], precision=0.98)
    assert upside_down == (NEVER,)


def test_the_scale_is_that_which_made_the_truth() -> None:
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(4000, 5))
    truth = draw.random(logits.shape) < 1 / (1 + np.exp(-(2 * logits - 1)))
    assert fit_scale(logits, truth) == pytest.approx((2, -1), abs=0.1)


def test_a_scale_needs_labels_that_vary() -> None:
    assert fit_scale(np.zeros((2, 3)), np.zeros((2, 3), dtype=bool)) == (1.0, 0.0)
    with pytest.raises(DataError, match="0 rows of outputs"):
        fit_scale(np.zeros((0, 3)), np.zeros((0, 3), dtype=bool))
