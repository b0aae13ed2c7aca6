from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest

from benchmarks.builtin import by_source, source_of
from benchmarks.intensity import DOMAINS, one_human, sources
from benchmarks.mood_sets import labeled_turns
from benchmarks.quality import main
from benchmarks.sentences import outcomes_of, tfidf
from benchmarks.support import FILE, choose_threshold, sure_answers
from benchmarks.tiny import WORDS, tiny_run, tiny_texts
from benchmarks.vader import compounds, label_of
from nlpkit.data.examples import LabeledText
from nlpkit.metrics.labels import ACCURACY, MACRO_F1


def labeled(text: str, label: str) -> LabeledText:
    return LabeledText(text=text, label=label)


def test_one_human_is_the_mean_over_raters_of_their_correlation_with_the_mean_of_the_others():
    rated = [[1.0, 2.0, 3.0], [-2.0, -1.0], [0.0, 0.0, 4.0, -1.0], [3.0, 3.0]] * 10
    found = one_human(iter(rated))
    # every text has two raters at least: slots 0 and 1, each against the mean of that text's other ratings
    each = [
        np.corrcoef([row[slot] for row in rated], [np.mean(row[:slot] + row[slot + 1 :]) for row in rated])[
            0, 1
        ]
        for slot in (0, 1)
    ]
    assert found.value == pytest.approx(np.mean(each))
    assert found.count == 40
    assert found.low < found.value < found.high


def test_the_tested_domain_is_not_trained_on():
    for domain in DOMAINS:
        name, train, test = sources(domain)
        assert name == f"name=intensity-{domain}"
        assert domain in test
        assert f"/{domain}," not in train
        assert train.count("label: mean") == 3


@pytest.mark.parametrize(
    ("where", "name"),
    [
        (
            "/home/me/.cache/nlpkit/sentiment-ratings-5521c3ed9af2/data/editorials.parquet, row 12",
            "sentiment-ratings/editorials",
        ),
        ("/c/tweets-b689d717f051/data/tweets.parquet, row 1", "tweets/tweets"),
        ("data/mine, row by row.csv, row 7", "mine, row by row"),
        ("rows.jsonl, row 1", "rows"),
    ],
)
def test_rows_are_named_by_their_source(where, name):
    assert source_of(where) == name


def test_rows_are_grouped_in_order():
    rows = [
        LabeledText(text=text, label="x", where=f"{file}.csv, row 1")
        for text, file in (("1", "a"), ("2", "b"), ("3", "a"))
    ]
    assert {name: [one.text for one in group] for name, group in by_source(rows).items()} == {
        "a": ["1", "3"],
        "b": ["2"],
    }


def test_neutral_is_wrong_where_no_row_is():
    rows = [labeled("a", "negative"), labeled("b", "positive"), labeled("c", "positive")]
    outcomes = outcomes_of(rows, [{"negative": 1.0}, {"neutral": 1.0}, {"positive": 0.7, "negative": 0.3}])
    assert ACCURACY.value(outcomes) == pytest.approx(2 / 3)
    # F1 of negative 1, of positive 2/3; neutral does not occur
    assert MACRO_F1.value(outcomes) == pytest.approx((1 + 2 / 3) / 2)


def test_tfidf_learns_words():
    words = (("good", "positive"), ("bad", "negative"))
    train = [labeled(f"a {word} film {number}", label) for number in range(10) for word, label in words]
    validation = [labeled("good", "positive"), labeled("bad", "negative")]
    answers, strength = tfidf(train, validation, ["such a good one", "so bad"])
    assert [max(one, key=one.__getitem__) for one in answers] == ["positive", "negative"]
    assert all(sum(one.values()) == pytest.approx(1) for one in answers)
    assert strength > 0


@pytest.mark.parametrize(
    ("compound", "label"), [(0.05, "positive"), (0.049, "neutral"), (-0.049, "neutral"), (-0.05, "negative")]
)
def test_vader_thresholds_are_its_authors(compound, label):
    assert label_of(compound) == label


def test_vader_reads_texts():
    pytest.importorskip("vaderSentiment")
    good, bad, plain = compounds(["I love it", "I hate it", "It is a table"])
    assert good > 0.05 > plain > -0.05 > bad


def test_the_tiny_run_answers(tmp_path):
    from nlpkit.classifiers.classifier import Classifier

    classifier = Classifier.load(tiny_run(tmp_path), threads=1)
    texts = tiny_texts(20, seed=1)
    assert texts == tiny_texts(20, seed=1)
    assert all(set(text.split()) <= set(WORDS) for text in texts)
    answers = classifier.predict(texts)
    assert len(answers) == 20
    assert all(sum(one.probabilities.values()) == pytest.approx(1) for one in answers)


def test_an_unknown_run_is_one_message(tmp_path):
    with pytest.raises(SystemExit, match="no such run"):
        main(["default", "--run", str(tmp_path / "none"), "--results", str(tmp_path)])


def test_d2_the_support_messages_are_200_of_every_kind():
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines()]
    assert len({row["text"] for row in rows}) == len(rows) == 200
    assert Counter(row["label"] for row in rows) == {"negative": 58, "neutral": 86, "positive": 56}
    assert set(Counter(row["kind"] for row in rows).values()) == {50, 40, 30}


def test_d2_sure_answers_are_counted_apart():
    rows = [labeled(text, "positive") for text in "abcd"]
    answers = outcomes_of(rows, [{"positive": p, "negative": 1 - p} for p in (0.9, 0.7, 0.6, 0.2)])
    # at 0.7 sure: 0.9 right, 0.7 right, 0.2 (negative with 0.8) wrong; below: 0.6 right
    figures = sure_answers(answers, 0.7)
    assert (figures["texts"], figures["sure"], figures["right_below"]) == (4, 3, 1.0)
    assert figures["right"] == pytest.approx(2 / 3)


def test_d2_the_threshold_is_the_lowest_at_which_each_source_is_right():
    def source(*probabilities: float):
        rows = [labeled("x", "positive" if p > 0 else "negative") for p in probabilities]
        return outcomes_of(rows, [{"positive": abs(p), "negative": 1 - abs(p)} for p in probabilities])

    # a wrong answer at 0.74 is sure at 0.7, and no longer at 0.75
    assert choose_threshold({"a": source(0.9, 0.9), "b": source(0.95, -0.74)})[0] == 0.75
    assert choose_threshold({"a": source(0.9, 0.9)})[0] == 0.7


def test_d2_a_happy_word_makes_a_turn_positive():
    labels = {text.text: text.label for text in labeled_turns()}
    assert len(labels) == 260
    happy = next(text for text in labels if "kitchen today and it looks wonderful" in text)
    sad = next(text for text in labels if "kitchen today and it looks dreadful" in text)
    assert (labels[happy], labels[sad]) == ("positive", "negative")
