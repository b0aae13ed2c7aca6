"""Metrics of opinions, against values worked out by hand."""

from __future__ import annotations

import pytest

from nlpkit.data.examples import Opinion, Span
from nlpkit.errors import DataError
from nlpkit.metrics.intervals import bootstrap
from nlpkit.metrics.opinions import OPINION_METRICS, TRIPLET_F1, OpinionOutcomes
from nlpkit.reports.opinion_sections import mistakes_of


def opinion(aspect: int, words: int, polarity: str = "good", size: int = 1) -> Opinion:
    return Opinion(
        aspect=Span(start=aspect, end=aspect + size),
        opinion=Span(start=words, end=words + 1),
        polarity=polarity,
    )


A, B, C = opinion(0, 5), opinion(2, 5), opinion(2, 7, "bad")

OUTCOMES = OpinionOutcomes(
    polarities=("bad", "good"),
    truth=[(A, B), (C,), ()],
    given=[(A, opinion(2, 5, "bad")), (opinion(2, 7, "bad", 2), opinion(9, 9)), ()],
)
"""Three true and four given: one wholly right, one of another polarity, one longer, one invented."""


def test_scores_by_hand() -> None:
    values = {metric.name: metric.value(OUTCOMES) for metric in OPINION_METRICS}
    assert values == {
        "triplet_f1": pytest.approx(2 * 1 / (3 + 4)),
        "precision": pytest.approx(1 / 4),
        "recall": pytest.approx(1 / 3),
        "pair_f1": pytest.approx(2 * 2 / (3 + 4)),
        # aspects 0 and 2, then 2; given 0 and 2, then 2 (longer) and 9
        "aspect_f1": pytest.approx(2 * 2 / (3 + 4)),
        # words 5, then 7; given 5, then 7 and 9
        "opinion_f1": pytest.approx(2 * 2 / (2 + 3)),
        "polarity_accuracy": pytest.approx(1 / 2),
    }


def test_an_interval_holds_the_score_and_nothing_to_measure_is_no_zero() -> None:
    score = bootstrap(OUTCOMES, (TRIPLET_F1,), seed=0)["triplet_f1"]
    assert score.low is not None
    assert score.low <= score.value <= score.high
    empty = OpinionOutcomes(polarities=("good",), truth=[()], given=[()])
    assert TRIPLET_F1.value(empty) is None
    with pytest.raises(DataError, match="there are no rows"):
        OpinionOutcomes(polarities=("good",), truth=[], given=[])


def test_each_mistake_has_one_kind() -> None:
    kinds = [
        [kind for kind, _, _ in mistakes_of(tuple(true), tuple(given))]
        for true, given in zip(OUTCOMES.truth, OUTCOMES.given, strict=True)
    ]
    assert kinds == [["wrong polarity"], ["wrong border", "invented"], []]
    assert [kind for kind, _, _ in mistakes_of((A,), ())] == ["missed"]
