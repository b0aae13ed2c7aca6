from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from nlpkit.metrics import intervals
from nlpkit.metrics.label_probabilities import AUROC, CALIBRATION_ERROR, LOG_LOSS, ranking
from nlpkit.metrics.labels import ACCURACY, LABEL_METRICS, MACRO_F1, MCC
from nlpkit.metrics.metric import Bootstrap, Jackknife, Metric
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.values import MAE, PEARSON, VALUE_METRICS


def labeled(rows: int, labels: int, seed: int, skill: float = 2.0) -> LabelOutcomes:
    random = np.random.default_rng(seed)
    truth = random.integers(0, labels, rows)
    logits = random.normal(size=(rows, labels)) + skill * np.eye(labels)[truth]
    # Rounded, so that equal probabilities (ties) occur.
    probabilities = np.exp(logits).round(1) + 0.1
    return LabelOutcomes(
        labels=tuple("abcdefgh"[:labels]),
        truth=truth,
        probabilities=probabilities / probabilities.sum(axis=1, keepdims=True),
    )


def valued(rows: int, seed: int) -> ValueOutcomes:
    random = np.random.default_rng(seed)
    truth = random.normal(size=rows).round(1)
    return ValueOutcomes(truth=truth, predicted=(truth + random.normal(size=rows)).round(1))


def repeated(outcomes: Any, drawn: np.ndarray) -> Any:
    rows = np.repeat(np.arange(len(outcomes)), drawn.astype(int))
    if isinstance(outcomes, LabelOutcomes):
        return LabelOutcomes(
            labels=outcomes.labels, truth=outcomes.truth[rows], probabilities=outcomes.probabilities[rows]
        )
    return ValueOutcomes(truth=outcomes.truth[rows], predicted=outcomes.predicted[rows])


CASES = [(metric, labeled(60, labels, 1)) for metric in LABEL_METRICS for labels in (2, 4)]
CASES += [(metric, valued(60, 2)) for metric in VALUE_METRICS]


@pytest.mark.parametrize(("metric", "outcomes"), CASES)
def test_a_resample_measures_what_the_metric_measures_on_the_repeated_rows(
    metric: Metric[Any], outcomes: Any
) -> None:
    way = metric.resample(outcomes)
    assert isinstance(way, Bootstrap)
    drawn = np.concatenate([np.ones((1, 60)), *intervals.draws(60, 20, seed=3)])
    expected = [metric.value(repeated(outcomes, row)) for row in drawn]
    np.testing.assert_allclose(way.statistic(drawn), expected, rtol=1e-10, atol=1e-12)


def test_ties_count_half_in_a_resample_by_hand() -> None:
    statistic = ranking(np.array([0.5, 0.5, 0.2]), np.array([True, False, False]))
    # The positive row ties with one and beats the other; then the tie alone is drawn, then twice
    drawn = np.array([[1, 1, 1], [1, 1, 0], [1, 2, 1]])
    np.testing.assert_allclose(statistic(drawn), [0.75, 0.5, (0.5 * 2 + 1) / 3])


def test_every_resample_draws_as_many_rows_as_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intervals, "CELLS", 70)
    blocks = list(intervals.draws(10, 17, seed=0))
    assert [len(block) for block in blocks] == [7, 7, 3]
    assert (np.concatenate(blocks).sum(axis=1) == 10).all()


def test_the_same_seed_gives_the_same_interval_and_another_seed_another() -> None:
    outcomes = labeled(80, 3, 0)
    first = intervals.bootstrap(outcomes, [MACRO_F1], resamples=200, seed=1)
    assert first == intervals.bootstrap(outcomes, [MACRO_F1], resamples=200, seed=1)
    assert first != intervals.bootstrap(outcomes, [MACRO_F1], resamples=200, seed=2)


def test_an_accuracy_interval_is_close_to_the_exact_binomial_one() -> None:
    truth = np.zeros(400, dtype=int)
    first = np.where(np.arange(400) < 300, 0.9, 0.2)
    score = intervals.bootstrap(
        LabelOutcomes(labels=("a", "b"), truth=truth, probabilities=np.c_[first, 1 - first]),
        [ACCURACY],
        seed=0,
    )
    expected = binomtest(300, 400).proportion_ci(0.95, method="wilson")
    assert score["accuracy"].value == 0.75
    assert score["accuracy"].count == 400
    # A 90% interval would lie 0.007 further in.
    assert score["accuracy"].low == pytest.approx(expected.low, abs=0.004)
    assert score["accuracy"].high == pytest.approx(expected.high, abs=0.004)


def test_the_interval_of_a_calibration_error_of_zero_holds_it() -> None:
    """Of rows at 60% exactly 12 of 20 are right, and so on: each resample is less well calibrated."""
    sure = np.repeat([0.6, 0.7, 0.8, 0.9], 20)
    truth = np.concatenate([np.arange(20) >= right for right in (12, 14, 16, 18)]).astype(int)
    outcomes = LabelOutcomes(labels=("a", "b"), truth=truth, probabilities=np.c_[sure, 1 - sure])
    score = intervals.bootstrap(outcomes, [CALIBRATION_ERROR], resamples=100, seed=1)[CALIBRATION_ERROR.name]
    assert score.value == pytest.approx(0)
    assert score.low == score.value


