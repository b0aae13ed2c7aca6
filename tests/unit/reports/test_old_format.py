"""Reports that nlpkit 0.1 wrote, as it wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nlpkit.errors import DataError
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Table, Texts
from tests.dialogue_sample import sample

FOLDER = Path(__file__).parent / "format1"


def read(name: str) -> tuple[dict, Report]:  # type: ignore[type-arg]
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")
    return json.loads(text), Report.from_json(text)


@pytest.mark.parametrize(
    ("name", "task"), [("labels", "polarity"), ("values", "intensity"), ("dialogue", "dialogue")]
)
def test_nothing_that_was_measured_is_lost(name: str, task: str) -> None:
    old, report = read(name)
    assert report.task == task
    for field in ("run", "data", "seed", "config", "versions"):
        assert getattr(report, field) == old[field]
    assert {key: score.value for key, score in report.scores.items()} == {
        key: score["value"] for key, score in old["scores"].items()
    }
    assert len(report.curve) == len(old["curve"])
    assert report.cost.texts_per_second == old["cost"]["texts_per_second"]
    assert Report.from_json(report.to_json()) == report
    assert "<!doctype html>" in report.to_html()
    assert report.to_markdown().startswith("# ")


def test_the_tables_of_labels_are_those_that_were_written() -> None:
    old, report = read("labels")
    sections = {section.id: section for section in report.sections}
    assert list(sections) == ["confusion", "labels", "reliable", "spread", "worst"]
    confusion, worst = sections["confusion"], sections["worst"]
    assert isinstance(confusion, Table)
    assert [list(row[1:]) for row in confusion.rows] == old["findings"]["confusion"]
    assert isinstance(worst, Texts)
    assert [example.text for example in worst.examples] == [row["text"] for row in old["findings"]["worst"]]
    assert worst.note.startswith(f"{old['findings']['mistakes']} of 120 texts are wrong.")
    assert report.baselines[0].tests["accuracy"].p == old["baselines"][0]["tests"]["accuracy"]["p"]
    assert report.scores["accuracy"].scale == (0, 1)
    assert report.summary[0].startswith("Accuracy is 70.8% on 120 texts")


def test_the_values_keep_their_plots_and_largest_errors() -> None:
    _, report = read("values")
    assert [section.id for section in report.sections] == ["predicted", "residual", "worst"]


def test_a_dialogue_report_is_the_one_that_would_be_written_today() -> None:
    _, report = read("dialogue")
    today = sample()
    same = report.model_dump(exclude={"scores", "baselines"})
    assert same == today.model_dump(exclude={"scores", "baselines"})
    assert report.baselines[0].details == today.baselines[0].details


def test_a_broken_report_of_the_old_format_is_refused_with_the_place() -> None:
    text = (FOLDER / "labels.json").read_text(encoding="utf-8")
    with pytest.raises(DataError, match=r"scores.accuracy.count: Input should be a valid integer"):
        Report.from_json(text.replace('"count": 120', '"count": "many"', 1))
