from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import theilslopes

from benchmarks.results import FOLDER
from nlpkit.chat.sentiment import (
    MOST_WORDS,
    SURE,
    Sentiment,
    SentimentTrend,
    describe_sentiment,
    measure_word_effects,
    name_score,
    predict_sentiments,
)
from nlpkit.chat.slope import fit_slope
from nlpkit.errors import RunError
from nlpkit.tasks.prediction import Prediction
from tests.fakes import FakeClassifier


def scored(*scores: float) -> list[Sentiment]:
    return [Sentiment(label="any", score=score) for score in scores]


def trend_of(*scores: float) -> SentimentTrend:
    return SentimentTrend(sentiments=tuple(scored(*scores)))


def test_each_text_has_its_mood():
    found = predict_sentiments(FakeClassifier(), ["a great day", "an awful day"])
    assert [(one.label, one.score) for one in found] == [("positive", 0.9), ("negative", -0.9)]
    assert found[0].probabilities == pytest.approx({"negative": 0.05, "positive": 0.95})
    assert predict_sentiments(FakeClassifier(), []) == []


def test_a_number_is_a_mood_and_labels_without_an_order_are_none():
    class Number:
        def predict(self, texts):
            return [Prediction(value=4.0, score=0.5)]

    class Topic:
        def predict(self, texts):
            return [Prediction(label="sports", probabilities={"sports": 1.0})]

    assert predict_sentiments(Number(), ["x"]) == [Sentiment(label="happy", score=0.5)]
    with pytest.raises(RunError, match="needs labels on a line"):
        predict_sentiments(Topic(), ["x"])


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], "steady"),
        ([-0.9], "steady"),
        ([0.0, 0.5], "steady"),
        # four points give no interval of 95%: a random order rises like this once in 24
        ([0.0, 0.1, 0.2, 0.3], "steady"),
        ([0.0, 0.1, 0.2, 0.3, 0.4], "rising"),
        ([0.4, 0.3, 0.2, 0.1, 0.0], "falling"),
        ([0.5, 0.5, 0.5, 0.5, 0.5], "steady"),
        ([0.8, -0.8, 0.8, -0.8, 0.8], "steady"),
        # only the last eight count: 0.9 long ago is no reason to call this falling
        ([0.9, 0.9, -0.6, -0.4, -0.2, 0.0, 0.2, 0.4, 0.6, 0.8], "rising"),
        # a fall of 0.9 at the end is not called rising
        ([-0.9, -0.6, -0.3, 0.0, 0.3, 0.6, 0.9, 0.0], "steady"),
    ],
)
def test_d2_the_trend_is_told_where_its_interval_excludes_zero(scores, expected):
    assert trend_of(*scores).direction == expected


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([0.1], "steady"), ([0.9, 0.0], "falling"), ([0.0, 0.09], "steady"), ([-0.9, 0.9, 0.1, 0.4], "rising")],
)
def test_d2_the_last_step_is_that_from_the_message_before(scores, expected):
    assert trend_of(*scores).last_step == expected


@pytest.mark.parametrize("scores", [[0.1, 0.4, -0.3, 0.2, 0.9], [-1, 0.2, 0.1, 0.5, -0.3, 0.0, 0.7, 0.3]])
def test_d2_the_slope_is_that_of_theil_and_sen(scores):
    slope, expected = fit_slope(list(enumerate(scores))), theilslopes(scores)
    assert (slope.value, slope.low, slope.high) == pytest.approx(
        (expected.slope, expected.low_slope, expected.high_slope)
    )


@pytest.mark.parametrize(("count", "clear"), [(4, 0), (5, 2), (6, 12), (7, 152)])
def test_d2_of_all_orders_at_most_one_in_twenty_is_called_a_trend(count, clear):
    # Kendall's exact distribution: 1/60 of the orders of five, 1/60 of six, 3.0% of seven
    slopes = [fit_slope(list(enumerate(order))) for order in itertools.permutations(range(count))]
    assert sum(slope is not None and not slope.low <= 0 <= slope.high for slope in slopes) == clear


def test_d2_one_point_that_is_far_off_does_not_turn_a_slope():
    # six of seven points fall by 0.1 each; the fourth is 5 too high
    points = [(float(turn), -0.1 * turn + (5 if turn == 3 else 0)) for turn in range(7)]
    assert fit_slope(points).value == pytest.approx(-0.1)
    assert fit_slope(points[:4]) is None


