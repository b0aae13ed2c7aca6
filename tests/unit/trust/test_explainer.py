"""Explanations of classifiers that add up what words are worth: weights and sets are known."""

from __future__ import annotations

import math
from pathlib import Path
from unittest.mock import patch

import pytest

from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.tasks.aspects import Aspects
from nlpkit.tasks.emotions import Emotions
from nlpkit.tasks.intensity import Intensity
from nlpkit.tasks.polarity import Polarity
from nlpkit.tasks.turn_emotions import TurnEmotions
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.explanation import Explanation
from tests.bags import bag

POLARITY = Polarity(labels=("negative", "positive"))


def only(explainer: Explainer, text: str) -> Explanation:
    ((explanation,),) = explainer.explain([text])
    return explanation


def weights(explanation: Explanation) -> list[float | None]:
    return [None if word.weight is None else round(word.weight, 6) for word in explanation.words]


def chance(log_odds: float) -> float:
    return 1 / (1 + math.exp(-log_odds))


def test_the_weight_of_a_word_is_what_the_answer_loses_without_it(tiny_base: Path) -> None:
    explanation = only(Explainer(bag(tiny_base, POLARITY)), "film is good, not bad at all")
    assert explanation.about == "positive"
    assert explanation.share == pytest.approx(chance(0.5))
    assert [word.text for word in explanation.words] == ["film", "is", "good", ",", "not", "bad", "at", "all"]
    assert weights(explanation) == [0, 0, 2, 0, 0, -1.5, 0, 0]
    assert explanation.base == pytest.approx(0)
    assert [word.text for word in explanation.by_weight[:2]] == ["good", "bad"]


def test_of_a_negative_answer_the_weights_speak_for_it(tiny_base: Path) -> None:
    explanation = only(Explainer(bag(tiny_base, POLARITY, constant=0.25)), "good but awful")
    assert explanation.about == "negative"
    assert weights(explanation) == [-2, 0, 3]
    assert explanation.keeps is not None
    assert explanation.named(explanation.keeps.words) == ["awful"]


def test_the_smallest_sets_can_do_without_no_word(tiny_base: Path) -> None:
    """The words add 0.5, 2, 0 and 1 to -2.25: it takes two to outweigh it, and one to lose it."""
    classifier = bag(tiny_base, POLARITY, constant=-2.25)
    explanation = only(Explainer(classifier), "fine good the great")
    kept, changed = explanation.keeps, explanation.changes
    assert kept is not None
    assert (explanation.named(kept.words), kept.text) == (["good", "great"], "good great")
    assert changed is not None
    assert (explanation.named(changed.words), changed.text) == (["good"], "fine the great")
    assert (changed.answer.label, changed.headline) == ("negative", "negative")


def test_an_answer_that_needs_no_words_is_kept_by_none_and_changed_by_none(tiny_base: Path) -> None:
    explanation = only(Explainer(bag(tiny_base, POLARITY, constant=1)), "the good film")
    assert explanation.keeps is not None
    assert explanation.keeps.words == ()
    assert explanation.changes is None
    assert any("the same without any words" in line for line in explanation.findings())


def test_faithfulness_of_two_words_by_hand(tiny_base: Path) -> None:
    """Both words weigh in: without "good" the log-odds are 1, with it alone 2; random orders lie between."""
    found = only(Explainer(bag(tiny_base, POLARITY), orders=64), "good great").faithfulness
    whole, one, two, none = chance(3), chance(1), chance(2), chance(0)
    assert found.scores.comprehensiveness == pytest.approx(whole - one)
    assert found.scores.sufficiency == pytest.approx(whole - two)
    assert found.scores.deletion == pytest.approx((whole / 2 + one + none / 2) / 2)
    assert found.random.comprehensiveness == pytest.approx(whole - (one + two) / 2, abs=0.03)
    assert found.random.deletion == pytest.approx((whole / 2 + (one + two) / 2 + none / 2) / 2, abs=0.03)
    assert found.completeness_error is None


def test_of_several_labels_each_given_one_is_explained(tiny_base: Path) -> None:
    task = Emotions(labels=("calm", "joy"), thresholds=(0.4, 0.5), slope=2.0)
    classifier = bag(tiny_base, task)
    ((joy, calm),) = Explainer(classifier).explain(["a great film"])
    assert (joy.about, calm.about) == ("joy", "calm")
    assert weights(joy) == [0, 2, 0]  # twice its output
    assert weights(calm) == [0, 0, 0]
    assert joy.changes is not None
    assert joy.changes.headline == "calm"
    (asked,) = next(Explainer(classifier, label="joy").explain(["bad"]))
    assert (asked.about, weights(asked), asked.keeps, asked.changes) == ("joy", [-3], None, None)


