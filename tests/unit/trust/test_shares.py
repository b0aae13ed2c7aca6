"""Shares of labels: the corrections against QuaPy's, their intervals in simulation, and files."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from nlpkit.classifiers.classifier import Classifier
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.scoring.score import score_file
from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.file_shares import file_shares
from nlpkit.trust.shares import SharesEstimator, Tally, adjusted, maximized_likelihood
from tests.conftest import sentences, write_csv


def draw(counts: list[int], random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return calibrated probabilities, rounded to three decimals, and labels, so many of each."""
    truth = np.repeat(np.arange(len(counts)), counts)
    centers = np.eye(len(counts)) * 1.5
    points = centers[truth] + random.normal(size=(len(truth), len(counts)))
    logits = -((points[:, None] - centers) ** 2).sum(2) / 2
    chances = np.exp(logits - logits.max(1, keepdims=True))
    chances = np.round(chances / chances.sum(1, keepdims=True), 3)
    return chances / chances.sum(1, keepdims=True), truth


def held(chances: np.ndarray, truth: np.ndarray) -> CalibrationRows:
    labels = tuple("abcdef"[: chances.shape[1]])
    one_hot = np.eye(len(labels), dtype=bool)
    return CalibrationRows(
        source="test rows",
        labels=labels,
        probabilities=chances,
        given=one_hot[chances.argmax(1)],
        truth=one_hot[truth],
    )


def tally_of(chances: np.ndarray) -> Tally:
    tally = Tally(chances.shape[1], seed=1)
    for part in np.array_split(chances, 3):
        tally.add(part, np.eye(chances.shape[1])[part.argmax(1)])
    return tally


def test_corrections_are_those_of_quapy() -> None:
    """Computed by QuaPy 0.2.3: its PACC, ACC and EMQ with an identity classifier."""
    random = np.random.default_rng(7)
    (known, truth), (file, _) = draw([60, 60, 60], random), draw([20, 60, 120], random)

    def confusion(answers: np.ndarray) -> np.ndarray:
        return np.stack([answers[truth == label].mean(axis=0) for label in range(3)], axis=1)

    by_chances = adjusted(confusion(known), file.mean(axis=0))
    assert by_chances == pytest.approx([0.13855564, 0.22945439, 0.63198997], abs=1e-5)
    by_labels = adjusted(confusion(np.eye(3)[known.argmax(1)]), np.eye(3)[file.argmax(1)].mean(axis=0))
    assert by_labels == pytest.approx([0.1373592, 0.2360752, 0.6265656], abs=1e-5)
    maximized = maximized_likelihood(file, np.full(3, 1 / 3))
    assert maximized == pytest.approx([0.08524674, 0.27386201, 0.64089124], abs=1e-3)  # EMQ stops earlier
    shares = SharesEstimator(held(known, truth)).shares(tally_of(file))
    assert [share.share for share in shares] == pytest.approx(by_chances.tolist())
    assert [share.likeliest for share in shares] == pytest.approx(maximized.tolist())
    assert [share.counted for share in shares] == pytest.approx([0.19, 0.29, 0.52])


def test_intervals_hold_the_shares_of_shifted_files() -> None:
    """In 60 files of random shares: at least 90% of 180 intervals, where 95% are meant."""
    random = np.random.default_rng(3)
    inside, errors, counted = [], [], []
    for _ in range(60):
        wanted = random.multinomial(600, random.dirichlet(np.ones(3)))
        (known, truth), (file, _) = draw([200, 200, 200], random), draw(wanted.tolist(), random)
        for share, real in zip(
            SharesEstimator(held(known, truth)).shares(tally_of(file)), wanted / 600, strict=True
        ):
            inside.append(share.low - 1e-9 <= real <= share.high + 1e-9)
            errors.append(abs(share.share - real))
            counted.append(abs(share.counted - real))
    assert np.mean(inside) >= 0.9
    assert np.mean(errors) < np.mean(counted) / 2


def test_texts_unlike_the_held_out_rows_are_noticed() -> None:
    """All answers are unsure: no mixture of the labels' own rows looks so."""
    random = np.random.default_rng(5)
    estimator = SharesEstimator(held(*draw([200, 200], random)))

    def is_unlike(chances: np.ndarray) -> bool:
        tally = tally_of(chances)
        return estimator.is_unlike(tally, estimator.shares(tally))

    unsure = random.uniform(0.6, 0.7, 2000)
    assert is_unlike(np.column_stack([unsure, 1 - unsure]))
    assert not any(is_unlike(draw(counts, random)[0]) for counts in ([500, 1500], [30, 0], [900, 900]))


def test_equal_certainties_are_not_unlike() -> None:
    """Isotonic regression gives many texts the same certainty: here 0.9 or 0.6, by turns."""
    chances = np.resize([[0.9, 0.1], [0.4, 0.6]], (400, 2))
    estimator = SharesEstimator(held(chances, np.arange(400) % 2))

    def is_unlike(probabilities: np.ndarray) -> bool:
        tally = tally_of(probabilities)
        return estimator.is_unlike(tally, estimator.shares(tally))

    assert not is_unlike(chances)
    assert is_unlike(np.resize([[0.7, 0.3], [0.3, 0.7]], (400, 2)))


