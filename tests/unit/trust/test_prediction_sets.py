"""Prediction sets: their bounds by hand, their coverage in simulation, and the scored file."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError
from nlpkit.trust.calibration_rows import CalibrationRows, ValueRows
from nlpkit.trust.prediction_sets import in_set, interval, least_probabilities
from tests.conftest import sentences, train_toy, write_csv


def rows_of(probabilities: np.ndarray, truth: np.ndarray) -> CalibrationRows:
    one_hot = np.eye(probabilities.shape[1], dtype=bool)
    return CalibrationRows(
        source="test rows",
        labels=tuple("abc"[: probabilities.shape[1]]),
        probabilities=probabilities,
        given=one_hot[probabilities.argmax(1)],
        truth=one_hot[truth],
    )


def draw(counts: tuple[int, int], random: np.random.Generator) -> CalibrationRows:
    """Rows of two labels, of which the second is harder: its texts are often taken for the first."""
    truth = np.repeat([0, 1], counts)
    points = random.normal(np.where(truth == 0, -2.0, 0.5), 1.0)
    chances = 1 / (1 + np.exp(np.stack([2 * points, -2 * points], axis=1)))
    return rows_of(chances, truth)


def test_the_bounds_are_those_by_hand() -> None:
    """19 rows of `a` at 0.05 to 0.95: of 20 with the next one, 90% are at least the second lowest, 0.1."""
    first = np.arange(1, 20) / 20
    second = np.full(9, 0.3)
    chances = np.concatenate([np.c_[first, 1 - first], np.c_[1 - second, second]])
    rows = rows_of(chances, np.repeat([0, 1], [19, 9]))
    assert least_probabilities(rows, 0.9) == pytest.approx([0.1, 0.3])
    # Of 28 rows, and the next one, 90% are at least the second lowest of all
    assert least_probabilities(rows, 0.9, by_label=False) == pytest.approx([0.1, 0.1])
    given = np.array([[True, False], [True, False], [False, True]])
    answers = np.array([[0.75, 0.25], [0.6, 0.4], [0.08, 0.92]])
    sets = in_set(answers, given, least_probabilities(rows, 0.9))
    assert sets.tolist() == [[True, False], [True, True], [False, True]]


def test_too_few_rows_of_a_label_are_an_error() -> None:
    rows = rows_of(np.full((27, 2), 0.5), np.repeat([0, 1], [19, 8]))
    with pytest.raises(DataError, match=r"8 rows of 'b'; expected at least 9 .*; hint: a lower --sets"):
        least_probabilities(rows, 0.9)


def test_sets_of_each_label_hold_where_the_shares_of_labels_differ() -> None:
    """200 files of mostly hard texts: plain sets miss the truth, class-conditional ones hold it."""
    random = np.random.default_rng(3)
    held: dict[bool, list[float]] = {True: [], False: []}
    for _ in range(200):
        rows, file = draw((300, 100), random), draw((20, 180), random)
        for by_label, shares in held.items():
            sets = in_set(file.probabilities, file.given, least_probabilities(rows, 0.9, by_label=by_label))
            shares.append(float((sets & file.truth).any(axis=1).mean()))
    assert np.mean(held[True]) == pytest.approx(0.9, abs=0.015)
    assert np.mean(held[False]) < 0.8


def test_a_scored_file_has_sets(toy_run: Path, tmp_path: Path) -> None:
    held = write_csv(tmp_path / "held.csv", sentences(200, seed=31))
    texts = write_csv(tmp_path / "in.csv", sentences(120, seed=99), header=("text", "truth"))
    out = tmp_path / "out.csv"
    asked = ["score", str(toy_run), str(texts), "-o", str(out), "--held-out", str(held)]
    result = CliRunner().invoke(app, [*asked, "--sets", "0.8"])
    assert result.exit_code == 0, result.output
    assert "at least 80.0% of the texts of each label" in result.stderr
    with out.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0])[2:5] == ["label", "prediction_set", "score"]
    assert all(row["prediction_set"].split(", ")[0] == row["label"] for row in rows)
    right = [row["truth"] in row["prediction_set"].split(", ") for row in rows]
    assert np.mean(right) > 0.7
    both = CliRunner().invoke(app, [*asked, "--sets", "0.8", "--max-error", "0.3", "--overwrite"])
    assert both.exit_code == 0, both.output
    assert "at most 30.0% of the labels given are wrong" in both.stderr


def test_sets_for_a_labeling_tool_are_refused(toy_run: Path, tmp_path: Path) -> None:
    texts = write_csv(tmp_path / "in.csv", sentences(20))
    asked = ["score", str(toy_run), str(texts), "-o", str(tmp_path / "out.jsonl"), "--sets", "0.9"]
    result = CliRunner().invoke(app, [*asked, "--output-format", "doccano"])
    assert isinstance(result.exception, ConfigError)
    assert "are no tasks of doccano" in str(result.exception)


def values_of(errors: np.ndarray, spreads: np.ndarray | None = None) -> ValueRows:
    return ValueRows(source="test rows", values=errors, truth=np.zeros(len(errors)), spreads=spreads)


def test_an_interval_is_as_wide_as_the_errors_were() -> None:
    """Of 19 errors of 0.1 to 1.9 and the next one, 90% are at most the second largest, 1.8."""
    errors = np.arange(1, 20) / 10 * np.resize([1, -1], 19)
    found = interval(values_of(errors), 0.9)
    assert found.around(2.0, None) == pytest.approx((0.2, 3.8))
    with pytest.raises(DataError, match=r"8 rows; expected at least 9 for intervals .*hint: a lower --sets"):
        interval(values_of(errors[:8]), 0.9)


def test_an_interval_is_wider_where_people_disagree() -> None:
    """Errors of a tenth to 1.9 spreads: 1.8 spreads on both sides, of at least the tenth smallest spread."""
    spreads = np.array([0.5] * 9 + [2.0] * 10)
    found = interval(values_of(np.arange(1, 20) / 10 * spreads, spreads), 0.9)
    assert found.around(0.0, 2.0) == pytest.approx((-3.6, 3.6))
    assert found.around(0.0, 0.0) == pytest.approx((-0.9, 0.9))


@pytest.mark.parametrize("learned", [True, False])
def test_intervals_hold_the_number_as_often_as_asked(learned: bool) -> None:
    random, held = np.random.default_rng(5), []
    for _ in range(200):
        spreads = random.choice([0.2, 1.0], 300)
        errors = random.normal(0, spreads)
        found = interval(values_of(errors[:100], spreads[:100] if learned else None), 0.9)
        ends = [found.around(error, spread) for error, spread in zip(errors, spreads, strict=True)]
        held.append(np.mean([low <= 0 <= high for low, high in ends[100:]]))
    assert np.mean(held) == pytest.approx(0.9, abs=0.01)


def test_a_scored_file_has_intervals(toy_config: Path, tmp_path: Path) -> None:
    stars = {"negative": 1, "positive": 5}
    rows = [(text, str(stars[label])) for text, label in sentences(200)]
    train = write_csv(tmp_path / "train.csv", rows[:140])
    (run,) = train_toy(
        toy_config, f"data.train={train}", "task={kind: intensity, low: 1, high: 5}", "name=stars",
        "data.test=0.3",
    )  # fmt: skip
    texts = write_csv(tmp_path / "in.csv", rows[140:], header=("text", "truth"))
    out = tmp_path / "out.csv"
    asked = ["score", str(run), str(texts), "-o", str(out), "--sets", "0.9"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0, result.output
    assert "hold the number people give in at least 90.0% of the texts" in result.stderr
    with out.open(newline="", encoding="utf-8") as stream:
        scored = list(csv.DictReader(stream))
    assert list(scored[0])[2:] == ["value", "lowest", "highest", "score"]
    held = [float(row["lowest"]) <= float(row["truth"]) <= float(row["highest"]) for row in scored]
    assert np.mean(held) > 0.75
    both = CliRunner().invoke(app, [*asked, "--max-error", "0.3", "--overwrite"])
    assert "expected a run that gives one label a text" in str(both.exception)
