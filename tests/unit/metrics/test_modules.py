from __future__ import annotations

from pathlib import Path

import evaluate
import numpy as np
import pytest

from nlpkit.errors import ConfigError
from nlpkit.metrics import modules
from nlpkit.metrics import table as metrics
from nlpkit.metrics.outcomes import Outcomes


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a metric asked for the network")

    monkeypatch.setattr("socket.socket.connect", refuse)
    monkeypatch.setattr("socket.getaddrinfo", refuse)


def labelled(rows: int = 50) -> Outcomes:
    random = np.random.default_rng(0)
    return Outcomes(
        labels=("a", "b", "c"),
        truth=random.integers(0, 3, rows),
        probabilities=random.dirichlet(np.ones(3), rows),
    )


def test_every_metric_has_its_class() -> None:
    assert modules.METRIC_CLASSES.keys() == metrics.METRICS.keys()


def test_compute_gives_exactly_what_the_functions_give() -> None:
    random = np.random.default_rng(1)
    valued = Outcomes(truth=random.normal(size=40), predicted=random.normal(size=40))
    for outcomes in (labelled(), valued):
        names = metrics.names(outcomes.kind)
        assert modules.compute(outcomes, names) == {name: metrics.measure(outcomes, name) for name in names}


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


def test_an_undefined_metric_is_none() -> None:
    outcomes = Outcomes(
        labels=("a", "b"), truth=np.array([0, 0]), probabilities=np.array([[0.9, 0.1], [0.4, 0.6]])
    )
    assert modules.compute(outcomes, ["auroc", "accuracy"]) == {"auroc": None, "accuracy": 0.5}


def test_compute_refuses_what_does_not_apply_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("evaluate.config.HF_METRICS_CACHE", str(tmp_path))
    with pytest.raises(ConfigError, match="not one for labels"):
        modules.compute(labelled(), ["accuracy", "mae"])
    modules.compute(labelled(), ["accuracy", "brier"])
    assert modules.compute(labelled(), []) == {}
    assert list(tmp_path.iterdir()) == []


def test_each_describes_itself(tmp_path: Path) -> None:
    module = modules.Brier(cache_dir=str(tmp_path))
    assert module.name == "brier"
    assert "Squared error of the probabilities" in module.description
