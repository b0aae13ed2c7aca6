"""Agreement between people, against published numbers and numbers worked out by hand."""

from __future__ import annotations

import pytest

from nlpkit.metrics.agreement import krippendorff_alpha, one_against_the_rest

KRIPPENDORFF = [
    [1, 1, 1], [2, 2, 3, 2], [3, 3, 3, 3], [3, 3, 3, 3], [2, 2, 2, 2], [1, 2, 3, 4], [4, 4, 4, 4],
    [1, 1, 2, 1], [2, 2, 2, 2], [5, 5, 5], [1, 1], [3],
]  # fmt: skip
"""Krippendorff 2011, section C: four observers, twelve units, missing answers."""


@pytest.mark.parametrize(("scale", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_is_that_of_krippendorffs_own_example(scale, alpha) -> None:  # type: ignore[no-untyped-def]
    assert krippendorff_alpha(KRIPPENDORFF, scale) == pytest.approx(alpha, abs=5e-4)


def test_alpha_by_hand_and_where_it_means_nothing() -> None:
    # two texts, [0, 1] and [1, 1]: observed disagreement 2 of 4; by chance 2 * 1 * 3 / 3 = 2 of 4
    assert krippendorff_alpha([[0, 1], [1, 1]], "nominal") == pytest.approx(0)
    assert krippendorff_alpha([[0, 0], [1, 1]], "ordinal") == pytest.approx(1)
    assert krippendorff_alpha([[1, 1], [1, 1]], "nominal") is None
    assert krippendorff_alpha([[1], [0]], "interval") is None


def test_one_person_is_measured_against_the_commonest_answer_of_the_others() -> None:
    # [0, 0, 1]: each 0 meets a tie of 0 and 1, the 1 meets 0 and 0; [1, 1]: both agree
    answers = [[0, 0, 1], [1, 1], [0]]
    assert one_against_the_rest(answers, "nominal") == pytest.approx((0.5 + 0.5 + 0 + 1 + 1) / 5)
    # a model that says 0 and 1 meets the same others: tie, tie, right; right, right
    assert one_against_the_rest(answers, "ordinal", [0, 1, 1]) == pytest.approx((0.5 + 0.5 + 1 + 1 + 1) / 5)


def test_numbers_are_correlated_with_the_mean_of_the_others() -> None:
    # against the mean of the others: (1, 2), (2, 1), (3, 5), (5, 3), covariance 3.75 and variances 8.75
    assert one_against_the_rest([[1, 2], [3, 5]], "interval") == pytest.approx(3.75 / 8.75)
    assert one_against_the_rest([[1, 2], [3, 5]], "interval", [0, 1]) == pytest.approx(2.5 / 8.75**0.5)
    assert one_against_the_rest([[1, 1], [1, 1]], "interval") is None
    assert one_against_the_rest([[1], [2]], "interval") is None
