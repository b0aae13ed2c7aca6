"""Names of themes by class-based TF-IDF, with weights worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nlpkit.analysis.theme_names import names_of, terms_of, weighted


def test_weights_by_hand() -> None:
    # Two classes of 4 terms and 2 terms: A is 3. The first term stands in them 3 times, the second 3 times.
    weights = weighted(np.array([[3, 1], [0, 2]]))
    assert weights[0, 0] == pytest.approx(3 / 4 * math.log(1 + 3 / 3))
    assert weights[0, 1] == pytest.approx(1 / 4 * math.log(1 + 3 / 3))
    assert weights[1, 0] == 0
    assert weights[1, 1] == pytest.approx(2 / 2 * math.log(1 + 3 / 3))


def test_a_theme_is_named_by_what_sets_it_apart() -> None:
    texts = [
        "the battery died",
        "a battery again https://t.co/battery",
        "screen broke",
        "the screen is dark",
        "hm",
    ]
    terms = terms_of(texts, np.array([0, 0, 1, 1, -1]), 2)
    assert [of_theme[0][0] for of_theme in terms] == ["battery", "screen"]
    assert not any("the" in term.split() or "https" in term for of_theme in terms for term, _ in of_theme)


def test_names_repeat_no_word_and_are_unlike() -> None:
    terms = [("battery", 3.0), ("new battery", 2.0), ("life", 1.0)]
    assert names_of([terms, terms, []]) == ["battery, life", "battery, life (2)", "theme 3"]


def test_texts_without_words_have_no_terms() -> None:
    assert terms_of(["!!", "?"], np.array([0, 1]), 2) == [[], []]
