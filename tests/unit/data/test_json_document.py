"""Rows of one JSON document."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tracemalloc
from pathlib import Path

import pytest

from nlpkit.data.records import BadRow, columns_of, read_records
from nlpkit.errors import DataError

ROWS = [{"text": 'a "fine" [film]', "stars": 5}, {"text": "schön\n{", "stars": 1.5, "more": [{"a": None}]}]


def rows_of(path: Path) -> list[dict[str, object]]:
    return [dict(record.fields) for record in read_records(path)]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize(
    "document",
    [
        ROWS,
        {"data": ROWS},
        {"version": "1.0", "tags": ["x", "y"], "none": [], "data": ROWS, "end": {"n": 1}},
        {"all": {"examples": ROWS}},
    ],
)
def test_r1_rows_of_a_document_are_read(tmp_path: Path, document: object, encoding: str, indent: int) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(json.dumps(document, indent=indent, ensure_ascii=False).encode(encoding))
    assert rows_of(path) == ROWS
    assert columns_of(path) == ["text", "stars", "more"]
    assert [record.row for record in read_records(path)] == [1, 2]


def test_r1_json_lines_and_gzip_and_standard_input_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(json.dumps(row) + "\n" for row in ROWS)
    (tmp_path / "lines.json").write_text(lines)
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(json.dumps(ROWS).encode()))
    assert rows_of(tmp_path / "lines.json") == rows_of(tmp_path / "a.json.gz") == ROWS
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps(ROWS).encode())))
    assert [record.fields for record in read_records("-", format="json")] == ROWS


def test_r1_one_line_of_json_with_the_columns_that_are_asked_for_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"text": "a", "parts": [{"b": 1}]}\n')
    assert [record.fields["text"] for record in read_records(path, columns=["text"])] == ["a"]
    assert rows_of(path) == [{"b": 1}]


def test_r1_rows_that_cannot_be_used_are_bad_rows(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('[{"text": "\\ud83d"}, "a", {"text": 1, "text": 2}, {"text": NaN}, {"text": "fine"}]')
    bad: list[BadRow] = []
    assert [record.row for record in read_records(path, on_bad=bad.append)] == [5]
    assert [row.row for row in bad] == [1, 2, 3, 4]
    assert "found text" in bad[1].reason
    assert "stands there twice" in bad[2].reason


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "holds no rows"),
        ('{\n"a": {"b": 1}\n}', "no list of rows in the JSON object"),
        ('{"train": [{"text": "a"}],\n"test": [{"text": "b"}]}', "under the keys 'train' and 'test'; hint:"),
        ('[{"text": "a"}, {"text": "b"', "row 2: not JSON"),
        ('[{"text": "a"} {"text": "b"}]', "row 1: not JSON: expected ',' or ']', found '{'"),
        ('[{"text": a}]', "row 1: not JSON: Expecting value"),
        ('[{"text": "a"}] x', "text follows the end"),
        ("[" * 100_000, "deep|not JSON"),
        ('{"a":' * 100_000, "deep|not JSON"),
    ],
)
def test_r1_what_is_no_list_of_rows_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        list(read_records(path))


@pytest.mark.parametrize("start", ["[", '{"version": 1, "data": [', "[\n"])
def test_r1_memory_stays_flat(tmp_path: Path, start: str) -> None:
    path, row = tmp_path / "a.json", '{"text": "some text of a customer that goes on", "label": "positive"}'
    peaks = []
    for count in (30_000, 90_000):
        path.write_text(start + ", ".join([row] * count) + ("]}" if "{" in start else "]"))
        tracemalloc.start()
        assert sum(1 for _ in read_records(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 90,000 rows are 6 MB; the first line, of which a megabyte is read, is held in several copies.
    assert peaks[1] < peaks[0] * 1.2
    assert peaks[1] < 6e6
