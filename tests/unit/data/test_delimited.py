"""Separators, headers and files without one."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlpkit.data.records import columns_of, count_rows, read_records
from nlpkit.settings.data import LabelSource

GERMAN = {"text": "Schlecht, wirklich", "label": "negative"}


@pytest.mark.parametrize("mark", [";", "|", "\t"])
@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_r2_another_separator_is_found(tmp_path: Path, name: str, mark: str) -> None:
    path = tmp_path / name
    path.write_text(f"text{mark}label\nSehr gut{mark}positive\nSchlecht, wirklich{mark}negative\n")
    assert [dict(record.fields) for record in read_records(path)][1] == GERMAN


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("text,a;b\nx,y;z\n", {"text": "x", "a;b": "y;z"}),
        ("text\nfine; really\n", {"text": "fine; really"}),
        ("text;notes\na\nb;c\n", {"text;notes": "a"}),  # not every row fits
        ('text;label\n"a;\nb";c\n', {"text": "a;\nb", "label": "c"}),
    ],
)
def test_r2_the_separator_of_the_format_is_kept_unless_only_another_fits(
    tmp_path: Path, text: str, fields: dict[str, str]
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    assert next(iter(read_records(path))).fields == fields


def test_r2_names_are_stripped_and_unnamed_columns_numbered(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"\xef\xbb\xbf   rating\t text \t\t\n5\t good \t\t\n")
    assert columns_of(path) == ["rating", "text", "column 3", "column 4"]
    assert next(iter(read_records(path))).fields["text"] == " good "


@pytest.mark.parametrize(
    ("format", "mark"), [("csv-no-header", ","), ("tsv-no-header", "\t"), ("csv-no-header", ";")]
)
def test_r2_columns_of_a_file_without_a_header_are_numbered(tmp_path: Path, format: str, mark: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f'4{mark}"I love it"\n0{mark}"I hate it"\n')
    records = list(read_records(path, format=format, columns=["2", "1"]))
    assert [dict(record.fields) for record in records] == [
        {"1": "4", "2": "I love it"},
        {"1": "0", "2": "I hate it"},
    ]
    assert [record.row for record in records] == [1, 2]
    assert count_rows(path, format=format) == 2


def test_r2_a_config_names_columns_by_number() -> None:
    source = LabelSource.model_validate({"source": "a.csv", "text": 2, "label": 1, "format": "csv-no-header"})
    assert (source.text, source.label) == ("2", "1")
