"""One row an opinion: what a scored file of a run of aspects holds where a row is an opinion."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import pytest

from nlpkit.data.examples import Span
from nlpkit.errors import ConfigError, RunError
from nlpkit.scoring.score import score_file
from nlpkit.tasks.answers.spans import Spans
from nlpkit.tasks.prediction import FoundOpinion, Prediction

PARTS = ["aspect", "aspect_start", "aspect_end", "opinion", "opinion_start", "opinion_end"]
ADDED = ["source_row", *PARTS, "polarity", "probability"]


def found(text: str, aspect: str, words: str, polarity: str) -> FoundOpinion:
    spans = [Span(start=text.index(part), end=text.index(part) + len(part)) for part in (aspect, words)]
    return FoundOpinion(
        text=text, aspect=spans[0], opinion=spans[1], polarity=polarity, probability=0.8765432
    )


class Finder:
    """Finds "X is Y" everywhere in a text; breaks at a call of one's choice."""

    columns: ClassVar[Mapping[str, Any]] = Spans(polarities=("negative", "positive")).columns
    fingerprint = "finder"

    def __init__(self, break_at: int = -1) -> None:
        self.calls, self.break_at = 0, break_at

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        if self.calls == self.break_at:
            raise KeyboardInterrupt
        self.calls += 1
        return [Prediction(opinions=tuple(self.opinions(text))) for text in texts]

    def opinions(self, text: str) -> list[FoundOpinion]:
        parts = [part.strip().split(" is ") for part in text.split(",") if " is " in part]
        return [
            found(text, aspect, words, "negative" if words == "bad" else "positive")
            for aspect, words in parts
        ]


ROWS = [
    {"id": "007", "text": "😀 pizza is great, staff is bad"},
    {"id": "008", "text": "we came, we left"},
    {"id": "009", "text": "a cafe\u0301 is good"},
]
FLAT = [
    ("007", 1, "😀 pizza", 0, 7, "great", 11, 16, "positive", 0.876543),
    ("007", 1, "staff", 18, 23, "bad", 27, 30, "negative", 0.876543),
    ("008", 2, None, None, None, None, None, None, None, None),
    ("009", 3, "a cafe\u0301", 0, 7, "good", 11, 15, "positive", 0.876543),
]


def values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("id", *ADDED))


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet", ".arrow", ".tsv", ".csv.gz"])
def test_each_opinion_is_a_row_with_the_columns_of_its_source(tmp_path, write, read, ending):
    target = tmp_path / f"out{ending}"
    summary = score_file(Finder(), write(tmp_path / "in.csv", ROWS), target, row_per="opinion")
    assert (summary.rows, summary.written) == (3, 4)
    scored = read(target)
    assert list(scored[0]) == ["id", "text", *ADDED]
    assert [row["text"] for row in scored] == [ROWS[at]["text"] for at in (0, 0, 1, 2)]
    as_text = ending not in (".jsonl", ".parquet", ".arrow")
    expected = [tuple("" if cell is None else str(cell) for cell in row) for row in FLAT]
    assert [values(row) for row in scored] == (expected if as_text else FLAT)
    for row in scored:  # the offsets are those of the text in the same row
        if row["aspect"]:
            assert row["text"][int(row["aspect_start"]) : int(row["aspect_end"])] == row["aspect"]


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_it_goes_on_after_a_stop_with_the_same_bytes(tmp_path, write, ending):
    rows = [{"id": str(number), "text": ROWS[number % 3]["text"] + " x" * number} for number in range(30)]
    source, target, whole = write(tmp_path / "in.jsonl", rows), tmp_path / f"out{ending}", tmp_path / "whole"
    options = {"row_per": "opinion", "chunk_rows": 7}
    score_file(Finder(), source, whole, output_format=ending[1:], **options)
    with pytest.raises(KeyboardInterrupt):
        score_file(Finder(break_at=2), source, target, **options)
    with pytest.raises(RunError, match="but with other settings: columns"):
        score_file(Finder(), source, target, chunk_rows=7)
    summary = score_file(Finder(), source, target, **options)
    assert (summary.resumed_from, summary.rows, summary.written) == (14, 30, 40)
    assert target.read_bytes() == whole.read_bytes()


def test_a_row_a_text_holds_the_same_numbers(tmp_path, write):
    source = write(tmp_path / "in.csv", ROWS)
    summary = score_file(Finder(), source, tmp_path / "out.csv")
    assert (summary.rows, summary.written) == (3, 3)
    with (tmp_path / "out.csv").open() as file:
        held = [json.loads(row["opinions"]) for row in csv.DictReader(file)]
    assert [len(opinions) for opinions in held] == [2, 0, 1]
    assert held[0][0]["probability"] == 0.876543  # six decimals, as in rows of their own


def test_a_column_of_that_name_takes_a_prefix(tmp_path, write, read):
    source = write(tmp_path / "in.csv", [{**ROWS[0], "aspect": "service"}])
    with pytest.raises(ConfigError, match=r"a column 'aspect' already.*--prefix model_"):
        score_file(Finder(), source, tmp_path / "out.csv", row_per="opinion")
    score_file(Finder(), source, tmp_path / "out.csv", row_per="opinion", prefix="model_")
    first = read(tmp_path / "out.csv")[0]
    assert (first["aspect"], first["model_aspect"], first["model_source_row"]) == ("service", "😀 pizza", "1")


def test_a_model_without_such_a_list_is_refused(tmp_path, engine, write):
    source = write(tmp_path / "in.csv", ROWS)
    with pytest.raises(ConfigError, match=r"--row-per opinion: .*label, score, .*hint: leave out --row-per"):
        score_file(engine, source, tmp_path / "out.csv", row_per="opinion")


def test_of_several_runs_the_one_with_a_list_makes_the_rows(tmp_path, write, read):
    class Two(Finder):
        columns: ClassVar[Mapping[str, Any]] = {
            "tone_label": "string", **{f"parts_{name}": kind for name, kind in Finder.columns.items()}
        }  # fmt: skip

        def predict(self, texts: Sequence[str]) -> list[Any]:
            return [Both(answer) for answer in super().predict(texts)]

    class Both:
        partial = is_unreadable = is_abstention = False

        def __init__(self, answer: Prediction) -> None:
            self.answer = answer

        def row(self) -> dict[str, Any]:
            return {"tone_label": "mixed", "parts_opinions": self.answer.row()["opinions"]}

    score_file(Two(), write(tmp_path / "in.csv", ROWS), tmp_path / "out.jsonl", row_per="opinion")
    scored = read(tmp_path / "out.jsonl")
    assert list(scored[0])[2:5] == ["source_row", "tone_label", "parts_aspect"]
    assert [(row["tone_label"], row["parts_aspect"]) for row in scored] == [
        ("mixed", "😀 pizza"), ("mixed", "staff"), ("mixed", None), ("mixed", "a cafe\u0301")
    ]  # fmt: skip
    Two.columns = {**Two.columns, "more_opinions": Finder.columns["opinions"]}
    with pytest.raises(ConfigError, match="several lists, parts_opinions and more_opinions"):
        score_file(Two(), tmp_path / "in.csv", tmp_path / "two.jsonl", row_per="opinion")
