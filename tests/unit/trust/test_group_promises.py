"""Promises in every group alike: thresholds by hand, kept in simulation, and carried out by the scorer."""

from __future__ import annotations

import csv
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from pyarrow import array, parquet
from typer.testing import CliRunner

from nlpkit.cli.app import app
from nlpkit.data.examples import TextInput
from nlpkit.errors import ConfigError, DataError, RunError
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.calibration_rows import CalibrationRows, joined
from nlpkit.trust.cautious import Caution, Cautious
from nlpkit.trust.group_promises import GroupPromises, promises_by_group, sets_by_group
from nlpkit.trust.promise import promise
from nlpkit.trust.sampled_texts import sampled_texts
from nlpkit.trust.shares import Tally
from tests.conftest import sentences


def right_from(certainty: float, count: int = 2000) -> CalibrationRows:
    """Rows of two labels, 0.9 to 1 sure: right from a certainty on, wrong by half below."""
    certain = np.linspace(0.9, 1, count, endpoint=False)
    given = np.arange(count) % 2
    truth = np.where((certain < certainty) & (np.arange(count) % 4 < 2), 1 - given, given)
    one_hot = np.eye(2, dtype=bool)
    return CalibrationRows(
        source="test rows",
        labels=("a", "b"),
        probabilities=np.where(one_hot[given], certain[:, None], 1 - certain[:, None]),
        given=one_hot[given],
        truth=one_hot[truth],
    )


def tally_of(rows: CalibrationRows) -> Tally:
    tally = Tally(len(rows.labels), seed=1)
    tally.add(rows.probabilities, rows.given)
    return tally


def made_for(
    labeled: CalibrationRows, file: Mapping[str, CalibrationRows], max_error: float, *, is_set: bool = False
) -> GroupPromises:
    tallies = {group: tally_of(rows) for group, rows in file.items()}
    texts = {group: len(rows) for group, rows in file.items()}
    return promises_by_group(labeled, tallies, by="lang", texts=texts, max_error=max_error, is_set=is_set)


def test_each_group_has_the_threshold_of_its_own_rows() -> None:
    """German is read right from 0.98 on, English from 0.94: a fifth and three fifths of the texts."""
    groups = {"en": right_from(0.94), "de": right_from(0.98)}
    made = made_for(joined(groups), groups, 0.05)
    assert 0.93 <= made.promises["en"].threshold <= 0.945
    assert 0.97 <= made.promises["de"].threshold <= 0.985
    assert made.promises["en"].answered == pytest.approx(0.6, abs=0.08)
    assert made.promises["de"].answered == pytest.approx(0.2, abs=0.08)
    assert made.ranked == ["de", "en"]
    assert made.answered == pytest.approx(0.4, abs=0.08)
    first, worst, other = made.in_words()
    assert "at most 5.0% of the labels given are wrong in each of 2 groups of 'lang', with 95%" in first
    assert "confidence for all of them together" in first
    assert worst.startswith(f"worst group, de: about {made.promises['de'].answered:.0%}")
    assert worst.endswith("of 2,000 texts get a label (2,000 labeled rows)")
    assert other.startswith(f"en: about {made.promises['en'].answered:.0%}")


def test_groups_without_a_promise_are_refused_with_the_reason() -> None:
    rows, few = right_from(0.7), right_from(0.7, 8)
    one_sided = rows.taken(np.flatnonzero(rows.truth[:, 0]))
    labeled = joined({"en": rows, "few": few, "a": one_sided, "three": rows, "hard": right_from(1.0)})
    file = dict.fromkeys(("en", "few", "a", "none", "hard"), rows) | {"three": rows.taken([0, 1, 2])}
    made = made_for(labeled, file | {"hard": right_from(1.0)}, 0.05)
    assert made.promises.keys() == {"en"}
    assert made.refused["few"] == "8 labeled rows; expected at least 10"
    assert made.refused["none"] == "no labeled rows; expected at least 10"
    assert made.refused["three"] == "3 texts; expected at least 10 for a promise about them"
    assert made.refused["a"].startswith(f"test rows: 0 of {len(one_sided):,} are 'b'; expected at least 10")
    assert "bear out no less than" in made.refused["hard"]
    assert not any("hint" in reason for reason in made.refused.values())
    lines = made.in_words()
    assert "in one group of 'lang', with 95% confidence, as far" in lines[0]
    assert lines[1].startswith("en: about")
    assert "no label for 3 texts of three: 3 texts; expected at least 10 for a promise about them" in lines
    with pytest.raises(DataError, match=r"in any of 1 groups of 'lang': few: 8 labeled rows.*leave out --by"):
        made_for(joined({"few": few}), {"few": rows}, 0.05)


