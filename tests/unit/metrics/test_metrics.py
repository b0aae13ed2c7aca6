from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk

from nlpkit.errors import DataError
from nlpkit.metrics import label_probabilities, labels, values
from nlpkit.metrics.labels import LABEL_METRICS, WEIGHTED_F1
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.values import VALUE_METRICS

EVERY: tuple[Metric[Any], ...] = (*LABEL_METRICS, *VALUE_METRICS)


def measure(outcomes: LabelOutcomes | ValueOutcomes, name: str) -> float | None:
    return next(metric for metric in EVERY if metric.name == name).value(outcomes)


def why_undefined(outcomes: LabelOutcomes | ValueOutcomes, name: str) -> str | None:
    return next(metric for metric in EVERY if metric.name == name).undefined(outcomes)


def three() -> LabelOutcomes:
    """Truth a a b c; predicted a b b a."""
    return LabelOutcomes(
        labels=("a", "b", "c"),
        truth=np.array([0, 0, 1, 2]),
        probabilities=np.array([[0.7, 0.2, 0.1], [0.3, 0.6, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2]]),
    )


def test_confusion_and_accuracy_by_hand() -> None:
    assert labels.confusion_matrix(three()).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 0]]
    assert labels.accuracy(three()) == 0.5


def test_per_class_by_hand() -> None:
    found = {one.label: (one.precision, one.recall, one.f1, one.support) for one in labels.per_class(three())}
    assert found == {
        "a": (0.5, 0.5, 0.5, 2),
        "b": (0.5, 1.0, pytest.approx(2 / 3), 1),
        "c": (None, 0.0, 0.0, 1),
    }
    assert labels.macro_f1(three()) == pytest.approx((0.5 + 2 / 3 + 0) / 3)


def test_weighted_f1_by_hand_and_resampled_alike() -> None:
    # F1 of a: 2 * 1 / (2 + 2), of b: 2 * 1 / (1 + 2), of c: 0; two rows have a, one has b, one has c
    assert WEIGHTED_F1.value(three()) == pytest.approx((2 * 1 / 2 + 2 / 3 + 0) / 4)
    drawn = np.array([[1, 1, 1, 1], [2, 0, 1, 1]])
    resampled = WEIGHTED_F1.resample(three()).statistic(drawn)
    # The first row twice, the second not at all: F1 of a is 4 / 5, of b 1
    assert resampled == pytest.approx([5 / 12, (2 * 4 / 5 + 1) / 4])


def test_a_label_that_never_occurs_has_no_recall_and_does_not_count_in_the_mean() -> None:
    outcomes = LabelOutcomes(
        labels=("a", "b", "c"),
        truth=np.array([0, 1]),
        probabilities=np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1]]),
    )
    absent = labels.per_class(outcomes)[2]
    assert (absent.precision, absent.recall, absent.f1, absent.support) == (None, None, None, 0)
    assert labels.macro_f1(outcomes) == 1.0
    assert label_probabilities.auroc(outcomes) == 1.0


def test_losses_by_hand() -> None:
    assert label_probabilities.log_loss(three()) == pytest.approx(
        -(math.log(0.7) + math.log(0.3) + math.log(0.8) + math.log(0.2)) / 4
    )
    # (0.09 + 0.04 + 0.01) + (0.49 + 0.36 + 0.01) + (0.01 + 0.04 + 0.01) + (0.25 + 0.09 + 0.64)
    assert label_probabilities.brier(three()) == pytest.approx((0.14 + 0.86 + 0.06 + 0.98) / 4)


def test_a_sure_mistake_costs_much_but_not_infinitely_much() -> None:
    outcomes = LabelOutcomes(labels=("a", "b"), truth=np.array([0]), probabilities=np.array([[0.0, 1.0]]))
    assert label_probabilities.log_loss(outcomes) == pytest.approx(36.04, abs=0.01)
    assert label_probabilities.brier(outcomes) == 2.0


def test_calibration_error_by_hand() -> None:
    # Confidence 0.95 (bin 15): 3 of 4 right, gap 0.20. Confidence 0.62 (bin 10): 1 of 2 right, gap 0.12.
    first = np.array([0.95, 0.95, 0.95, 0.95, 0.62, 0.62])
    outcomes = LabelOutcomes(
        labels=("a", "b"), truth=np.array([0, 0, 0, 1, 0, 1]), probabilities=np.c_[first, 1 - first]
    )
    assert label_probabilities.expected_calibration_error(outcomes) == pytest.approx(
        (4 * 0.20 + 2 * 0.12) / 6
    )


def test_bins_are_closed_above() -> None:
    first = np.array([0.5, 0.6, 0.61, 0.8, 1.0])
    outcomes = LabelOutcomes(
        labels=("a", "b"), truth=np.zeros(5, dtype=int), probabilities=np.c_[first, 1 - first]
    )
    assert label_probabilities.confidence_bins(outcomes, bins=10).tolist() == [4, 5, 6, 7, 9]
    assert label_probabilities.confidence_bins(outcomes).max() == 14


