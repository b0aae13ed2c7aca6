"""One `evaluate` for runs of every task: what it takes, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

import nlpkit
from nlpkit.evaluation import evaluate
from tests.conftest import write_csv

ROWS = [("good food", "5"), ("bad food", "1"), ("sad place", "1")]
LABELS = {"1": "negative", "5": "positive"}


@pytest.fixture
def stars(tmp_path: Path) -> Path:
    return write_csv(tmp_path / "stars.csv", ROWS, ("body", "stars"))


@pytest.fixture
def chat_run(tmp_path: Path, toy_run: Path) -> Path:
    record = json.loads((toy_run / "run.json").read_text())
    record |= {"task": {"kind": "dialogue"}, "outputs": None}
    (tmp_path / "chat").mkdir()
    (tmp_path / "chat" / "run.json").write_text(json.dumps(record))
    return tmp_path / "chat"


def test_paths_and_typed_sources_are_measured_alike(toy_run: Path, stars: Path) -> None:
    named = nlpkit.evaluate(str(toy_run), str(stars), text="body", label="stars", labels=LABELS)
    source = nlpkit.DataSource(source=str(stars), text="body", label="stars", labels=LABELS)
    assert nlpkit.evaluate(nlpkit.Run.open(toy_run), source).scores == named.scores
    assert (
        nlpkit.evaluate(toy_run, source.model_copy(update={"label": "body"}), label="stars").scores
        == named.scores
    )
    assert named.scores["accuracy"].count == 3


def test_a_setting_of_another_task_is_refused(toy_run: Path, chat_run: Path, stars: Path) -> None:
    with pytest.raises(nlpkit.ConfigError, match="its task 'polarity' has no 'items'"):
        nlpkit.evaluate(toy_run, stars, items=5)
    with pytest.raises(nlpkit.ConfigError, match="has no 'lable'; did you mean 'label'"):
        nlpkit.evaluate(toy_run, stars, lable="stars")
    with pytest.raises(nlpkit.ConfigError, match="its task 'dialogue' has no 'label'"):
        nlpkit.evaluate(chat_run, stars, label="stars")
    with pytest.raises(nlpkit.ConfigError, match="bins"):
        nlpkit.evaluate(toy_run, stars, bins=["x"])


def test_a_chat_model_is_asked_as_its_settings_say(
    chat_run: Path, stars: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(evaluate, "evaluate_dialogue", lambda *given, **named: calls.append((given, named)))
    nlpkit.evaluate(chat_run, stars, bot="second", items=7, baseline=chat_run)
    (run, source), named = calls[0]
    assert (run.path, source.source, source.bot) == (chat_run, str(stars), "second")
    assert (named["settings"].items, named["settings"].generate) == (7, 50)
    assert named["baseline"].path == chat_run
    with pytest.raises(nlpkit.ConfigError, match="items"):
        nlpkit.evaluate(chat_run, stars, items=0)


def test_one_text_or_several_are_predicted(toy_run: Path) -> None:
    several = nlpkit.predict(("the food was lovely", "the food was awful"), toy_run)
    assert [prediction.label for prediction in several] == ["positive", "negative"]
    assert [prediction.label for prediction in nlpkit.predict("the food was lovely", toy_run)] == ["positive"]


def test_r2_a_sheet_is_measured_and_checked_as_a_csv_is(toy_run: Path, stars: Path, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for row in (("body", "stars"), *((text, int(label)) for text, label in ROWS)):
        book.active.append(row)
    book.save(tmp_path / "stars.xlsx")
    options = {"text": "body", "label": "stars", "labels": LABELS}
    sheet, plain = (nlpkit.evaluate(toy_run, path, **options) for path in (tmp_path / "stars.xlsx", stars))
    assert sheet.scores == plain.scores
    assert nlpkit.check(tmp_path / "stars.xlsx", **options).parts == nlpkit.check(stars, **options).parts
