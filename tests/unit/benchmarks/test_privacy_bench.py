"""The benchmark of private training: its halves, its table, and one pass without a promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import privacy
from benchmarks.privacy import INFINITY, Setup, bench, draw_rows, summary
from nlpkit.errors import RunError
from nlpkit.settings.data import DataSource
from tests.conftest import sentences, write_csv


@pytest.fixture
def setup(toy_csv: Path, tiny_base: Path, tmp_path: Path) -> Setup:
    labels = ("negative", "positive")
    rows = draw_rows(str(toy_csv), labels, 60, 40, seed=1)
    test = write_csv(tmp_path / "test.csv", sentences(40, seed=9))
    return Setup(
        pool=rows[:120], validation=rows[120:], test=DataSource(source=str(test), by="label"), labels=labels,
        base=str(tiny_base), training={"epochs": 2, "lr": 0.01}, work=tmp_path / "work",
    )  # fmt: skip


def test_each_half_is_drawn_by_its_number_and_pairs_share_out_the_rows(setup: Setup) -> None:
    halves = np.array([setup.halves(number) for number in range(6)])
    assert (halves.sum(1) == 60).all()
    assert (halves[2] == ~halves[3]).all()
    assert (halves[2:].sum(0) == 2).all()  # four shadow runs: each row is in two
    assert not (halves[0] == halves[2]).all()


def test_texts_are_drawn_once(tmp_path: Path) -> None:
    path = write_csv(
        tmp_path / "rows.csv", [("good", "positive"), ("Good!", "positive"), ("bad", "negative")]
    )
    with pytest.raises(RunError, match="2 different texts; expected 3; hint: fewer --rows"):
        draw_rows(str(path), ("negative", "positive"), 1, 1, seed=1)


def test_a_refused_training_is_a_result_and_joins_those_of_before(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bench_one(epsilon: float) -> dict[str, Any]:
        said: list[str] = []
        return bench("toy", setup, epsilons=[epsilon], shadows=0, results=tmp_path, talk=said.append)

    bench_one(INFINITY)

    def refuse(*_: Any) -> Any:
        raise RunError("not shown to have learned: 50%; the run is not completed")

    monkeypatch.setattr(privacy, "trained", refuse)
    (task,) = bench_one(1.0).values()
    rows = summary(task["measured"])
    assert [row[0] for row in rows] == ["1", "inf"]
    assert rows[0][1] == "refused: not shown to have learned: 50%"
    assert rows[1][2].startswith(("positive", "negative"))
    assert rows[1][-1] == "1.000"
    found = task["measured"]["inf"]["loss"]
    assert found["members"] == found["others"] == 60
    assert found["low"] <= found["auc"] <= found["high"]
    assert rows[1][3] in (tmp_path / "privacy.md").read_text(encoding="utf-8")
