from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nlpkit.errors import ConfigError
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.labels import ACCURACY, LABEL_METRICS
from nlpkit.metrics.metric import OWN_RESAMPLES, Bootstrap, Metric, find_metric, with_own
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.replies import ReplyOutcomes
from nlpkit.metrics.values import MAE


def agreeing(predictions: np.ndarray, references: np.ndarray) -> float:
    """Share of texts that get the label "yes" or "no" that they have."""
    return float(np.mean(predictions == references))


def outcomes(right: int = 30, rows: int = 40) -> LabelOutcomes:
    chance = np.where(np.arange(rows) < right, 0.9, 0.2)
    return LabelOutcomes(
        labels=("no", "yes"),
        truth=np.zeros(rows, dtype=int),
        probabilities=np.c_[chance, 1 - chance],
    )


def test_an_unknown_metric_names_the_nearest() -> None:
    assert find_metric("accuracy", LABEL_METRICS) is ACCURACY
    with pytest.raises(ConfigError, match=r"metric 'acuracy' is unknown here; did you mean 'accuracy'\?"):
        find_metric("acuracy", LABEL_METRICS)
    with pytest.raises(ConfigError, match="'pearson' is unknown here; known: accuracy"):
        find_metric("pearson", LABEL_METRICS)


def test_a_function_of_the_users_own_is_a_metric_with_an_interval() -> None:
    own = Metric.of_function(agreeing, "agreeing", where="mine.py:agreeing")
    score = bootstrap(outcomes(), [own], seed=0)["agreeing"]
    assert score.value == 0.75
    assert score.low == pytest.approx(0.6, abs=0.05)
    assert score.high == pytest.approx(0.88, abs=0.05)
    assert (score.title, score.meaning) == (
        "agreeing",
        'Share of texts that get the label "yes" or "no" that they have.',
    )
    test = paired(own, outcomes(), outcomes(20), seed=0)
    assert test.difference == 0.25
    assert test.p is not None
    assert test.p < 0.05


def test_it_reads_labels_values_and_texts() -> None:
    seen: list[Any] = []

    def own(predictions: np.ndarray, references: np.ndarray) -> float:
        seen.append((predictions.tolist(), references.tolist()))
        return 1.0

    metric = Metric.of_function(own, "own")
    metric.value(outcomes(1, 2))
    metric.value(ValueOutcomes(truth=np.array([1.0]), predicted=np.array([2.0])))
    metric.value(ReplyOutcomes(replies=("hi",), truths=("hello",), bertscores="", negative=""))
    assert seen == [(["no", "yes"], ["no", "no"]), ([2.0], [1.0]), (["hi"], ["hello"])]


def test_the_attributes_of_a_function_say_how_it_is_read() -> None:
    def loss(predictions: np.ndarray, references: np.ndarray) -> float:
        return 0.5

    assert "own metric loss" in Metric.of_function(loss, "loss").meaning
    for name, value in (
        ("higher_is_better", False),
        ("title", "My loss"),
        ("meaning", "Costs."),
        ("resamples", 7),
    ):
        setattr(loss, name, value)
    metric = Metric.of_function(loss, "loss")
    assert (metric.higher_is_better, metric.title, metric.meaning) == (False, "My loss", "Costs.")
    way = metric.resample(outcomes())
    assert isinstance(way, Bootstrap)
    assert way.resamples == 7
    assert OWN_RESAMPLES == 200


def test_a_function_is_called_once_for_each_of_its_resamples() -> None:
    calls = []

    def counted(predictions: np.ndarray, references: np.ndarray) -> float:
        calls.append(len(references))
        return float(predictions[0] == "no") + len(set(predictions))

    bootstrap(outcomes(), [Metric.of_function(counted, "counted"), ACCURACY], seed=0)
    assert calls == [40] * (1 + OWN_RESAMPLES)


def test_a_resample_on_which_the_function_gives_up_does_not_count() -> None:
    def strict(predictions: np.ndarray, references: np.ndarray) -> float:
        if len(set(predictions)) < 2:
            raise ValueError("one label only")
        return float(np.mean(predictions == "no"))

    score = bootstrap(outcomes(3, 4), [Metric.of_function(strict, "strict")], seed=0)["strict"]
    assert score.value == 0.75
    assert score.high == 0.75

    def never(predictions: np.ndarray, references: np.ndarray) -> float:
        return 0.5 if predictions.tolist() == ["no", "no", "no", "yes"] else float("nan")

    metric = replace(Metric.of_function(never, "never"))
    assert "no interval" in str(bootstrap(outcomes(3, 4), [metric], seed=0)["never"].undefined)


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        (float("nan"), "it returned nan; expected a finite number"),
        (float("inf"), "it returned inf; expected a finite number"),
        ("high", "it returned str; expected one number"),
        (None, "it returned NoneType; expected one number"),
        (np.zeros(3), "it returned ndarray; expected one number"),
    ],
)
def test_nonsense_is_refused_with_file_and_function(returned: Any, message: str) -> None:
    metric = Metric.of_function(lambda predictions, references: returned, "own", where="mine.py:own")
    with pytest.raises(ConfigError, match=re.escape(f"metric mine.py:own: {message}")):
        metric.value(outcomes())


def test_a_function_that_raises_is_named() -> None:
    def broken(predictions: np.ndarray, references: np.ndarray) -> float:
        raise KeyError("stars")

    metric = Metric.of_function(broken, "broken", where="mine.py:broken")
    with pytest.raises(ConfigError, match=r"metric mine\.py:broken: it raised KeyError: 'stars'"):
        metric.value(outcomes())


@pytest.mark.parametrize("name", ["accuracy", "loss"])
def test_a_name_that_is_taken_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"metric '{name}': there is another of that name; hint: rename"):
        with_own(LABEL_METRICS, [Metric.of_function(agreeing, name)])


def test_own_metrics_follow_the_known_ones() -> None:
    own = Metric.of_function(agreeing, "agreeing")
    assert with_own([MAE], [own]) == (MAE, own)
