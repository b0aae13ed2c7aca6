"""Change points: planted ones are found in their place, and others at the stated rate."""

from __future__ import annotations

import numpy as np

from nlpkit.analysis.changes import LEVEL, steps_in


def series(shares: np.ndarray, texts: int, count: int, *, seed: int, noise: float = 1.0) -> np.ndarray:
    """Return (count, periods): shares that vary as those of so many texts do, or more."""
    random = np.random.default_rng(seed)
    return shares + random.normal(size=(count, len(shares))) * np.sqrt(noise * 0.25 / texts)


def test_series_without_a_change_alarm_at_the_stated_rate() -> None:
    """In 400 series at most 32 alarm, where at most 20 are meant (32: less than 1 of 200 tests)."""
    for noise in (1.0, 4.0):  # that of the texts alone, and more
        flat = series(np.full(20, 0.4), 200, 400, seed=1, noise=noise)
        found = steps_in(flat, [200] * 20, [0.25] * 400, level=LEVEL, seed=1)
        assert sum(map(bool, found)) <= 32


def test_a_planted_step_is_found_in_its_place() -> None:
    shares = np.where(np.arange(24) < 15, 0.3, 0.45)
    found = steps_in(series(shares, 400, 20, seed=2), [400] * 24, [0.25] * 20, level=LEVEL / 10, seed=1)
    assert all(len(steps) == 1 for steps in found)
    assert sum(steps[0].earliest <= 15 <= steps[0].latest for steps in found) >= 18
    assert all(steps[0].p <= LEVEL / 10 for steps in found)


def test_what_rises_and_falls_again_has_two_changes() -> None:
    shares = np.where((np.arange(30) >= 10) & (np.arange(30) < 20), 0.5, 0.3)
    (steps,) = steps_in(series(shares, 400, 1, seed=3), [400] * 30, [0.25], level=LEVEL, seed=1)
    assert [step.at for step in steps] == [10, 20]


def test_short_and_constant_series_have_none() -> None:
    assert steps_in(np.array([[0.1] * 3 + [0.9] * 2]), [100] * 5, [0.25], level=LEVEL, seed=1) == [[]]
    assert steps_in(np.full((1, 12), 0.5), [100] * 12, [0.25], level=LEVEL, seed=1) == [[]]
    step = np.where(np.arange(12) < 6, 0.3, 0.5)[None]  # without any noise
    assert [step.at for step in steps_in(step, [100] * 12, [0.25], level=LEVEL, seed=1)[0]] == [6]
