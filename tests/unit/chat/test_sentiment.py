from __future__ import annotations

import numpy as np
import pytest

from nlpkit.chat.sentiment import (
    MOST_WORDS,
    Sentiment,
    SentimentTrend,
    describe_sentiment,
    fit_slope,
    measure_word_effects,
    name_score,
    predict_sentiments,
    trend_direction,
)
from nlpkit.errors import RunError
from nlpkit.tasks.prediction import Prediction
from tests.fakes import FakeClassifier


def scored(*scores: float) -> list[Sentiment]:
    return [Sentiment(label="any", score=score) for score in scores]


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
        ([0.0, 0.5], "rising"),
        ([0.5, 0.0], "falling"),
        ([0.5, 0.5, 0.5], "steady"),
        ([0.0, 0.09], "steady"),
        ([0.8, -0.8, 0.8, -0.8, 0.8], "steady"),
        # only the last five count: 0.9 long ago is no reason to call this falling
        ([0.9, 0.9, -0.6, -0.4, -0.2, 0.0, 0.2], "rising"),
    ],
)
def test_the_trend_is_that_of_the_last_turns(scores, expected):
    assert trend_direction(scores) == expected


@pytest.mark.parametrize("scores", [[0.1, 0.4], [0.3, -0.2, 0.9], [-1, 0.2, 0.1, 0.5, -0.3]])
def test_the_slope_is_that_of_least_squares(scores):
    assert fit_slope(scores) == pytest.approx(np.polyfit(range(len(scores)), scores, 1)[0])


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
    assert describe_sentiment(scored(0.3)) == "The user sounds happy. Respond with joy and praise."
    assert "rising" in describe_sentiment(scored(-0.9, 0.4))


def test_the_trend_of_a_conversation():
    assert (SentimentTrend().now, SentimentTrend().direction) == (None, "steady")
    trend = SentimentTrend(sentiments=tuple(scored(0.9, -0.7)))
    assert (trend.now, trend.direction) == (trend.sentiments[-1], "falling")
