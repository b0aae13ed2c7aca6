from __future__ import annotations

import numpy as np
import pytest

from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.labels import LABEL_METRICS
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.values import VALUE_METRICS
from nlpkit.reports.constant_answers import commonest_label, label_signs, median_value, value_signs
from nlpkit.reports.label_sections import label_summary
from nlpkit.reports.wording import no_better


def labeled(truth: list[int], positive: list[float]) -> LabelOutcomes:
    second = np.array(positive)
    return LabelOutcomes(
        labels=("negative", "positive"),
        truth=np.array(truth),
        probabilities=np.column_stack([1 - second, second]),
    )


def imbalanced(wrong: int) -> LabelOutcomes:
    """79 of 100 texts are positive; 20 negative ones are found, and `wrong` positive ones missed."""
    truth = [0] * 21 + [1] * 79
    answers = [0.1] * 20 + [0.9] + [0.1] * wrong + [0.9] * (79 - wrong)
    return labeled(truth, answers)


def test_s18_the_commonest_label_is_a_baseline_worked_out_by_hand() -> None:
    outcomes = imbalanced(wrong=19)  # 80 of 100 right
    baseline = commonest_label(outcomes).baseline(outcomes, seed=1)
    assert baseline.name == "always answering positive"
    assert baseline.scores["accuracy"].value == pytest.approx(0.79)
    # F1 of the commonest label 2 * 79 / (2 * 79 + 21), of the other 0
    assert baseline.scores["macro_f1"].value == pytest.approx(158 / 179 / 2)
    assert baseline.scores["log_loss"].value == pytest.approx(-0.79 * np.log(0.79) - 0.21 * np.log(0.21))
    assert baseline.tests["accuracy"].difference == pytest.approx(0.01)


def test_s18_a_run_no_better_than_its_commonest_label_is_called_that() -> None:
    outcomes = imbalanced(wrong=19)
    baseline = commonest_label(outcomes).baseline(outcomes, seed=1)
    scores = bootstrap(outcomes, LABEL_METRICS, seed=1)
    (warning,) = no_better(scores, baseline)
    assert warning.startswith("Accuracy 80.0% is no better than always answering positive (79.0%): +1.0 p")
    summary = label_summary(scores, (baseline,))
    assert any(sentence.startswith("It does tell the labels apart: MCC 0.") for sentence in summary)


def test_s18_a_run_that_is_better_has_no_warning() -> None:
    outcomes = imbalanced(wrong=2)
    baseline = commonest_label(outcomes).baseline(outcomes, seed=1)
    scores = bootstrap(outcomes, LABEL_METRICS, seed=1)
    assert no_better(scores, baseline) == ()
    assert "Accuracy is better than always answering positive (79.0%): +18.0 points" in " ".join(
        label_summary(scores, (baseline,))
    )


def test_s18_where_every_text_has_one_label_nothing_can_be_better() -> None:
    outcomes = labeled([1] * 20, [0.9] * 15 + [0.1] * 5)
    baseline = commonest_label(outcomes).baseline(outcomes, seed=1)
    assert no_better(bootstrap(outcomes, LABEL_METRICS, seed=1), baseline) == ()


def test_s18_the_median_is_the_baseline_of_numbers() -> None:
    truth = np.array([0.0, 0.0, 1.0, 2.0, 7.0] * 4)
    outcomes = ValueOutcomes(truth=truth, predicted=truth[::-1].copy())
    baseline = median_value(outcomes).baseline(outcomes, seed=1)
    assert baseline.name == "always answering the median 1"
    assert baseline.scores["mae"].value == pytest.approx((1 + 1 + 0 + 1 + 6) / 5)
    (warning,) = no_better(bootstrap(outcomes, VALUE_METRICS, seed=1), baseline)
    assert "no better than always answering the median 1 (1.800)" in warning
    exact = ValueOutcomes(truth=truth, predicted=truth + 0.01)
    close = median_value(exact).baseline(exact, seed=1)
    assert no_better(bootstrap(exact, VALUE_METRICS, seed=1), close) == ()


@pytest.mark.parametrize("temperature", [20.0, 19.9, 0.05, 0.0502])
def test_s18_a_temperature_at_the_end_of_its_range_gets_a_word(temperature: float) -> None:
    (sign,) = label_signs(imbalanced(wrong=2), temperature)
    assert f"the temperature {temperature:.2f} is at the end of its range (0.05 to 20)" in sign
    assert label_signs(imbalanced(wrong=2), 1.7) == ()


def test_s18_the_same_answer_and_flat_probabilities_get_a_word() -> None:
    five = LabelOutcomes(
        labels=("1", "2", "3", "4", "5"), truth=np.arange(20) % 5, probabilities=np.full((20, 5), 0.2)
    )
    assert label_signs(five, 1.0) == (
        "all 20 texts get the same answer: 1",
        "all 20 texts get nearly the same probabilities: 20% / 20% / 20% / 20% / 20%",
    )
    same = labeled([0] * 10 + [1] * 10, [0.6 + row / 100 for row in range(20)])
    assert label_signs(same, 1.0) == ("all 20 texts get the same answer: positive",)
    alike = labeled([1] * 20, [0.6 + row / 100 for row in range(20)])
    assert label_signs(alike, 1.0) == ()  # it may be right
    few = labeled([0, 1], [0.5, 0.5])
    assert label_signs(few, 1.0) == ()


def test_s18_nearly_the_same_value_gets_a_word() -> None:
    truth = np.linspace(-1, 1, 40)
    assert value_signs(ValueOutcomes(truth=truth, predicted=np.full(40, 0.25) + truth / 1000)) == (
        "all 40 texts get nearly the same value: 0.25",
    )
    assert value_signs(ValueOutcomes(truth=truth, predicted=truth / 2)) == ()