def test_s15_every_interval_is_one_of_95_percent() -> None:
    assert intervals.percentiles(np.arange(1001)) == (25, 975)
    assert norm.cdf(intervals.NORMAL) - norm.cdf(-intervals.NORMAL) == pytest.approx(0.95, abs=1e-6)
    # Of all right, the lower end is where all right happens 2.5% of the time: low ** 30 = 0.025.
    assert intervals.exact_share(30, 30) == (pytest.approx(0.025 ** (1 / 30)), 1.0)


@pytest.mark.parametrize("metric", [PEARSON, MAE])
def test_intervals_cover_the_true_value_about_as_often_as_they_say(metric: Metric[ValueOutcomes]) -> None:
    random = np.random.default_rng(0)
    # truth = x, predicted = x + e with unit variances: r = 1 / sqrt(2), and the mean of |e| is sqrt(2 / pi).
    expected = {"pearson": 0.5**0.5, "mae": (2 / np.pi) ** 0.5}[metric.name]
    covered = 0
    for seed in range(200):
        truth = random.normal(size=150)
        score = intervals.bootstrap(
            ValueOutcomes(truth=truth, predicted=truth + random.normal(size=150)),
            [metric],
            resamples=300,
            seed=seed,
        )[metric.name]
        assert score.low is not None
        assert score.high is not None
        covered += score.low <= expected <= score.high
    # 0.95 minus and plus four standard errors of 200 trials, and a little for the percentile method's
    # optimism.
    assert 0.87 <= covered / 200 <= 1.0


def test_an_undefined_metric_has_a_reason_and_no_number() -> None:
    outcomes = LabelOutcomes(
        labels=("a", "b"), truth=np.array([0, 0]), probabilities=np.array([[0.9, 0.1], [0.4, 0.6]])
    )
    scores = intervals.bootstrap(outcomes, [AUROC, ACCURACY], resamples=50, seed=0)
    assert (scores["auroc"].value, scores["auroc"].low, scores["auroc"].undefined) == (
        None,
        None,
        "every row is truly 'a'",
    )
    assert scores["accuracy"].value == 0.5


def test_resamples_without_one_of_the_labels_do_not_spoil_the_interval() -> None:
    outcomes = LabelOutcomes(
        labels=("a", "b"),
        truth=np.array([0, 0, 0, 0, 1]),
        probabilities=np.array([[0.8, 0.2]] * 3 + [[0.3, 0.7]] * 2),
    )
    score = intervals.bootstrap(outcomes, [AUROC, MCC], resamples=300, seed=0)
    assert score["auroc"].value == pytest.approx(0.875)
    assert score["auroc"].low is not None
    assert score["mcc"].high == pytest.approx(1.0)


def test_a_perfect_accuracy_gets_the_exact_interval_and_not_one_of_no_width() -> None:
    outcomes = LabelOutcomes(
        labels=("a", "b"), truth=np.array([0, 1] * 10), probabilities=np.array([[0.9, 0.1], [0.1, 0.9]] * 10)
    )
    scores = intervals.bootstrap(outcomes, [ACCURACY, MACRO_F1], resamples=100, seed=0)
    # Clopper-Pearson with all of 20 right: the lower end solves p ** 20 = 0.025.
    assert (scores["accuracy"].low, scores["accuracy"].high) == (pytest.approx(0.025 ** (1 / 20)), 1.0)
    assert scores["macro_f1"].low is None
    assert "too few or too alike" in str(scores["macro_f1"].undefined)


def pair(only_first: int, only_second: int, both: int) -> tuple[LabelOutcomes, LabelOutcomes]:
    rows = only_first + only_second + both
    right = (
        np.arange(rows) >= only_second,
        (np.arange(rows) < only_second) | (np.arange(rows) >= only_second + only_first),
    )
    made = []
    for one in right:
        chance = np.where(one, 0.9, 0.2)
        made.append(
            LabelOutcomes(
                labels=("a", "b"), truth=np.zeros(rows, dtype=int), probabilities=np.c_[chance, 1 - chance]
            )
        )
    return made[0], made[1]


def test_mcnemar_by_hand() -> None:
    test = intervals.paired(ACCURACY, *pair(9, 1, 90), resamples=2000, seed=0)
    assert test.difference == pytest.approx(0.08)
    assert (test.only_first, test.only_second) == (9, 1)
    # Two-sided binomial: 2 * (C(10, 0) + C(10, 1)) / 2 ** 10.
    assert test.mcnemar_p == pytest.approx(22 / 1024)
    assert test.p is not None
    assert 0.005 < test.p < 0.05
    assert test.low is not None
    assert test.high is not None
    assert 0 < test.low < 0.08 < test.high


