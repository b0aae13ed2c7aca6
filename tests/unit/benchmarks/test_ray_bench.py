from __future__ import annotations

import pytest

from benchmarks.driver_limits import limits
from benchmarks.ray_nodes import ONE, WIDE, Turn, page, ratio
from benchmarks.texts import write_texts


def turn(method: str, number: int, rate: float, cpu: float) -> Turn:
    return Turn(
        method=method,
        round=number,
        rows_per_second=rate,
        cpu_seconds_per_1000=cpu,
        first_rows_after=3.0,
        seconds=60.0,
    )


TURNS = [
    turn(ONE, 0, 100.0, 10.0),
    turn(WIDE, 0, 180.0, 11.0),
    turn(WIDE, 1, 190.0, 10.0),
    turn(ONE, 1, 100.0, 10.0),
    turn(ONE, 2, 200.0, 10.0),
    turn(WIDE, 2, 300.0, 12.5),
]


def test_the_ratio_is_that_of_each_round_s_pair():
    found = ratio(TURNS)
    assert (found["median"], found["low"], found["high"]) == pytest.approx((1.8, 1.5, 1.9))
    # two cores that spend 11 seconds where one spends 10: 2 * 10 / 11
    assert found["cpu"] == pytest.approx(20 / 11)


def test_the_page_says_what_was_left_out():
    found = {
        "ratio": ratio(TURNS),
        "cluster_seconds": 6.5,
        "reading_rows_per_second": 70_000.0,
        "writing_rows_per_second": 90_000.0,
    }
    text = "\n".join(page(TURNS, found))
    assert "**1.80 times** one process (1.50 to 1.90 over rounds); 1.82 by CPU seconds" in text
    assert "the cluster was up after 6.5 s" in text
    assert "| one process, one thread | 100.00 | 10.00 |" in text


def test_the_limits_of_one_process_are_measured_on_its_own_files(tmp_path):
    write_texts(tmp_path / "texts.csv", [f"text {n}" for n in range(3000)])
    (tmp_path / "whole.csv").write_text("x" * 100_000)
    found = limits(tmp_path)
    assert set(found) == {"reading_rows_per_second", "writing_rows_per_second"}
    assert all(rate > 0 for rate in found.values())
    assert [path.name for path in tmp_path.glob("out*")] == ["out.csv.nlpkit"]  # begun, never finished
