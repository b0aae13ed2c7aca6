"""The benchmarks of promises: what a cascade answers, what a draw of groups counts, and the figures."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from benchmarks.cascade import difference
from benchmarks.cascade_promises import measure, right, together
from benchmarks.group_promises import outcome
from benchmarks.mend import gaps_in
from benchmarks.plots import FIGURES, draw_figure
from benchmarks.results import FOLDER
from benchmarks.tweets import _letters, topic_of
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Table
from nlpkit.trust.calibration_rows import CalibrationRows, joined

EYE = np.eye(2, dtype=bool)


def rows_of(certain: list[float], given: list[int], truth: list[int]) -> CalibrationRows:
    sure = np.array(certain)[:, None]
    return CalibrationRows(
        source="rows",
        labels=("a", "b"),
        probabilities=np.where(EYE[given], sure, 1 - sure),
        given=EYE[given],
        truth=EYE[truth],
    )


def test_a_cascade_answers_with_the_slow_one_where_the_fast_one_is_unsure() -> None:
    fast = rows_of([0.9, 0.6, 0.8], [0, 0, 1], [0, 1, 0])
    slow = rows_of([0.7, 0.95, 0.99], [1, 1, 0], [0, 1, 0])
    both = together(fast, slow, 0.8)
    assert both.given.argmax(1).tolist() == [0, 1, 1]
    assert both.probabilities.max(1).tolist() == [0.9, 0.95, 0.8]
    assert right(both).tolist() == [True, True, False]


def test_a_cascade_of_equal_readers_loses_nothing() -> None:
    rows = rows_of([0.9, 0.8] * 200, [0, 1] * 200, [0, 1, 1, 1] * 100)
    measured = measure(rows, rows, draws=2, seed=1)
    assert measured["accuracy"] == {"fast": 0.75, "slow": 0.75}
    assert measured["loses"]["1.0%"] == {"made": 1.0, "kept": 1.0, "slow": 0.0}


def test_lost_accuracy_has_the_interval_of_paired_rows() -> None:
    """Of 4 rows one is lost and none won: mean 1/4, standard deviation 1/2."""
    slow, both = np.array([True, True, False, True]), np.array([True, False, False, True])
    assert difference(slow, both) == pytest.approx([0.25, 0.25 - 1.96 * 0.25, 0.25 + 1.96 * 0.25], abs=1e-4)


def test_a_draw_says_which_groups_keep_a_promise() -> None:
    """`easy` is never wrong, `hard` always by half: it gets no promise, and breaks that about the file."""
    easy = rows_of([0.99] * 400, [0, 1] * 200, [0, 1] * 200)
    hard = rows_of([0.99] * 400, [0, 1] * 200, [0, 1, 1, 0] * 100)
    drawn = outcome(0, rows=joined({"easy": easy, "hard": hard}), seed=1)
    assert drawn[0.1]["in every group"] == {"easy": (True, 1.0)}
    assert drawn[0.2]["in the whole file"] == {}


def test_gaps_are_read_from_an_audit_that_compares() -> None:
    names = ("Group", "Compared with", "Gap", "Gap of before")
    section = Table(
        id="groups",
        title="Each group",
        columns=tuple(Column(name=name) for name in names),
        rows=(("women", "the others", "+0.010", "-0.200"),),
    )
    report = Report.model_construct(sections=(section,))
    assert gaps_in(report) == {"after": {"women": 0.01}, "before": {"women": -0.2}}


def test_tweets_have_topics_and_retweets_are_near_equal() -> None:
    assert [topic_of(text) for text in ("@united late again", "my iPhone", "Brady!", "hello")] == [
        "airlines",
        "Apple",
        "football",
        "other",
    ]
    assert _letters("RT Hello, you! http://t.co/x") == _letters("hello you")


@pytest.mark.parametrize("name", FIGURES)
def test_figures_are_small_pictures(name: str, tmp_path: Path) -> None:
    shutil.copy(FOLDER / f"{FIGURES[name][0]}.json", tmp_path)
    picture = draw_figure(tmp_path, name).read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 60_000