def test_several_groups_need_more_rows_than_one() -> None:
    """100 labels without an error: at 99% at most 1 - 0.01^(1/100) = 4.5% are false, at 99.5% 5.2%."""
    sure = CalibrationRows(
        source="test rows",
        labels=("a",),
        probabilities=np.full((100, 1), 0.99),
        given=np.ones((100, 1), dtype=bool),
        truth=np.ones((100, 1), dtype=bool),
    )
    labeled = joined({"en": sure, "de": sure})
    assert made_for(labeled, {"en": sure}, 0.046, is_set=True).promises.keys() == {"en"}
    with pytest.raises(DataError, match=r"bear out no less than 5\.2%"):
        made_for(labeled, {"en": sure, "de": sure}, 0.046, is_set=True)
    assert len(made_for(labeled, {"en": sure, "de": sure}, 0.0519, is_set=True).promises) == 2


def draw(count: int, skill: float, random: np.random.Generator) -> CalibrationRows:
    """Rows of two labels that the classifier tells apart by its skill, and of which it is equally sure."""
    truth = random.integers(2, size=count)
    points = random.normal(np.where(truth == 0, -1.0, 1.0) * skill, 1.0)
    chances = 1 / (1 + np.exp(np.stack([3 * points, -3 * points], axis=1)))
    one_hot = np.eye(2, dtype=bool)
    return CalibrationRows(
        source="test rows",
        labels=("a", "b"),
        probabilities=chances,
        given=one_hot[chances.argmax(1)],
        truth=one_hot[truth],
    )


def errors(rows: CalibrationRows, threshold: float) -> float:
    """The share of wrong labels among those given."""
    certain = (rows.probabilities * rows.given).max(axis=1) >= threshold
    return float((~(rows.truth & rows.given).any(axis=1))[certain].mean()) if certain.any() else 0.0


def test_a_promise_is_kept_in_the_hard_group_too() -> None:
    """10 files of two groups: a promise about the whole file is broken in the hard one nearly always."""
    random = np.random.default_rng(2)
    kept, whole = [], []
    for _ in range(10):
        skills = {"easy": 1.5, "hard": 0.7}
        held = {group: draw(800, skill, random) for group, skill in skills.items()}
        file = {group: draw(400, skill, random) for group, skill in skills.items()}
        made = made_for(joined(held), file, 0.2)
        kept.append(all(errors(file[group], each.threshold) <= 0.2 for group, each in made.promises.items()))
        assert made.promises["easy"].threshold < made.promises["hard"].threshold
        alone = promise(joined(held), tally_of(joined(file)), max_error=0.2)
        whole.append(errors(file["hard"], alone.threshold) <= 0.2)
    assert np.mean(kept) >= 0.95
    assert np.mean(whole) <= 0.1


def test_each_group_has_the_sets_of_its_own_rows() -> None:
    """Of 19 rows of a label at 0.05 to 0.95 and the next one, 90% are at least the second lowest, 0.1."""
    chances = np.arange(1, 20) / 20
    one_hot = np.eye(2, dtype=bool)[np.repeat([0, 1], 19)]
    low = np.concatenate([np.c_[chances, 1 - chances], np.c_[1 - chances, chances]])
    high = (low + 1) / 2
    groups = {
        name: CalibrationRows(
            source="test rows", labels=("a", "b"), probabilities=each, given=one_hot, truth=one_hot
        )
        for name, each in {"en": low, "de": high}.items()
    }
    least, refused = sets_by_group(joined({**groups, "fr": groups["en"].taken(range(20))}), 0.9)
    assert least["en"] == pytest.approx([0.1, 0.1])
    assert least["de"] == pytest.approx([0.55, 0.55])
    assert refused.keys() == {"fr"}
    assert refused["fr"].startswith("test rows: 1 rows of 'b'; expected at least 9")


class Constant:
    """Answers all texts alike, and counts them."""

    fingerprint = "constant"
    texts = 0

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        self.texts += len(texts)
        return [Prediction(label="a", probabilities={"a": 0.8, "b": 0.2}) for _ in texts]


def test_one_text_is_answered_by_group_and_computed_once() -> None:
    none = dict.fromkeys("ab", 0.0)
    groups = {
        "en": Caution(threshold=0.7, least={"a": 0.5, "b": 0.3}),
        "de": Caution(threshold=0.9, least={"a": 0.5, "b": 0.1}),
    }
    model = Constant()
    cautious = Cautious(model, Caution(by="lang", groups=groups, threshold=math.inf, least=none))  # type: ignore[arg-type]
    answers = cautious.predict([TextInput(text="x", group=group) for group in ("en", "de", "fr")])
    assert [answer.label for answer in answers] == ["a", "", ""]
    assert [answer.prediction_set for answer in answers] == [("a",), ("a", "b"), ("a", "b")]
    assert model.texts == 1
    other = Cautious(model, Caution(by="lang", groups={"en": groups["en"]}, threshold=math.inf, least=none))  # type: ignore[arg-type]
    assert cautious.fingerprint != other.fingerprint