def test_of_a_number_the_weights_are_in_its_units(tiny_base: Path) -> None:
    """From 0 to 10, so that an output of -0.3 is 3.5; its tone is negative from -0.25 on."""
    task = Intensity(low=0, high=10)
    explanation = only(Explainer(bag(tiny_base, task, constant=1.2)), "this was bad")
    assert explanation.about == "value"
    assert explanation.answer.value == pytest.approx(3.5)
    assert weights(explanation) == [0, 0, pytest.approx(3.5 - 10)]  # a value stays in its range
    assert explanation.share == pytest.approx(0.65)
    assert explanation.keeps is not None
    assert explanation.named(explanation.keeps.words) == ["bad"]
    assert explanation.faithfulness.scores.comprehensiveness == pytest.approx(0.65)


def test_a_text_in_windows_is_explained_as_it_is_read(tiny_base: Path) -> None:
    """In windows of 10 tokens, 20 words make three; each word counts as often as it is read."""
    classifier = bag(tiny_base, POLARITY, window=12)
    words = ["good", *["the"] * 18, "bad"]
    explanation = only(Explainer(classifier), " ".join(words))
    assert explanation.answer.windows == 3
    assert "read in 3 overlapping windows; the answer is their mean" in explanation.notes()
    assert explanation.unread == 0
    whole = classifier.logits([" ".join(words)])[0, 1]
    for number in (0, 10, 19):
        left = " ".join(words[:number] + words[number + 1 :])
        expected = whole - classifier.logits([left])[0, 1]
        sign = 1 if explanation.about == "positive" else -1
        assert explanation.words[number].weight == pytest.approx(sign * expected)


def test_what_was_never_read_has_no_weight(tiny_base: Path) -> None:
    with patch("nlpkit.tasks.encoding.MAX_WINDOWS", 2):
        explanation = only(Explainer(bag(tiny_base, POLARITY, window=7)), " ".join(["good"] * 20))
    assert explanation.answer.partial
    assert weights(explanation)[5:15] == [None] * 10
    assert weights(explanation)[0] is not None
    assert explanation.unread == 10
    assert "10 of 20 words were never read, and have no weight" in explanation.notes()


def test_of_a_long_text_runs_of_words_are_left_out(tiny_base: Path) -> None:
    explanation = only(Explainer(bag(tiny_base, POLARITY)), " ".join(["the", "good"] * 150))
    assert len(explanation.words) == 100
    assert explanation.words[0].text == "the good the"
    assert "the text is long: runs of words are explained together" in explanation.notes()


def test_the_same_text_is_explained_alike_in_any_company(tiny_base: Path) -> None:
    texts = ["good film", "great place but bad food", "awful", "fine"]
    together = list(Explainer(bag(tiny_base, POLARITY)).explain(texts))
    alone = [next(Explainer(bag(tiny_base, POLARITY)).explain([text])) for text in texts]
    assert together == alone


def test_equal_texts_are_computed_once(tiny_base: Path) -> None:
    classifier = bag(tiny_base, POLARITY)
    list(Explainer(classifier, orders=1).explain(["good film"] * 5))
    assert classifier.runtime.texts == 4  # type: ignore[attr-defined]  # both words, each alone, and none


def test_what_cannot_be_explained_is_refused(tiny_base: Path) -> None:
    explainer = Explainer(bag(tiny_base, POLARITY))
    with pytest.raises(DataError, match=r"text 2 of 2: it is empty.*hint: give it words"):
        list(explainer.explain(["good", " \n"]))
    with pytest.raises(DataError, match=r"20,000 words; at most 2,000 can be explained.*hint:"):
        list(explainer.explain(["good " * 20_000]))
    with pytest.raises(ConfigError, match=r"no label 'postive'; did you mean 'positive'\?"):
        list(Explainer(bag(tiny_base, POLARITY), label="postive").explain(["good"]))
    with pytest.raises(ConfigError, match="onnx has no gradients; hint: --runtime torch, or --method occl"):
        Explainer(bag(tiny_base, POLARITY), method="gradients")
    with pytest.raises(RunError, match="answers with parts of the text"):
        Explainer(bag(tiny_base, Aspects(labels=("negative", "positive"))))
    with pytest.raises(RunError, match="reads turns with the turns before them"):
        Explainer(bag(tiny_base, TurnEmotions(labels=("joy", "anger"))))
