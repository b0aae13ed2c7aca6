from __future__ import annotations

from pathlib import Path

import evaluate
import numpy as np
import pytest

from nlpkit.errors import DataError
from nlpkit.metrics import modules
from nlpkit.metrics.labels import LABEL_METRICS
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.values import VALUE_METRICS


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a metric asked for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def test_every_metric_has_its_class_under_the_name_that_it_always_had() -> None:
    assert list(modules.METRIC_CLASSES) == [metric.name for metric in (*LABEL_METRICS, *VALUE_METRICS)]
    names = [
        "Accuracy",
        "MacroF1",
        "MCC",
        "AUROC",
        "LogLoss",
        "Brier",
        "ECE",
        "Pearson",
        "Spearman",
        "MAE",
        "RMSE",
    ]
    assert [module.__name__ for module in modules.METRIC_CLASSES.values()] == names
    assert all(getattr(modules, name).__name__ == name for name in names)
    with pytest.raises(AttributeError, match="Acuracy"):
        modules.Acuracy  # noqa: B018


def test_a_class_gives_exactly_what_the_metric_gives(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    truth, probabilities = random.integers(0, 3, 50), random.dirichlet(np.ones(3), 50)
    for metric in LABEL_METRICS:
        module = modules.METRIC_CLASSES[metric.name](cache_dir=str(tmp_path), keep_in_memory=True)
        found = module.compute(predictions=probabilities, references=truth)
        outcomes = LabelOutcomes(labels=("0", "1", "2"), truth=truth, probabilities=probabilities)
        assert found == {metric.name: metric.value(outcomes)}
    true, predicted = random.normal(size=40), random.normal(size=40)
    for value_metric in VALUE_METRICS:
        module = modules.METRIC_CLASSES[value_metric.name](cache_dir=str(tmp_path), keep_in_memory=True)
        expected = value_metric.value(ValueOutcomes(truth=true, predicted=predicted))
        assert module.compute(predictions=predicted, references=true) == {value_metric.name: expected}


def test_combine_over_batches(tmp_path: Path) -> None:
    both = evaluate.combine(
        [modules.Accuracy(cache_dir=str(tmp_path)), modules.LogLoss(cache_dir=str(tmp_path))]
    )
    both.add_batch(predictions=[[0.9, 0.1], [0.4, 0.6]], references=[0, 1])
    both.add(prediction=[0.5, 0.5], reference=1)
    assert both.compute() == {
        "accuracy": pytest.approx(2 / 3),
        "log_loss": pytest.approx(-np.log(0.9 * 0.6 * 0.5) / 3),
    }


def test_label_numbers_work_as_on_the_hub(tmp_path: Path) -> None:
    for one, expected in ((modules.Accuracy, 0.75), (modules.MacroF1, (0.8 + 2 / 3) / 2)):
        module = one(cache_dir=str(tmp_path), keep_in_memory=True)
        assert module.compute(predictions=[0, 0, 1, 0], references=[0, 0, 1, 1]) == {
            module.metric: pytest.approx(expected)
        }


def test_numbers_are_refused_where_probabilities_are_needed(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="don't match the expected format"):
        modules.LogLoss(cache_dir=str(tmp_path)).compute(predictions=[0, 1], references=[0, 1])


def test_an_undefined_metric_is_none(tmp_path: Path) -> None:
    module = modules.AUROC(cache_dir=str(tmp_path), keep_in_memory=True)
    assert module.compute(predictions=[[0.9, 0.1], [0.4, 0.6]], references=[0, 0]) == {"auroc": None}


def test_no_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there are no rows"):
        modules._labels([], [])


def test_each_describes_itself(tmp_path: Path) -> None:
    module = modules.Brier(cache_dir=str(tmp_path))
    assert module.name == "brier"
    assert "Squared error of the probabilities" in module.description