def test_d2_what_is_not_sure_is_not_said():
    sure = Sentiment(
        label="negative", score=-0.8, probabilities={"negative": 0.85, "neutral": 0.1, "positive": 0.05}
    )
    assert (sure.is_sure, sure.probability, sure.certainty) == (True, 0.85, " (negative, 85%)")
    assert SentimentTrend(sentiments=(sure,)).sentences == ["You sound very unhappy (negative, 85%)."]
    doubtful = Sentiment(label="negative", score=-0.3, probabilities={"negative": 0.65, "positive": 0.35})
    trend = SentimentTrend(sentiments=(sure, doubtful))
    assert trend.sentences == ["Not sure how you sound (negative, 65%)."]
    assert describe_sentiment(trend.sentiments) == ""
    # a score between two sure ones that is not sure itself makes no step and no part of a slope
    middle = (*scored(0.0, 0.1, 0.2), doubtful, *scored(0.3))
    assert SentimentTrend(sentiments=middle).slope is None
    assert SentimentTrend(sentiments=middle).last_step == "steady"
    unreadable = Sentiment(label="positive", score=0.9, probabilities={"positive": 0.99}, is_unreadable=True)
    said = SentimentTrend(sentiments=(unreadable,)).sentences
    assert said == ["Not sure how you sound (the classifier cannot read it)."]


def test_d2_a_text_that_the_classifier_cannot_read_is_kept_as_such():
    class Unreadable:
        def predict(self, texts):
            return [Prediction(label="a", score=0.9, probabilities={"a": 0.99}, is_unreadable=True)]

    (sentiment,) = predict_sentiments(Unreadable(), ["这家餐厅很糟糕"])
    assert sentiment.is_unreadable
    # what an older version stored has no such field
    old = Sentiment(
        **{"label": "negative", "score": -0.9, "probabilities": {"negative": 0.95, "positive": 0.05}}
    )
    assert old.is_sure


def test_d2_the_threshold_is_the_one_that_was_measured():
    measured = json.loads((FOLDER / "support.json").read_text(encoding="utf-8"))
    assert measured["threshold"]["chosen"] == SURE


@given(st.lists(st.floats(0, 1), min_size=3, max_size=3).filter(any))
def test_d2_a_name_never_contradicts_a_sure_label(weights):
    total = sum(weights)
    probabilities = dict(zip(("negative", "neutral", "positive"), (w / total for w in weights), strict=True))
    label = max(probabilities, key=probabilities.__getitem__)
    score = probabilities["positive"] - probabilities["negative"]
    sentiment = Sentiment(label=label, score=score, probabilities=probabilities)
    if sentiment.is_sure:
        names = {"negative": "unhappy", "neutral": "neither happy nor unhappy", "positive": "happy"}
        assert name_score(score).removeprefix("very ") == names[label]


def test_words_are_weighed_by_leaving_each_out_in_one_batch():
    classifier = FakeClassifier()
    found = measure_word_effects(classifier, "The film was great, the food awful!")
    assert [word for word, _ in found] == ["The", "film", "was", "great", ",", "the", "food", "awful", "!"]
    weights = dict(found)
    assert weights["great"] == pytest.approx(0.9)  # 0 with both, -0.9 without it
    assert weights["awful"] == pytest.approx(-0.9)
    assert weights["film"] == weights["food"] == 0
    assert len(classifier.batches) == 1
    assert len(classifier.batches[0]) == 10


def test_words_of_other_scripts_and_signs():
    words = [word for word, _ in measure_word_effects(FakeClassifier(), "don't 好吃 😀😀 !! שלום")]
    assert words == ["don't", "好", "吃", "😀😀", "!!", "שלום"]
    assert measure_word_effects(FakeClassifier(), " \n") == []


def test_a_very_long_text_costs_no_more_than_so_many_readings():
    classifier = FakeClassifier()
    assert len(measure_word_effects(classifier, "good " * 5000)) == MOST_WORDS
    assert len(classifier.batches[0]) == MOST_WORDS + 1


@pytest.mark.parametrize(
    ("score", "name"),
    [
        (-1, "very unhappy"),
        (-0.4, "unhappy"),
        (0, "neither happy nor unhappy"),
        (0.4, "happy"),
        (1, "very happy"),
    ],
)
def test_a_score_has_a_name(score, name):
    assert name_score(score) == name


def test_the_hint_says_how_it_is_and_where_it_goes():
    assert describe_sentiment([]) == ""
    assert describe_sentiment(scored(0.0)) == "The user sounds neither happy nor unhappy. Respond calmly."
    assert describe_sentiment(scored(-0.5)) == "The user sounds unhappy. Respond with sympathy and comfort."
    assert (
        describe_sentiment(scored(0.9, 0.2, -0.7))
        == "The user sounds very unhappy, and their mood is falling. Respond with deep sympathy and comfort."
    )
    assert describe_sentiment(scored(0.4)) == "The user sounds happy. Respond with joy and praise."
    assert "rising" in describe_sentiment(scored(-0.9, 0.4))


def test_the_trend_of_a_conversation():
    empty = SentimentTrend()
    assert (empty.now, empty.direction, empty.sentences) == (None, "steady", [])
    trend = trend_of(0.9, 0.6, 0.3, 0.0, -0.3, -0.9)
    assert (trend.now, trend.direction) == (trend.sentiments[-1], "falling")
    assert trend.sentences == [
        "You sound very unhappy.",
        "The last message is more negative than the one before.",
        "Over your last 6 messages the mood is falling: -0.30 a message (-0.45 to -0.30).",
    ]
