"""Explanations of files, as a page, and by the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from unittest.mock import patch

import pytest
from typer.testing import CliRunner, Result

import nlpkit
from nlpkit.classifiers.classifier import Classifier
from nlpkit.cli.app import app
from nlpkit.errors import ConfigError, DataError
from nlpkit.tasks.polarity import Polarity
from nlpkit.trust.explained_file import ExplainedFile, explained_rows
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.explanation_page import marks_of, to_page
from tests.bags import bag

ROWS = [
    {"id": "1", "text": "a good film", "label": "x"},
    {"id": "=SUM(A1)", "text": "awful, not good", "label": ""},
]


@pytest.fixture
def classifier(tiny_base: Path) -> Classifier:
    return bag(tiny_base, Polarity(labels=("negative", "positive")))


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    path = tmp_path / "texts.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, ["id", "text", "label"])
        writer.writeheader()
        writer.writerows(ROWS)
    return path


def invoke(classifier: Classifier, *arguments: object) -> Result:
    with patch.object(Classifier, "load", lambda run, **_: classifier):
        return CliRunner().invoke(app, ["explain", *map(str, arguments)])


def error_of(classifier: Classifier, *arguments: object) -> str:
    result = invoke(classifier, *arguments)
    assert isinstance(result.exception, nlpkit.NlpkitError), result.output
    return str(result.exception)


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_file_keeps_its_columns_and_gains_the_explanations(
    classifier: Classifier, texts: Path, tmp_path: Path, ending: str
) -> None:
    output = tmp_path / f"explained.{ending}"
    result = invoke(classifier, texts, "-o", output)
    assert result.exit_code == 0, result.output
    with output.open(encoding="utf-8", newline="") as stream:
        if ending == "csv":
            rows = [row | {"explanations": json.loads(row["explanations"])} for row in csv.DictReader(stream)]
        else:
            rows = [json.loads(line) for line in stream]
    assert [row["text"] for row in rows] == [row["text"] for row in ROWS]
    assert rows[1]["id"] == ("'=SUM(A1)" if ending == "csv" else "=SUM(A1)")  # no spreadsheet runs it
    (explained,) = rows[1]["explanations"]
    assert explained["about"] == explained["answer"]["label"] == "negative"
    words = [
        (word["text"], word["start"], word["end"], round(word["weight"], 6)) for word in explained["words"]
    ]
    assert words == [("awful", 0, 5, 3.0), (",", 5, 6, 0.0), ("not", 7, 10, 0.0), ("good", 11, 15, -2.0)]
    assert explained["keeps"]["words"] == []  # an empty text is negative too
    assert explained["changes"]["text"] == ", not good"


def test_bad_rows_stop_it_or_are_skipped_and_reported(
    classifier: Classifier, texts: Path, tmp_path: Path
) -> None:
    with texts.open("a", encoding="utf-8") as stream:
        stream.write("3,,x\n4,fine,x\n5," + "good " * 2001 + ",x\n")
    explainer = Explainer(classifier, orders=1)
    with pytest.raises(DataError, match=r"texts.csv, row 3, column 'text': the text is empty"):
        list(explained_rows(explainer, texts))
    output = tmp_path / "explained.jsonl"
    stopped = error_of(classifier, texts, "-o", output)
    assert "row 3" in stopped
    assert "--on-error skip" in stopped
    assert list(tmp_path.iterdir()) == [texts]  # no half a file
    result = invoke(classifier, texts, "-o", output, "--on-error", "skip")
    assert result.exit_code == 5
    assert "2 rows skipped; the first: " in result.stderr
    assert len(output.read_text(encoding="utf-8").splitlines()) == 3


def test_outputs_that_cannot_be_written_are_refused_before_anything_is_computed(
    classifier: Classifier, texts: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"ends in .jsonl or .csv; hint: -o explained.jsonl"):
        ExplainedFile(tmp_path / "explained.csv.gz", str(texts))
    with pytest.raises(ConfigError, match="is the input"):
        ExplainedFile(texts, str(texts))
    there = tmp_path / "there.jsonl"
    there.write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="is there already; hint: --overwrite"):
        ExplainedFile(there, str(texts))
    assert "hint: --json" in error_of(classifier, "good", "-o", there)
    assert invoke(classifier, texts, "-o", there, "--overwrite").exit_code == 0
    named = tmp_path / "named.jsonl"
    named.write_text('{"text": "good", "explanations": 1}\n', encoding="utf-8")
    assert "has a column 'explanations' already" in error_of(classifier, named, "-o", tmp_path / "o.jsonl")


def test_the_terminal_shows_signs_and_the_smallest_sets(classifier: Classifier) -> None:
    result = invoke(classifier, "a good film [bold]", "awful")
    assert result.exit_code == 0, result.output
    assert "positive  88%  a good film [bold]" in result.output
    assert "+2.00" in result.output
    assert "kept by “good” alone" in result.output
    assert "without “good” it is negative" in result.output
    shown = [json.loads(line) for line in invoke(classifier, "good", "awful", "--json").stdout.splitlines()]
    assert [row["text"] for row in shown] == ["good", "awful"]


def test_what_is_spelled_like_a_file_and_is_none_is_no_text(classifier: Classifier) -> None:
    assert "no such file" in error_of(classifier, "reviews.csv")
    assert "at most 2,000 can be explained" in error_of(classifier, "good " * 20_000)
    assert "it is empty" in error_of(classifier, " ")


def test_the_page_marks_words_without_color_and_runs_nothing(classifier: Classifier, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    text = "good <script>alert(1)</script> but bad film"
    assert invoke(classifier, text, "--html", page).exit_code == 0
    html = page.read_text(encoding="utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert "+2.00" in html
    assert "\u22121.50" in html
    assert "is there already" in error_of(classifier, text, "--html", page)
    file = tmp_path / "in.csv"
    file.write_text("text\ngood\n", encoding="utf-8")
    with patch.object(
        Explainer, "explain", side_effect=AssertionError("refused before anything is explained")
    ):
        assert "is the input" in error_of(classifier, file, "--html", file, "--overwrite")
    (explanation,) = next(Explainer(classifier).explain([text]))
    marks = marks_of(explanation)
    assert [(text[mark.start : mark.end], mark.kind) for mark in marks] == [
        ("good", "for"),
        ("bad", "against"),
    ]
    assert to_page([explanation], run="<b>", source="").count("<b>") == 0


def test_the_python_function_takes_one_text_or_several(toy_run: Path) -> None:
    (explanation,) = nlpkit.explain("the good film was very sad", toy_run)
    assert isinstance(explanation, nlpkit.Explanation)
    assert len(explanation.words) == 6
    assert [each.text for each in nlpkit.explain(["good", "bad"], toy_run)] == ["good", "bad"]
    with pytest.raises(DataError, match="position 1 of 2 holds 'None'"):
        nlpkit.explain(["good", None], toy_run)  # type: ignore[list-item]
