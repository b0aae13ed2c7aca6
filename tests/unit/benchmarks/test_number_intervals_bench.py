"""The benchmark of intervals: coverage and width, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.number_intervals import measure, shifted
from nlpkit.trust.calibration_rows import ValueRows


def rows_of(wrong: list[float]) -> ValueRows:
    return ValueRows(source="rows", values=np.zeros(len(wrong)), truth=np.array(wrong), spreads=None)


def test_where_all_answers_are_as_wrong_every_interval_holds_the_number() -> None:
    measured = measure(rows_of([1.0, -1.0] * 50), labeled=40, draws=3, seed=1)
    assert measured["90%"] == {"held": 1.0, "lowest": 1.0, "highest": 1.0, "width": 2.0}


def test_rows_that_are_less_wrong_promise_too_much() -> None:
    measured = shifted(rows_of([0.5] * 40), rows_of([0.2] * 60 + [0.8] * 40))
    assert measured["80%"] == pytest.approx({"held": 0.6, "width": 1.0})
