"""Rows whose label a model doubts, from the check to a training without them."""

from __future__ import annotations

import csv
import random
from dataclasses import replace
from pathlib import Path

import pytest

import nlpkit
from nlpkit.data.examples import LabelSetText
from nlpkit.errors import DataError
from nlpkit.evaluation.label_doubt import Doubt, doubted_labels, doubts_csv
from nlpkit.settings.data import Data
from nlpkit.tasks.polarity import Polarity
from nlpkit.training.rows import load_rows
from tests.conftest import write_csv

OTHER = {"negative": "positive", "positive": "negative"}
FLIPPED = (3, 40, 77, 118)


def plain(count: int) -> list[tuple[str, str]]:
    """Texts that say their label three times, so that even random features tell it."""
    draw = random.Random(1)
    words = {"negative": ("bad", "awful", "poor", "sad"), "positive": ("good", "great", "lovely", "fine")}
    around = ("the", "a", "film", "food", "was", "is", "very", "place", "story")
    rows: dict[str, str] = {}
    while len(rows) < count:
        label = ("negative", "positive")[len(rows) % 2]
        rows[" ".join([*draw.choices(words[label], k=3), *draw.choices(around, k=3)])] = label
    return list(rows.items())


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 texts, the labels of four of them flipped."""
    rows = [(text, OTHER[label] if row in FLIPPED else label) for row, (text, label) in enumerate(plain(120))]
    return write_csv(tmp_path_factory.mktemp("noisy") / "noisy.csv", rows)


def test_flipped_labels_are_the_most_doubted_and_written_to_review_and_to_leave_out(
    noisy: Path, tiny_base: Path, tmp_path: Path
) -> None:
    doubts, read = tmp_path / "doubts.csv", []
    report = nlpkit.check(
        noisy, base=str(tiny_base), doubts=doubts, progress=lambda done, total: read.append((done, total))
    )
    finding = next(finding for finding in report.findings if finding.kind == "label doubt")
    assert finding.severity == "warning"
    assert f"data.leave_out={doubts}" in finding.hint
    assert read[-1] == (120, 120)
    with doubts.open(newline="", encoding="utf-8") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["row", "text", "label", "suggested", "doubt"]
    assert len(rows) == finding.rows
    assert {row["row"] for row in rows[:4]} == {f"{noisy}, row {number + 1}" for number in FLIPPED}
    assert all(row["suggested"] == OTHER[row["label"]] for row in rows[:4])
    assert [float(row["doubt"]) for row in rows] == sorted(
        (float(row["doubt"]) for row in rows), reverse=True
    )

    settings = {"train": str(noisy), "near_duplicates": 1.0}
    full = load_rows(Polarity(), Data.model_validate(settings), seed=1)
    less = load_rows(Polarity(), Data.model_validate({**settings, "leave_out": str(doubts)}), seed=1)
    held = {(row["text"], row["label"]) for row in rows}
    kept = {(example.text, example.label) for example in (*less.train, *less.validation)}
    assert kept == {(example.text, example.label) for example in (*full.train, *full.validation)} - held
    assert less.describe()["skipped"] == len(rows)
    assert f"names {len(rows)} training rows" in less.skipped[0]


def test_a_file_that_names_no_row_or_every_row_is_refused(noisy: Path, tmp_path: Path) -> None:
    other = write_csv(tmp_path / "other.csv", [("never seen", "positive")])
    for file, problem in ((other, "names none of the 120"), (noisy, "names all 120")):
        data = Data.model_validate({"train": str(noisy), "leave_out": str(file)})
        with pytest.raises(DataError, match=f"{problem} training rows"):
            load_rows(Polarity(), data, seed=1)


def test_a_row_is_left_out_by_text_and_label_however_a_spreadsheet_saved_it(tmp_path: Path) -> None:
    rows = [("=good food", "positive"), ("good food", "negative"), ("bad film", "negative")]
    data = write_csv(tmp_path / "data.csv", rows)
    saved = tmp_path / "saved.csv"
    saved.write_bytes("﻿label;text\r\npositive;'=good  food\r\n".encode())
    settings = {"train": str(data), "validation": 0.0, "leave_out": str(saved)}
    with pytest.raises(DataError, match="only the label 'negative'"):
        load_rows(Polarity(), Data.model_validate(settings), seed=1)


def test_a_cell_that_a_spreadsheet_would_run_is_guarded() -> None:
    row = nlpkit.LabeledText(text="=good+good", label="negative", where="f.csv, row 1")
    doubt = Doubt(example=row, suggested="positive", doubt=0.98765, is_issue=True)
    assert doubts_csv([doubt]).splitlines()[1] == '"f.csv, row 1",\'=good+good,negative,positive,0.9877'
    assert doubts_csv([replace(doubt, is_issue=False)]).splitlines() == ["row,text,label,suggested,doubt"]


def test_rows_that_cannot_be_judged_are_left_out_or_refused(tiny_base: Path) -> None:
    rows = [nlpkit.LabeledText(text=text, label=label) for text, label in plain(40)]
    rare = [nlpkit.LabeledText(text="so so", label="neutral"), nlpkit.LabeledText(text="what")]
    assert len(doubted_labels([*rows, *rare], base=str(tiny_base))) == 40
    with pytest.raises(DataError, match="holds a list"):
        doubted_labels([*rows, LabelSetText(text="so", labels=("joy",))], base=str(tiny_base))
    with pytest.raises(DataError, match="at least two labels with 5 rows each"):
        doubted_labels(rows[:4], base=str(tiny_base))
