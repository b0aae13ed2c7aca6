"""The benchmark of a third step: what further readings win, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.third_step import gaps, measure, parts, spellings


def test_a_text_is_read_by_its_parts_with_gaps_and_in_other_spellings() -> None:
    random = np.random.default_rng(1)
    assert parts("The food was great, but the staff was rude. Never again!", random) == [
        "The food was great,",
        "but the staff was rude.",
        "Never again!",
    ]
    assert parts("great", random) == ["great"]
    with_gaps = gaps("a b c d e f g", random)
    assert len(with_gaps) == 8
    assert all(set(text.split()) < set("abcdefg") or text == "a b c d e f g" for text in with_gaps)
    assert spellings("@Al It's #Great!", random)[1:] == ["Al It's  Great", "It's !", "@Al It's Great!"]


def test_what_readings_win_among_the_doubted() -> None:
    texts = ["sure one"] * 9 + ["in doubt"]
    first = np.array([[0.9, 0.1]] * 9 + [[0.55, 0.45]])
    truth = np.array([0] * 9 + [1])
    rows = measure(texts, truth, first, lambda read: np.tile([0.2, 0.8], (len(read), 1)), seed=1)
    first_tenth = [row for row in rows if row["doubted"] == 0.1]
    assert len(first_tenth) == 6
    for row in first_tenth:
        assert (row["accuracy"], row["highest"]) == (0, 1 if row["won"] else 0)
        # a part alone ties with the first reading, whose probabilities then decide
        assert row["won"] == (0 if (row["way"], row["joined"]) == ("parts", "vote") else 1)
    assert first_tenth[0]["readings"] == pytest.approx(1)