def test_texts_are_sampled_of_each_labeled_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlpkit.trust.sampled_texts.SAMPLE", 20)
    path = tmp_path / "in.csv"
    path.write_text("text,lang\n" + "".join(f"{row},{'ende'[row % 2 * 2 :][:2]}\n" for row in range(60)))
    sampled = sampled_texts(path, by="lang", groups=("en", "fr"))
    assert sampled.counts == {"en": 30, "de": 30}
    assert {group: len(set(texts)) for group, texts in sampled.texts.items()} == {"en": 10, "fr": 0}
    assert all(int(text) % 2 == 0 for text in sampled.texts["en"])


def write(path: Path, rows: Sequence[tuple[str, str, str]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("text", "truth", "lang"), *rows])
    return path


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rows = [(text, label, ("en", "de")[row // 2 % 2]) for row, (text, label) in enumerate(sentences(400, 31))]
    return write(tmp_path_factory.mktemp("held") / "held.csv", rows)


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 English and 60 German texts, 12 of a language without labeled rows, 3 of Dutch."""
    languages = ["en", "de"] * 60 + ["fr"] * 12 + ["nl"] * 3
    rows = [
        (text, label, language) for (text, label), language in zip(sentences(135, 99), languages, strict=True)
    ]
    return write(tmp_path_factory.mktemp("texts") / "in.csv", rows)


def scored(run: Path, texts: Path, *more: str) -> tuple[list[dict[str, str]], str]:
    out = texts.with_name("out.csv")
    asked = ["score", str(run), str(texts), "-o", str(out), "--overwrite", *more]
    result = CliRunner().invoke(app, asked, catch_exceptions=False)
    with out.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream)), result.stderr


def test_a_scored_file_has_labels_in_groups_with_a_promise_alone(
    toy_run: Path, held: Path, texts: Path
) -> None:
    own = ("--held-out", str(held), "--label", "truth", "--by", "lang", "--sets", "0.8")
    rows, said = scored(toy_run, texts, "--max-error", "0.2", *own)
    assert "wrong in each of 2 groups of 'lang', with 95% confidence for all of them together" in said
    assert "worst group, " in said
    assert "no label for 12 texts of fr: no labeled rows; expected at least 10" in said
    assert "no label for 3 texts of nl: no labeled rows; expected at least 10" in said
    assert "in de, en alike" in said
    given = {lang: [row["label"] for row in rows if row["lang"] == lang] for lang in ("en", "de", "fr", "nl")}
    assert all(sum(map(bool, given[lang])) > 30 for lang in ("en", "de"))
    assert not any(given["fr"] + given["nl"])
    sets = {row["prediction_set"] for row in rows if row["lang"] in ("fr", "nl")}
    assert sets <= {"negative, positive", "positive, negative"}


def test_groups_of_the_training_are_those_of_its_rows(toy_run: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no groups; hint: .*--held-out FILE; or train with `by: lang`"):
        scored(toy_run, texts, "--max-error", "0.3", "--by", "lang")
    copied = tmp_path / "toy"
    shutil.copytree(toy_run, copied)
    path = copied / "evaluation" / "test.predictions.parquet"
    kept = parquet.read_table(path)
    parquet.write_table(kept.append_column("group", array(["en"] * kept.num_rows)), path)
    rows, said = scored(copied, texts, "--max-error", "0.3", "--by", "lang")
    assert f"texts get a label ({kept.num_rows} labeled rows)" in said
    assert "no label for 60 texts of de: no labeled rows" in said
    assert {row["lang"] for row in rows if row["label"]} == {"en"}


def test_what_has_no_groups_is_refused(toy_run: Path, held: Path, texts: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--by: are for a promise; hint: add --max-error 0\.05"):
        scored(toy_run, texts, "--by", "lang")
    with pytest.raises(DataError, match=r"no column 'land'.*'lang'"):
        scored(toy_run, texts, "--max-error", "0.3", "--by", "land")
    other = tmp_path / "other.csv"
    other.write_text("text,label\ngood food,positive\n")
    with pytest.raises(DataError, match=r"other\.csv.*no column 'lang'"):
        scored(toy_run, texts, "--max-error", "0.3", "--by", "lang", "--held-out", str(other))
