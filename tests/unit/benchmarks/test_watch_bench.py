from __future__ import annotations

import random

import numpy as np
import pytest

from benchmarks.watch import SHIFTS, false_alarms, is_right, lines_of, shifted
from benchmarks.watched_texts import with_typos
from nlpkit.watching.reference import TextAnswers


@pytest.fixture
def world() -> TextAnswers:
    draws = np.random.default_rng(1)
    truth = draws.integers(3, size=3000)
    noise = draws.dirichlet(np.ones(3), size=3000)
    return TextAnswers(
        probabilities=(np.eye(3)[truth] + noise) / 2,
        tokens=[draws.integers(20, size=5).tolist() for _ in truth],
        truth=truth,
    )


def test_typos_exchange_letters_inside_words_and_leave_links_and_names() -> None:
    text = "@somebody this wonderful morning http://example.org/page was fine"
    typed = with_typos(text, random.Random(2))
    assert typed != text
    assert typed.split()[0] == "@somebody"
    assert "http://example.org/page" in typed
    assert [sorted(word) for word in typed.split()] == [sorted(word) for word in text.split()]


def test_planted_changes_are_what_their_names_say(world: TextAnswers) -> None:
    draws = np.random.default_rng(1)
    moved = shifted(world, {}, "label shift, 20 points", 20_000, draws)
    shares = np.bincount(moved.truth, minlength=3) / 20_000  # type: ignore[arg-type]
    assert shares == pytest.approx(np.bincount(world.truth) / 3000 + [0.2, -0.2, 0], abs=0.02)  # type: ignore[arg-type]
    doubtful = shifted(world, {}, "far more doubtful tweets", 20_000, draws)
    shares = np.bincount(doubtful.truth, minlength=3) / 20_000  # type: ignore[arg-type]
    assert shares == pytest.approx(np.bincount(world.truth) / 3000, abs=0.02)  # type: ignore[arg-type]
    assert doubtful.probabilities.max(axis=1).mean() < world.probabilities.max(axis=1).mean() - 0.02


def test_streams_of_the_world_itself_give_few_alarms(world: TextAnswers) -> None:
    quiet = false_alarms(world, 3, seed=1)
    assert quiet["alarms"]["0.01"] <= quiet["alarms"]["0.05"] <= 1
    shift = {"streams": 3, "found": 0, "delay": None, "start_off": None, "named_at_once": None,
             "named_later": None}  # fmt: skip
    page = lines_of({"quiet": quiet, "doubt": [0.05, 0.1], "shifts": dict.fromkeys(SHIFTS, shift)})
    assert any("0 of 3" in line for line in page)
    assert is_right(("label shift",), "label shift")
    assert not is_right(("label shift", "covariate shift"), "label shift")