def test_of_a_set_each_label_stands_alone() -> None:
    """A perfect classifier of two labels that both apply to a quarter of the texts."""
    truth = np.array([[True, True], [True, False], [False, True], [False, False]] * 20)
    rows = CalibrationRows(
        source="rows", labels=("a", "b"), probabilities=truth.astype(float), given=truth, truth=truth
    )
    tally = Tally(2, seed=1)
    tally.add(np.repeat([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]], [10, 30, 60], axis=0), np.zeros((100, 2)))
    shares = SharesEstimator(rows, is_set=True).shares(tally)
    assert [share.share for share in shares] == pytest.approx([0.1, 0.4], abs=1e-6)


def test_too_few_labeled_rows_or_texts_are_an_error() -> None:
    random = np.random.default_rng(1)
    known, truth = draw([40, 9], random)
    with pytest.raises(DataError, match=r"test rows: 9 of 49 are 'b'; expected at least 10 .*--held-out"):
        SharesEstimator(held(known, truth))
    known, truth = draw([40, 40], random)
    with pytest.raises(DataError, match="9 texts; expected at least 10"):
        SharesEstimator(held(known, truth)).shares(tally_of(known[:9]))


@pytest.fixture(scope="module")
def labeled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_csv(tmp_path_factory.mktemp("held") / "held.csv", sentences(120, seed=31))


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three quarters of the texts are positive; of those of May all."""
    rows = sentences(160, seed=77)
    good = [text for text, label in rows if label == "positive"][:60]
    bad = [text for text, label in rows if label == "negative"][:20]
    path = tmp_path_factory.mktemp("texts") / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("text", "month"))
        writer.writerows((text, "May") for text in good[:30])
        writer.writerows((text, "June") for text in (*good[30:], *bad))
        writer.writerow((good[0], "July"))
    return path


def test_a_file_and_its_scored_form_have_the_same_shares(
    toy_run: Path, texts: Path, labeled: Path, tmp_path: Path
) -> None:
    direct = file_shares(toy_run, texts, by="month", held_out=labeled)
    score_file(Classifier.load(toy_run), texts, tmp_path / "scored.csv")
    # columns of the user's own that other runs answer with
    lines = (tmp_path / "scored.csv").read_text(encoding="utf-8").splitlines()
    own = ["labels,opinions", *["mine,[]"] * (len(lines) - 1)]
    (tmp_path / "scored.csv").write_text(
        "".join(f"{line},{more}\n" for line, more in zip(lines, own, strict=True)), encoding="utf-8"
    )
    scored = file_shares(toy_run, tmp_path / "scored.csv", by="month", held_out=labeled)
    assert [share.share for share in scored.shares] == pytest.approx(
        [share.share for share in direct.shares], abs=1e-4
    )
    assert [share.counted for share in scored.shares] == [share.counted for share in direct.shares]
    positive = direct.shares[1]
    assert positive.label == "positive"
    assert positive.low <= 61 / 81 <= positive.high
    assert direct.group_texts == {"June": 50, "May": 30}
    assert direct.by_group["May"][1].share > direct.by_group["June"][1].share
    assert direct.left_out == {"July": 1}


def test_periods_of_dates_have_shares_of_their_own(toy_run: Path, labeled: Path, tmp_path: Path) -> None:
    """29 and 30 December 2024 are a Sunday and a Monday: of two weeks, and the latter of a week of 2025."""
    path = tmp_path / "dated.csv"
    dates = ["2024-12-29"] * 12 + ["2024-12-30T23:15:00Z"] * 11 + ["2025-01-02 08:00"] * 10 + [""] * 10
    path.write_text("text,at\n" + "".join(f"good food,{date}\n" for date in dates))
    weeks, months = (
        file_shares(toy_run, path, by="at", every=period, held_out=labeled).group_texts
        for period in ("week", "month")
    )
    assert weeks == {"(empty)": 10, "2024-W52": 12, "2025-W01": 21}
    assert months == {"(empty)": 10, "2024-12": 23, "2025-01": 10}
    with pytest.raises(ConfigError, match=r"of which dates\? hint: add --by"):
        file_shares(toy_run, path, every="week", held_out=labeled)
    path.write_text("text,at\ngood food,2024-12-29\ngood food,last week\n")
    with pytest.raises(DataError, match=r"row 2.*'last week' is no date; .*hint: leave out --every"):
        file_shares(toy_run, path, by="at", every="week", held_out=labeled)


def test_the_command_shows_shares_and_what_corrected_them(toy_run: Path, texts: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["shares", str(toy_run), str(texts), "--by", "month"])
    assert result.exit_code == 0, result.output
    assert "too few texts for shares of their own: July (1)" in result.stderr
    assert "corrected by 48 labeled rows: test rows of toy" in result.stderr
    shown = json.loads(CliRunner().invoke(app, ["shares", str(toy_run), str(texts), "--json"]).stdout)
    assert shown["texts"] == 81
    copied = tmp_path / "toy"
    shutil.copytree(toy_run, copied)
    shutil.rmtree(copied / "evaluation")
    with pytest.raises(RunError, match=r"no predictions for held-out rows; hint: .*--held-out FILE"):
        file_shares(copied, texts)


def test_a_tally_comes_back_from_its_state() -> None:
    random = np.random.default_rng(1)
    tally = Tally(3, seed=5, sample=4)
    first, second = random.random((2, 6, 3))
    tally.add(first, first > 0.5)
    again = Tally.of_state(tally.state())
    for each in (tally, again):
        each.add(second, second > 0.5)
    assert again.texts == 12
    for name in ("given", "mass", "products", "sample"):
        assert np.array_equal(getattr(tally, name), getattr(again, name))