@pytest.mark.parametrize("count", [2, 5])
def test_agrees_with_scikit_learn(count: int) -> None:
    random = np.random.default_rng(count)
    truth = random.integers(0, count, 300)
    probabilities = random.dirichlet(np.ones(count), 300) * 0.5 + np.eye(count)[truth] * 0.1 + 0.4 / count
    outcomes = LabelOutcomes(labels=tuple("abcde"[:count]), truth=truth, probabilities=probabilities)
    predicted = probabilities.argmax(axis=1)
    ranked = probabilities[:, 1] if count == 2 else probabilities
    assert measure(outcomes, "mcc") == pytest.approx(sk.matthews_corrcoef(truth, predicted))
    assert measure(outcomes, "auroc") == pytest.approx(sk.roc_auc_score(truth, ranked, multi_class="ovr"))
    assert measure(outcomes, "log_loss") == pytest.approx(sk.log_loss(truth, probabilities))
    assert measure(outcomes, "brier") == pytest.approx(
        sk.brier_score_loss(truth, probabilities, scale_by_half=False)
    )
    assert measure(outcomes, "macro_f1") == pytest.approx(sk.f1_score(truth, predicted, average="macro"))


def test_values_by_hand() -> None:
    outcomes = ValueOutcomes(truth=np.array([1.0, 2.0, 3.0, 4.0]), predicted=np.array([1.0, 3.0, 2.0, 10.0]))
    # Deviations: (-1.5, -0.5, 0.5, 1.5) and (-3, -1, -2, 6); sums of products 13, of squares 5 and 50.
    assert values.pearson(outcomes) == pytest.approx(13 / math.sqrt(250))
    # Ranks 1 2 3 4 and 1 3 2 4: 1 - 6 * (1 + 1) / (4 * 15).
    assert values.spearman(outcomes) == pytest.approx(0.8)
    assert values.mae(outcomes) == 2.0
    assert values.rmse(outcomes) == pytest.approx(math.sqrt(38 / 4))


def test_undefined_is_none_with_a_reason() -> None:
    one_label = LabelOutcomes(
        labels=("no", "yes"), truth=np.array([1, 1]), probabilities=np.array([[0.4, 0.6], [0.9, 0.1]])
    )
    assert measure(one_label, "auroc") is None
    assert measure(one_label, "mcc") is None
    assert why_undefined(one_label, "auroc") == "every row is truly 'yes'"
    assert measure(one_label, "accuracy") == 0.5
    flat = ValueOutcomes(truth=np.array([1.0, 2.0]), predicted=np.array([3.0, 3.0]))
    assert measure(flat, "pearson") is None
    assert why_undefined(flat, "spearman") == "all predicted values are equal"
    single = ValueOutcomes(truth=np.array([1.0]), predicted=np.array([3.0]))
    assert why_undefined(single, "pearson") == "a correlation needs at least two rows"
    assert measure(single, "mae") == 2.0


def test_always_predicting_one_label_is_chance() -> None:
    outcomes = LabelOutcomes(
        labels=("a", "b"), truth=np.array([0, 1]), probabilities=np.array([[0.9, 0.1], [0.9, 0.1]])
    )
    assert measure(outcomes, "mcc") == 0.0
    assert measure(outcomes, "auroc") == 0.5


def test_no_rows_is_an_error_and_not_zero() -> None:
    with pytest.raises(DataError, match="there are no rows"):
        LabelOutcomes(labels=("a", "b"), truth=np.empty(0, dtype=int), probabilities=np.empty((0, 2)))
    with pytest.raises(DataError, match="there are no rows"):
        ValueOutcomes(truth=np.empty(0), predicted=np.empty(0))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {"labels": ("a", "b"), "truth": [0, 2], "probabilities": [[1, 0], [1, 0]]},
            "row 2 of truth: label number 2; expected 0 to 1",
        ),
        (
            {"labels": ("a", "b"), "truth": [0, 1], "probabilities": [[1, 0], [math.nan, 0]]},
            "row 2 of probabilities",
        ),
        (
            {"labels": ("a", "b"), "truth": [0, 1], "probabilities": [[0.5, 0.2], [1, 0]]},
            "row 1 of probabilities.*sum to 1",
        ),
        (
            {"labels": ("a", "b"), "truth": [0, 1], "probabilities": [[1.5, -0.5], [1, 0]]},
            "row 1 of probabilities",
        ),
        ({"truth": [1.0, math.inf], "predicted": [1.0, 2.0]}, "row 2 of truth: inf; expected finite"),
    ],
)
def test_numbers_that_cannot_be_are_refused_with_their_row(fields: dict[str, object], message: str) -> None:
    arrays = {name: value if name == "labels" else np.array(value) for name, value in fields.items()}
    with pytest.raises(DataError, match=message):
        (LabelOutcomes if "labels" in arrays else ValueOutcomes)(**arrays)  # type: ignore[arg-type]


def test_shapes_that_do_not_fit_are_a_bug() -> None:
    with pytest.raises(ValueError, match=r"shape \(2, 3\); expected \(2, 2\)"):
        LabelOutcomes(labels=("a", "b"), truth=np.array([0, 1]), probabilities=np.ones((2, 3)) / 3)
    with pytest.raises(ValueError, match="true values but"):
        ValueOutcomes(truth=np.ones(2), predicted=np.ones(3))


def test_half_precision_is_scaled_and_the_callers_array_left_alone() -> None:
    given = np.array([[0.3335, 0.6669], [0.25, 0.75]], dtype=np.float16)
    outcomes = LabelOutcomes(labels=("a", "b"), truth=np.array([0, 1]), probabilities=given)
    assert outcomes.probabilities.sum(axis=1).tolist() == [1.0, 1.0]
    assert given.dtype == np.float16


def test_the_metrics_read_well() -> None:
    for metric in EVERY:
        assert metric.meaning.endswith(".")
        assert metric.title
    assert [metric.name for metric in VALUE_METRICS] == ["pearson", "spearman", "mae", "rmse"]
