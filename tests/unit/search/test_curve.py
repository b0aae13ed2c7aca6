"""Learning curves whose law is known, and the mean of folds worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from nlpkit.data.examples import LabeledText
from nlpkit.errors import DataError
from nlpkit.metrics.score import Score
from nlpkit.search.curve import measure_curve
from nlpkit.search.curve_page import summary
from nlpkit.search.folds import mean_of, spread_of
from nlpkit.search.learning_curve import sizes_of
from nlpkit.search.power_law import fit
from nlpkit.search.rows import Answers, metrics_of
from nlpkit.tasks.answers.one_label import OneLabel
from nlpkit.tasks.prediction import Prediction

SIZES = (100, 200, 400, 800)
FAMILY = OneLabel(labels=("negative", "positive"), ordered=False)


@pytest.mark.parametrize("higher", [True, False])
def test_a_planted_power_law_is_found(higher: bool) -> None:
    sizes = np.array(SIZES, dtype=float)
    errors = 0.1 + 0.3 * (sizes / 800) ** -0.5
    law = fit(sizes, 1 - errors if higher else errors, higher_is_better=higher, scale=(0.0, 1.0))
    assert law is not None
    assert law.limit == pytest.approx(0.9 if higher else 0.1, abs=1e-3)
    assert law.exponent == pytest.approx(0.5, abs=1e-2)
    expected = 0.1 + 0.3 * 2**-0.5
    assert law.at(1600.0) == pytest.approx(1 - expected if higher else expected, abs=1e-4)


def test_a_limit_stays_within_the_scale() -> None:
    law = fit(np.array([100.0, 200, 400]), np.array([0.5, 0.75, 0.99]), higher_is_better=True, scale=(0, 1))
    assert law is not None
    assert law.limit <= 1


def answers(accuracy: float, random: np.random.Generator, rows: int = 600) -> Answers:
    labels = ["negative", "positive"] * (rows // 2)
    examples = [LabeledText(text=f"text {number}", label=label) for number, label in enumerate(labels)]
    predictions = []
    for label in labels:
        right = random.random() < accuracy
        likely = 0.9 if (label == "positive") == right else 0.1
        named = "positive" if likely > 0.5 else "negative"
        predictions.append(
            Prediction(label=named, probabilities={"negative": 1 - likely, "positive": likely})
        )
    return Answers(family=FAMILY, examples=examples, predictions=predictions)


def test_the_interval_of_the_gain_holds_the_planted_one_and_every_number_has_its_count() -> None:
    random = np.random.default_rng(5)
    truth = {size: 0.9 - 0.25 * (size / 800) ** -0.5 for size in (*SIZES, 1600)}
    runs = [answers(truth[size], random) for size in SIZES for _ in range(3)]
    curve = measure_curve(runs, SIZES, metrics_of(FAMILY, "accuracy")[0], seed=1)
    assert curve.gain is not None
    gain, low, high = curve.gain
    assert low <= truth[1600] - truth[800] <= high
    assert low <= gain <= high
    for size, (low, high) in zip(SIZES, curve.intervals, strict=True):
        assert low - 0.02 <= truth[size] <= high + 0.02
    assert curve.line[-1][0] == pytest.approx(1600)
    assert "Twice as many (1,600) would bring" in summary(curve)[1]


def test_two_sizes_are_measured_and_not_fitted() -> None:
    random = np.random.default_rng(5)
    curve = measure_curve([answers(0.8, random), answers(0.85, random)], (100, 200), FAMILY.best_by, seed=1)
    assert curve.law is None
    assert summary(curve)[1] == "No fit: it needs at least 3 sizes."


def test_sizes_are_named_or_halved() -> None:
    assert sizes_of([100, "all", 300], 500) == (100, 300, 500)
    assert sizes_of([], 500) == (31, 62, 125, 250, 500)
    assert sizes_of([], 100) == (50, 100)
    with pytest.raises(DataError, match=r"600 labels; expected at most the 500 .* hint: all"):
        sizes_of([600], 500)


def test_the_mean_of_folds_has_the_interval_of_nadeau_and_bengio() -> None:
    """0.6, 0.7, 0.8: standard deviation 0.1; t(2) = 4.303; 4.303 * 0.1 * sqrt(1/3 + 1/2) = 0.3928."""
    parts = [Score(value=value, count=10) for value in (0.6, 0.7, 0.8)]
    mean = mean_of(parts)
    assert (mean.value, mean.count) == (pytest.approx(0.7), 30)
    assert spread_of(parts) == pytest.approx(0.1)
    assert (mean.low, mean.high) == (pytest.approx(0.3072, abs=1e-3), pytest.approx(1.0928, abs=1e-3))
    scaled = mean_of([part.model_copy(update={"scale": (0.0, 1.0)}) for part in parts])
    assert scaled.high == 1.0
    missing = mean_of([*parts, Score(value=None, count=10)])
    assert (missing.value, missing.undefined) == (None, "a fold has no score")
