"""Integrated gradients: of linear models they are known, and of any they add up."""

from __future__ import annotations

import sys
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import ConfigError, RunError
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.intents import Intents
from nlpkit.tasks.polarity import Polarity
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.explanation import Explanation
from tests.bags import bag
from tests.conftest import sentences

pytest.importorskip("captum")

POLARITY = Polarity(labels=("negative", "positive"), temperature=2.0)


def explained(classifier: Classifier, text: str) -> Explanation:
    ((explanation,),) = Explainer(classifier, method="gradients", orders=1).explain([text])
    return explanation


def weights(explanation: Explanation) -> list[float]:
    return [round(float(word.weight or 0), 5) for word in explanation.words]


def test_of_a_linear_model_a_word_adds_what_it_is_worth(tiny_base: Path) -> None:
    """Log-odds are divided by the temperature, 2; padding is worth 0.25, which every word has in advance."""
    explanation = explained(bag(tiny_base, POLARITY, in_torch=True, padding=0.25), "the good , awful unfair")
    parts = len("unfair")  # the tiny tokenizer spells it
    assert explanation.about == "negative"
    assert weights(explanation) == pytest.approx([0.125, -0.875, 0.125, 1.625, 0.125 * parts])
    assert explanation.faithfulness.completeness_error == pytest.approx(0, abs=1e-4)


def test_a_word_read_in_two_windows_adds_to_both(tiny_base: Path) -> None:
    """Windows of 4 tokens, from tokens 0, 3 (and 2 at the end): 6 words make two windows of equal weight."""
    classifier = bag(tiny_base, POLARITY, in_torch=True, window=6)
    explanation = explained(classifier, "the the good the the fine")
    starts = [0, 2]
    assert explanation.answer.windows == len(starts)
    # "good" stands in both, "fine" in one: half of it counts; all are divided by the temperature
    assert weights(explanation) == pytest.approx([0, 0, 1.0, 0, 0, 0.125])


def test_of_three_labels_the_weights_are_shares_of_the_log_odds(tiny_base: Path) -> None:
    task = Polarity(labels=("negative", "neutral", "positive"))
    explanation = explained(bag(tiny_base, task, in_torch=True), "good great")
    assert sum(weights(explanation)) == pytest.approx(3.0, abs=1e-4)  # x - log(1 + 1), from x = 0 to 3
    assert weights(explanation) == pytest.approx([2.0, 1.0], abs=1e-4)


def test_of_a_number_they_add_up_to_its_distance_from_the_baseline(tiny_base: Path) -> None:
    task = Intensity(low=0, high=10)
    explanation = explained(bag(tiny_base, task, in_torch=True, squashed=True), "good great bad")
    assert sum(weights(explanation)) == pytest.approx(5 * np.tanh(1.5), rel=0.01)
    assert (explanation.faithfulness.completeness_error or 1) < 0.01


def test_of_a_trained_adapter_they_add_up(toy_run: Path) -> None:
    classifier = Classifier.load(toy_run, runtime="torch")
    texts = [text for text, _ in sentences(4, seed=91)]
    for (explanation,) in Explainer(classifier, method="gradients", orders=1).explain(texts):
        error = explanation.faithfulness.completeness_error
        assert error is not None
        assert error < 0.01
        assert len({round(float(word.weight or 0), 6) for word in explanation.words}) > 3


def test_outputs_that_are_not_those_served_are_refused(tiny_base: Path) -> None:
    classifier = bag(tiny_base, POLARITY, in_torch=True)
    served = classifier.model.logits_of
    with (
        patch.object(classifier.model, "logits_of", lambda texts: served(texts) + 0.01),
        pytest.raises(RunError, match=r"its outputs with gradients differ by 0\.01 .*hint: --method occ"),
    ):
        explained(classifier, "good")


def test_a_verdict_without_gradients_names_the_method_that_works(tiny_base: Path) -> None:
    task = Intents(labels=("book", "pay"), outside="oos")
    classifier = bag(tiny_base, task, in_torch=True)
    with pytest.raises(ConfigError, match="hint: --method occlusion"):
        next(Explainer(classifier, method="gradients", label="oos").explain(["good"]))


def test_without_captum_the_message_names_the_extra(tiny_base: Path) -> None:
    with (
        patch.dict(sys.modules, {"captum.attr": None}),
        pytest.raises(ConfigError, match=r"which is not installed; hint: pip install 'nlpkit\[explain\]'"),
    ):
        Explainer(bag(tiny_base, POLARITY, in_torch=True), method="gradients")
