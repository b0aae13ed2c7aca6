"""Faithfulness: every expected number is worked out by hand."""

from __future__ import annotations

import pytest

from nlpkit.trust.faithfulness import Curve, mean_scores, scores, sizes_of

REMOVING = Curve(sizes=(0, 1, 2, 3, 4), shares=(0.9, 0.5, 0.3, 0.2, 0.1))
KEEPING = Curve(sizes=(0, 1, 2, 3, 4), shares=(0.1, 0.6, 0.8, 0.9, 0.9))


def test_scores_of_four_words() -> None:
    """1, 5, 10 and 20% of 4 words are 1 word, 50% are 2."""
    found = scores(REMOVING, KEEPING)
    assert found.comprehensiveness == pytest.approx((4 * (0.9 - 0.5) + (0.9 - 0.3)) / 5)
    assert found.sufficiency == pytest.approx((4 * (0.9 - 0.6) + (0.9 - 0.8)) / 5)
    assert found.deletion == pytest.approx((0.7 + 0.4 + 0.25 + 0.15) / 4)


def test_keeping_the_last_words_is_leaving_out_the_first() -> None:
    assert REMOVING.reversed == Curve(sizes=(0, 1, 2, 3, 4), shares=(0.1, 0.2, 0.3, 0.5, 0.9))
    found = mean_scores([REMOVING, Curve(sizes=(0, 1, 2, 3, 4), shares=(0.9,) * 5)])
    assert found.comprehensiveness == pytest.approx((0.44 + 0) / 2)
    assert found.sufficiency == pytest.approx(((4 * (0.9 - 0.2) + (0.9 - 0.3)) / 5 + 0) / 2)
    assert found.deletion == pytest.approx((0.375 + 0.9) / 2)


def test_between_its_points_a_curve_is_straight() -> None:
    curve = Curve(sizes=(0, 10, 100), shares=(1.0, 0.5, 0.5))
    assert curve.at(5) == pytest.approx(0.75)
    assert curve.area == pytest.approx((7.5 + 45) / 100)


def test_a_curve_has_all_sizes_of_a_short_text_and_some_of_a_long_one() -> None:
    assert sizes_of(1) == (0, 1)
    assert sizes_of(5) == (0, 1, 2, 3, 4, 5)
    long = sizes_of(1000)
    assert (long[0], long[-1], len(long)) == (0, 1000, 33)
