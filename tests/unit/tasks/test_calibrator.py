"""Calibration beyond a temperature: planted faults are found and mended, and nothing else is touched."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from nlpkit.data.examples import LabeledText
from nlpkit.metrics.calibration import fit_scaling
from nlpkit.tasks.calibrator import Calibrator, calibrated, crossfitted, fit_calibration, log_losses
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.task import task_from


def draw(rows: int, labels: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Logits that mean what they say, and labels drawn by their probabilities."""
    random = np.random.default_rng(seed)
    logits = 2 * random.normal(size=(rows, labels))
    chances = softmax(logits, axis=1).cumsum(axis=1)
    return logits, (random.random((rows, 1)) > chances).sum(axis=1)


def test_planted_scales_and_biases_are_found() -> None:
    """Logits that are off by a scale and a bias for each label: one set of numbers undoes that."""
    logits, truth = draw(20_000, 3, seed=1)
    scale, bias = np.array([0.5, 1.0, 2.0]), np.array([0.6, 0.0, -0.6])
    found, added = fit_scaling((logits - bias) / scale, truth, by_label=True)
    assert found == pytest.approx(scale, rel=0.06)
    assert added - added.mean() == pytest.approx(bias, abs=0.08)


def test_isotonic_regression_gives_the_shares_that_are_seen() -> None:
    """Of 200 rows each at 0.2 and at 0.6 a tenth is of the second label, of 200 at 0.7 nine tenths."""
    chances = np.repeat([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]], 200, axis=0)
    truth = np.concatenate([np.arange(200) < count for count in (20, 20, 180)]).astype(int)
    fitted = fit_calibration(np.log(chances), truth)
    assert fitted["calibrator"].method == "isotonic"
    logits = np.log([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7], [0.35, 0.65]]) / fitted["temperature"]
    answers = calibrated(logits, fitted["calibrator"])
    assert answers[:3] == pytest.approx(np.array([[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]), abs=1e-5)
    assert 0.1 < answers[3, 1] < 0.9


@pytest.mark.parametrize("fault", ["none", "temperature", "bias", "vector"])
def test_the_simplest_method_that_mends_the_fault_is_chosen(fault: str) -> None:
    logits, truth = draw(1_500, 3, seed=2)
    bias = np.array([0.0, 1.0, -1.0])
    logits = {
        "none": logits,
        "temperature": 3 * logits,
        "bias": logits + bias,
        "vector": logits * [0.2, 1.0, 3.0] + bias,
    }[fault]
    fitted = fit_calibration(logits, truth)
    plain = "none" if fitted["temperature"] == 1 else "temperature"
    chosen = fitted["calibrator"].method if fitted["calibrator"] else plain
    assert chosen == fault
    if fault == "temperature":
        assert fitted["temperature"] == pytest.approx(3, rel=0.1)
    answers = crossfitted(logits, truth, ("none", chosen))
    losses = {method: log_losses(answer, truth) for method, answer in answers.items()}
    assert losses[chosen].mean() <= losses["none"].mean()
    truly = -log_softmax(draw(1_500, 3, seed=2)[0], axis=1)[np.arange(1_500), truth].mean()
    assert losses[chosen].mean() == pytest.approx(truly, abs=0.02)


def test_probabilities_do_not_get_better_at_the_price_of_answers() -> None:
    """A bias lowers the log loss by more than a standard error, but three of 156 right answers are lost."""
    random = np.random.default_rng(6)
    truth = random.choice(3, 200, p=[0.5, 0.3, 0.2])
    logits = random.normal(size=(200, 3))
    logits[np.arange(200), truth] += 1.5
    logits -= np.outer(random.choice([0, 3], 200) * (random.random(200) < 0.5), [0, 0, 1])
    logits[:, 0] += 0.5
    answers = crossfitted(logits, truth, ("temperature", "bias"))
    before, after = (log_losses(answer, truth) for answer in answers.values())
    assert (before - after).mean() > (before - after).std() / np.sqrt(200)
    assert [(answer.argmax(axis=1) == truth).sum() for answer in answers.values()] == [156, 153]
    assert fit_calibration(logits, truth)["calibrator"] is None


def test_few_rows_get_a_temperature_only() -> None:
    logits, truth = draw(9, 2, seed=4)
    assert fit_calibration(logits + np.array([0, 5]), truth)["calibrator"] is None


def test_equal_values_of_a_step_keep_their_order() -> None:
    steps = {"at": [0.0, 1.0], "value": [0.5, 0.5]}
    flat = Calibrator.model_validate({"method": "isotonic", "steps": [steps, steps]})
    answers = calibrated(np.array([[2.0, 0.0], [0.0, 1.0]]), flat)
    assert answers.argmax(axis=1).tolist() == [0, 1]
    assert answers == pytest.approx(np.full((2, 2), 0.5), abs=1e-5)


def test_a_task_stores_what_it_answers_with() -> None:
    logits, truth = draw(400, 2, seed=3)
    logits[:, 1] += 2
    task = Polarity(labels=("negative", "positive"))
    assert "calibrator" not in task.model_dump(mode="json")
    examples = [LabeledText(text="x", label=task.labels[index]) for index in truth]
    fitted = task.calibrate(logits, examples)
    assert fitted.family.calibration.endswith("then a bias for each label")
    again = task_from(fitted.model_dump(mode="json"))
    assert again == fitted
    before, after = task.decode(logits, ()), again.decode(logits, ())
    assert after == fitted.decode(logits, ())
    right = [np.mean([answer.label == row.label for answer, row in zip(answers, examples, strict=True)])
             for answers in (before, after)]  # fmt: skip
    assert right[1] > right[0] + 0.05