def test_a_model_against_itself_differs_by_nothing() -> None:
    outcomes = labeled(50, 3, 0)
    test = intervals.paired(LOG_LOSS, outcomes, outcomes, resamples=100)
    assert (test.difference, test.low, test.high, test.p, test.mcnemar_p) == (0.0, 0.0, 0.0, 1.0, None)
    assert intervals.paired(ACCURACY, outcomes, outcomes, resamples=100).mcnemar_p == 1.0


def test_pairing_finds_a_difference_that_the_separate_intervals_hide() -> None:
    first, second = pair(12, 0, 388)
    apart = [intervals.bootstrap(one, [ACCURACY], seed=0)["accuracy"] for one in (first, second)]
    assert apart[1].high is not None
    assert intervals.paired(ACCURACY, first, second).p == pytest.approx(2 / 1001)


def test_rows_that_differ_are_no_pair() -> None:
    with pytest.raises(ValueError, match="the same rows"):
        intervals.paired(ACCURACY, labeled(20, 2, 0), labeled(20, 2, 1))


def test_an_undefined_difference_is_none() -> None:
    flat = ValueOutcomes(truth=np.array([1.0, 2.0]), predicted=np.array([3.0, 3.0]))
    assert intervals.paired(PEARSON, flat, flat).difference is None


def test_a_resample_that_no_metric_survives_has_no_p() -> None:
    assert intervals.two_sided(np.empty(0)) is None


def test_p_by_hand() -> None:
    # Of 4 resamples and the sample itself, 2 are at most 0: twice 2 / 5.
    assert intervals.two_sided(np.array([-1.0, 1.0, 1.0, 1.0])) == pytest.approx(0.8)
    assert intervals.two_sided(np.array([-1.0, -1.0, -1.0, 1.0])) == pytest.approx(0.8)
    assert intervals.two_sided(np.array([2.0] * 99)) == pytest.approx(2 / 100)
    assert intervals.two_sided(np.array([0.0, 1.0])) == 1.0


@pytest.mark.parametrize(("value", "low", "high"), [(0.5, 0.3040036, 0.6959964), (0.95, 0.7540036, 1.0)])
def test_a_jackknife_interval_by_hand(value: float, low: float, high: float) -> None:
    # Two values 0.1 from their mean: a variance of 0.01, times 2 - 1 rows, is a standard error of 0.1.
    metric = Metric[ValueOutcomes](
        name="x",
        title="X",
        meaning="A number.",
        compute=lambda outcomes: value,
        resample=lambda outcomes: Jackknife(without=np.array([0.4, 0.6])),
    )
    score = intervals.bootstrap(valued(2, 0), [metric], seed=0)["x"]
    assert (score.low, score.high) == (pytest.approx(low, abs=1e-6), pytest.approx(high, abs=1e-6))


def test_a_difference_of_jackknives_by_hand() -> None:
    # The differences without each row, 0.1 and 0.3, lie 0.1 from their mean: a standard error of 0.1
    def metric_of(first: ValueOutcomes) -> Metric[ValueOutcomes]:
        return Metric[ValueOutcomes](
            name="x",
            title="X",
            meaning="A number.",
            compute=lambda outcomes: 0.6 if outcomes is first else 0.4,
            resample=lambda outcomes: Jackknife(
                without=np.array([0.5, 0.7]) if outcomes is first else np.array([0.4, 0.4])
            ),
        )

    one, other = valued(2, 0), valued(2, 0)
    test = intervals.paired(metric_of(one), one, other)
    assert (test.low, test.high) == (pytest.approx(0.0040036), pytest.approx(0.3959964))
    assert test.p == pytest.approx(2 * norm.sf(2.0))


@pytest.mark.parametrize("undefined", [0, 1])
def test_a_difference_from_what_is_undefined_is_none(undefined: int) -> None:
    flat = ValueOutcomes(truth=np.array([1.0, 2.0, 4.0]), predicted=np.array([3.0, 3.0, 3.0]))
    rising = ValueOutcomes(truth=flat.truth, predicted=np.array([1.0, 2.0, 3.0]))
    both = (flat, rising) if undefined == 0 else (rising, flat)
    test = intervals.paired(PEARSON, *both)
    assert (test.difference, test.low, test.p) == (None, None, None)
    score = intervals.gain(PEARSON, *both, seed=0)
    assert (score.value, score.low, score.high) == (None, None, None)


def test_a_gain_on_one_row_has_no_interval() -> None:
    one = ValueOutcomes(truth=np.array([1.0]), predicted=np.array([1.5]))
    other = ValueOutcomes(truth=np.array([1.0]), predicted=np.array([3.0]))
    score = intervals.gain(MAE, one, other, seed=0)
    assert (score.value, score.low, score.high) == (-1.5, None, None)
    right, wrong = (
        LabelOutcomes(labels=("a", "b"), truth=np.array([0]), probabilities=np.array([[chance, 1 - chance]]))
        for chance in (0.9, 0.1)
    )
    score = intervals.gain(ACCURACY, right, wrong, seed=0)
    assert (score.value, score.low, score.high) == (1.0, None, None)
