"""The benchmark of analyses on a small world: what is made is what it says, and is found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from pyarrow import parquet

from benchmarks.analyze import PLANTED, PRODUCTS, large_file, make, outcome
from nlpkit.analysis.cells import Cell
from nlpkit.trust.calibration_rows import CalibrationRows


def world() -> CalibrationRows:
    """Return 300 rows, of which four in five get their true label."""
    truth = np.arange(300) % 3
    answered = np.where(np.arange(300) % 5 == 0, (truth + 1) % 3, truth)
    one_hot = np.eye(3, dtype=bool)
    return CalibrationRows(
        source="made",
        labels=("negative", "neutral", "positive"),
        probabilities=0.1 + 0.7 * one_hot[answered],
        given=one_hot[answered],
        truth=one_hot[truth],
    )


def test_a_made_file_has_the_planted_shares(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(300)]
    made = make(tmp_path / "made.parquet", world(), texts, rows=20_000, planted=True, seed=1)
    rows = parquet.read_table(made.path).to_pylist()
    assert len(rows) == 20_000
    assert [row["product"] for row in rows[:3]] == [PRODUCTS[product] for product in made.products[:3]]
    week, points = PLANTED["kettle"]
    inside = made.products == PRODUCTS.index("kettle")
    after = (made.truth[inside & (made.weeks >= week)] == 0).mean()
    before = (made.truth[inside & (made.weeks < week)] == 0).mean()
    assert abs(after - before - points) < 0.05
    assert made.share(Cell(groups=(("product", "kettle"),)), 0) == (made.truth[inside] == 0).mean()


def test_what_is_planted_is_found() -> None:
    texts = [f"text {number}" for number in range(300)]
    result = outcome(world(), texts, rows=8_000, planted=True, seed=1)
    assert result["found"]["kettle"]
    assert result["covered"]["all"] == 1
    assert result["corrected"] < result["counted"]


def test_no_two_texts_of_a_large_file_are_equal(tmp_path: Path) -> None:
    texts = [f"text {number}" for number in range(300)]
    rows = parquet.read_table(large_file(tmp_path / "made.parquet", world(), texts, rows=500)).to_pylist()
    assert len({row["text"] for row in rows}) == 500
