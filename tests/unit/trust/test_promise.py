"""The promise about errors: kept in simulation, refused with a reason, and carried out by the scorer."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.cautious import Caution, Cautious
from nlpkit.trust.promise import lowest_threshold, promise
from nlpkit.trust.set_promise import false_bounds
from nlpkit.trust.shares import Tally
from tests.conftest import sentences, write_csv


def draw(counts: tuple[int, int], random: np.random.Generator) -> CalibrationRows:
    """Rows of two labels, of which the second is harder: its texts are often taken for the first."""
    truth = np.repeat([0, 1], counts)
    points = random.normal(np.where(truth == 0, -2.0, 0.8), np.where(truth == 0, 1.0, 1.2))
    chances = 1 / (1 + np.exp(np.stack([2 * points, -2 * points], axis=1)))
    one_hot = np.eye(2, dtype=bool)
    return CalibrationRows(
        source="test rows",
        labels=("easy", "hard"),
        probabilities=chances,
        given=one_hot[chances.argmax(1)],
        truth=one_hot[truth],
    )


def tally_of(rows: CalibrationRows) -> Tally:
    tally = Tally(2, seed=1)
    tally.add(rows.probabilities, rows.given)
    return tally


def errors(rows: CalibrationRows, threshold: float) -> float:
    """The share of wrong labels among those given."""
    certain = (rows.probabilities * rows.given).max(axis=1) >= threshold
    return float((~(rows.truth & rows.given).any(axis=1))[certain].mean())


def test_a_promise_is_kept_where_the_shares_of_labels_differ() -> None:
    """40 files of mostly hard texts: a threshold that the labeled rows alone bear out breaks most."""
    random = np.random.default_rng(2)
    kept, naive, answered = [], [], []
    for _ in range(40):
        held, file = draw((700, 300), random), draw((200, 1300), random)
        made = promise(held, tally_of(file), max_error=0.2)
        kept.append(errors(file, made.threshold) <= 0.2)
        answered.append(made.answered)
        grid = np.unique((held.probabilities * held.given).max(axis=1))
        naive.append(errors(file, next(t for t in grid if errors(held, t) <= 0.2)) <= 0.2)
    assert np.mean(kept) >= 0.9
    assert np.mean(naive) < 0.2
    assert np.mean(answered) > 0.3


def test_a_looser_promise_never_needs_a_higher_threshold() -> None:
    """At 0.02 the highest threshold keeps it too; the one below does not, but 0.1 to 0.3 keep it at 0.01."""
    thresholds, bounds = np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([0.01, 0.01, 0.01, 0.03, 0.02])
    lowest = [lowest_threshold(thresholds, bounds, most) for most in (0.005, 0.01, 0.02, 0.03)]
    assert lowest == [None, 0.1, 0.1, 0.1]
    # Here 0.2 keeps 0.02 with all above it, and 0.1 does not
    assert lowest_threshold(thresholds, np.array([0.04, 0.02, 0.01, 0.02, 0.0]), 0.02) == 0.2


def test_the_lowest_threshold_that_keeps_it_is_taken() -> None:
    """A classifier that is right wherever it is at least 0.9 sure, and wrong by half below."""
    certain = np.linspace(0.5, 1, 2000, endpoint=False)
    given = np.arange(2000) % 2
    truth = np.where((certain < 0.9) & (np.arange(2000) % 4 < 2), 1 - given, given)
    one_hot = np.eye(2, dtype=bool)
    rows = CalibrationRows(
        source="rows",
        labels=("a", "b"),
        probabilities=np.where(one_hot[given], certain[:, None], 1 - certain[:, None]),
        given=one_hot[given],
        truth=one_hot[truth],
    )
    made = promise(rows, tally_of(rows), max_error=0.06)
    assert 0.87 <= made.threshold <= 0.92
    assert made.answered == pytest.approx((1 - made.threshold) / 0.5, abs=0.01)


def test_nothing_is_promised_that_the_probabilities_themselves_deny() -> None:
    """1,000 right answers, of which half are 96% sure and the others 90%: at least 4% errors, of all 7%."""
    certain = np.repeat([[0.96, 0.96, 0.9, 0.9]], 250, axis=0).ravel()[:, None]
    right = np.tile(np.eye(2, dtype=bool), (500, 1))
    chances = np.where(right, certain, 1 - certain)
    rows = CalibrationRows(
        source="lucky rows", labels=("a", "b"), probabilities=chances, given=right, truth=right
    )
    with pytest.raises(DataError, match=r"bear out no less than 4\.0%"):
        promise(rows, tally_of(rows), max_error=0.039)
    assert promise(rows, tally_of(rows), max_error=0.041).answered == 0.5
    assert promise(rows, tally_of(rows), max_error=0.071).answered == 1


def test_a_promise_that_nothing_bears_out_is_refused_with_one_that_is() -> None:
    random = np.random.default_rng(4)
    held, file = draw((40, 40), random), draw((500, 500), random)
    with pytest.raises(
        DataError, match=r"80 labeled rows .* bear out no less than .*--max-error 0\.\d"
    ) as refused:
        promise(held, tally_of(file), max_error=0.001)
    smallest = float(str(refused.value).partition("--max-error ")[2].split(",")[0])
    assert promise(held, tally_of(file), max_error=smallest).answered > 0


def test_a_promise_that_the_command_does_not_take_is_not_proposed() -> None:
    random = np.random.default_rng(4)
    held, file = draw((40, 40), random), draw((500, 500), random)
    wrong = replace(held, truth=held.truth[:, ::-1])
    with pytest.raises(
        DataError, match=r"no less than \d\d\..%; hint: more labeled rows with --held-out FILE"
    ):
        promise(wrong, tally_of(file), max_error=0.05)


def test_texts_unlike_the_labeled_rows_are_refused() -> None:
    random = np.random.default_rng(5)
    unsure = random.uniform(0.6, 0.7, 1000)
    tally = Tally(2, seed=1)
    tally.add(np.stack([unsure, 1 - unsure], axis=1), np.tile([True, False], (1000, 1)))
    with pytest.raises(DataError, match="not like those of test rows"):
        promise(draw((400, 400), random), tally, max_error=0.1)


def test_a_scored_file_has_empty_labels_where_the_model_is_not_certain(toy_run: Path, tmp_path: Path) -> None:
    held = write_csv(tmp_path / "held.csv", sentences(200, seed=31))
    texts = write_csv(tmp_path / "in.csv", sentences(120, seed=99), header=("text", "truth"))
    out = tmp_path / "out.csv"
    asked = ["score", str(toy_run), str(texts), "-o", str(out), "--json", "--held-out", str(held)]
    result = CliRunner().invoke(app, [*asked, "--max-error", "0.2"])
    assert result.exit_code == 0, result.output
    assert "at most 20.0% of the labels given are wrong, with 95% confidence" in result.stderr
    with out.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    empty = [row for row in rows if not row["label"]]
    assert json.loads(result.stdout)["abstained"] == len(empty)
    certain = [max(float(row["p_negative"]), float(row["p_positive"])) for row in rows]
    if empty:
        least = min(value for row, value in zip(rows, certain, strict=True) if row["label"])
        assert max(value for row, value in zip(rows, certain, strict=True) if not row["label"]) <= least


def test_a_promise_about_a_stream_or_several_runs_is_refused(toy_run: Path, tmp_path: Path) -> None:
    texts = write_csv(tmp_path / "in.csv", sentences(20))
    for asked, reason in (
        ([str(toy_run), "-", "--format", "csv"], "can be read only once"),
        ([f"{toy_run},{toy_run}", str(texts)], "is a promise about one run"),
        ([str(toy_run), str(texts), "--output-format", "doccano"], "are no tasks of doccano"),
    ):
        result = CliRunner().invoke(
            app,
            ["score", *asked, "-o", str(tmp_path / "out.csv"), "--max-error", "0.1"],
            input="text\nfine\n",
        )
        assert isinstance(result.exception, ConfigError)
        assert reason in str(result.exception)


def test_labeled_rows_without_a_promise_are_refused(toy_run: Path, tmp_path: Path) -> None:
    texts = write_csv(tmp_path / "in.csv", sentences(20))
    asked = ["score", str(toy_run), str(texts), "-o", str(tmp_path / "out.csv"), "--held-out", str(texts)]
    result = CliRunner().invoke(app, asked)
    assert isinstance(result.exception, ConfigError)
    assert "add --max-error 0.05" in str(result.exception)


def draw_sets(count: int, random: np.random.Generator) -> CalibrationRows:
    """Rows of three labels that apply each by itself, as often as their probabilities say."""
    chances = 1 / (1 + np.exp(-random.normal([-1.0, 0.0, -2.0], 2.0, size=(count, 3))))
    return CalibrationRows(
        source="test rows",
        labels=("a", "b", "c"),
        probabilities=chances,
        given=chances > 0.4,
        truth=random.random((count, 3)) < chances,
    )


def test_of_several_labels_a_share_of_those_given_is_wrong() -> None:
    """40 files: of the labels given above the threshold, a fifth at most is false."""
    random = np.random.default_rng(6)
    kept, given = [], []
    for _ in range(40):
        held, file = draw_sets(500, random), draw_sets(600, random)
        tally = Tally(3, seed=1)
        tally.add(file.probabilities, file.given)
        made = promise(held, tally, max_error=0.2, is_set=True)
        above = file.given & (file.probabilities >= made.threshold)
        kept.append((above & ~file.truth).sum() <= 0.2 * above.sum())
        given.append(above.sum() / file.given.sum())
        assert made.answered == pytest.approx(above.any(axis=1).mean(), abs=0.1)
    assert np.mean(kept) >= 0.9
    assert np.mean(given) > 0.3
    with pytest.raises(DataError, match=r"500 labeled rows .* bear out no less than"):
        promise(held, tally, max_error=0.001, is_set=True)
    shifted = Tally(3, seed=1)
    shifted.add(file.probabilities[:, ::-1], file.given[:, ::-1])
    with pytest.raises(DataError, match="not like those of test rows"):
        promise(held, shifted, max_error=0.2, is_set=True)


def test_of_few_labels_without_a_mistake_little_is_promised() -> None:
    """Ten labels, all of them right."""
    given = np.tile([True, False], (10, 1))
    rows = CalibrationRows(
        source="rows", labels=("a", "b"), probabilities=np.where(given, 0.9, 0.1), given=given, truth=given
    )

    def bounds(texts: int) -> list[float]:
        return false_bounds(rows, texts, thresholds=1, level=0.975, count=50, seed=1)[1].tolist()

    assert bounds(1000) == pytest.approx([1 - 0.025 ** (1 / 10)])  # Clopper and Pearson, 0 of 10
    assert bounds(5) == [0.4]  # two of the five labels of the file may be false


def test_no_fewer_are_promised_false_than_the_probabilities_say() -> None:
    """Of 300 labels all were right, by luck: the surest 100 say that 4% are false, all of them 10%."""
    everywhere = np.ones((300, 1), dtype=bool)
    said = np.repeat([[0.96], [0.87]], [100, 200], axis=0)
    rows = CalibrationRows(
        source="rows", labels=("a",), probabilities=said, given=everywhere, truth=everywhere
    )
    _, bounds = false_bounds(rows, 1000, thresholds=2, level=0.975, count=50, seed=1)
    assert bounds.tolist() == pytest.approx([0.1, 0.04])


def test_a_label_that_is_too_improbable_is_not_given() -> None:
    answer = Prediction(labels=("joy", "love"), probabilities={"anger": 0.1, "joy": 0.9, "love": 0.6})
    kept = Cautious(Constant(answer), Caution(threshold=0.7)).predict(["x"])  # type: ignore[arg-type]
    assert [each.labels for each in kept] == [("joy",)]


class Constant:
    """Answers all texts alike."""

    def __init__(self, answer: Prediction) -> None:
        self.answer = answer

    def predict(self, texts: list[str]) -> list[Prediction]:
        return [self.answer for _ in texts]
