"""Rows of an Excel workbook."""

from __future__ import annotations

import contextlib
import zipfile
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from nlpkit.data.formats import xlsx
from nlpkit.data.records import BadRow, columns_of, read_records
from nlpkit.errors import ConfigError, DataError

ROWS = [["text", "stars"], ["a fine film", 5], ["dull", 1.5]]


def workbook(path: Path, **sheets: Sequence[Sequence[object]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def rows_of(path: Path, **options: object) -> list[tuple[int, dict[str, object]]]:
    return [(row.row, dict(row.fields)) for row in read_records(path, **options)]


def test_r2_a_sheet_is_read_with_the_types_of_its_cells(tmp_path: Path) -> None:
    cells = [
        "text", 7, 2.5, True, date(2026, 2, 3), datetime(2026, 2, 3, 4, 5), time(4, 5), timedelta(hours=30),
    ]  # fmt: skip
    path = workbook(tmp_path / "a.xlsx", one=[list("abcdefgh"), cells, [None, " 007 ", "NA"]], two=[])
    assert columns_of(path) == list("abcdefgh")
    assert rows_of(path) == [
        (1, {
            "a": "text", "b": 7, "c": 2.5, "d": True, "e": "2026-02-03", "f": "2026-02-03T04:05:00",
            "g": "04:05:00", "h": "1 day, 6:00:00",
        }),
        (2, dict.fromkeys("abcdefgh") | {"b": " 007 ", "c": "NA"}),
    ]  # fmt: skip


def test_r2_names_are_cleaned_and_empty_rows_skipped(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", one=[[], [" text ", None, "stars", None], ["a", "x"], [], [None, None], ["b"]]
    )
    assert rows_of(path) == [
        (1, {"text": "a", "column 2": "x", "stars": None}),
        (4, {"text": "b", "column 2": None, "stars": None}),
    ]


def test_r2_only_the_first_of_merged_cells_holds_the_value(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(workbook(tmp_path / "a.xlsx", one=[*ROWS, ["bad", None]]))
    book.active.merge_cells("B3:B4")
    book.save(tmp_path / "a.xlsx")
    assert [fields["stars"] for _, fields in rows_of(tmp_path / "a.xlsx")] == [5, 1.5, None]


def test_r2_rows_that_cannot_be_used_are_bad_rows(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", one=[*ROWS, ["#N/A", 1], ["b", "#DIV/0!"], ["c", 1, None, "note"]])
    bad: list[BadRow] = []
    assert len(list(read_records(path, columns=["text"], on_bad=bad.append))) == 3
    assert [(row.row, row.raw) for row in bad] == [(3, "#N/A\t1"), (5, "c\t1\t\tnote")]
    assert "column 'text': the cell holds the error #N/A; hint:" in bad[0].reason
    assert "a value in column 4, where the header names 2; hint:" in bad[1].reason


def test_r2_one_of_several_sheets_is_named(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", **{"März 26": ROWS, "empty": [], "April": [["text"], ["ok"]]})
    with pytest.raises(
        DataError,
        match=r"several sheets hold rows: 'März 26', 'April'; hint: name one, as "
        r"with --format 'xlsx:März 26' \(in a config, format: \"xlsx:März 26\"\)$",
    ):
        rows_of(path)
    with pytest.raises(DataError, match="no sheet 'May'; it holds 'März 26', 'April'; hint: name one"):
        rows_of(path, format="xlsx:May")
    assert rows_of(path, format="xlsx:April") == [(1, {"text": "ok"})]
    assert len(rows_of(path, format="xlsx:März 26")) == 2
    assert len(rows_of(tmp_path, format="xlsx:März 26")) == 2  # a folder
    with pytest.raises(ConfigError, match="format 'csv:April' is not known"):
        rows_of(path, format="csv:April")


def test_s8_a_first_row_that_looks_like_data_is_refused_with_the_options(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", one=[[4, "I love it"], [0, "I hate it"], [4, "So good"]], two=ROWS)
    columns = {"text": "text", "label": "label"}
    with pytest.raises(DataError, match=r"hint: --format xlsx-no-header:one --text 2 --label 1 "):
        rows_of(path, format="xlsx:one", columns=columns)
    rows = rows_of(path, format="xlsx-no-header:one", columns={"2": "text", "1": "label"})
    assert rows[0] == (1, {"1": 4, "2": "I love it"})
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("sheet", "message"),
    [
        ([["text", "text "], ["a", "b"]], "the column 'text' stands there twice"),
        ([["text"]], "holds no rows"),
        ([], "holds no rows"),
        ([["Kommentar", "stars"], ["a", 1]], "no column 'text'; .*hint: --text Kommentar"),
    ],
)
def test_r2_what_is_no_table_is_refused(
    tmp_path: Path, sheet: Sequence[Sequence[object]], message: str
) -> None:
    path = workbook(tmp_path / "a.xlsx", one=sheet)
    with pytest.raises(DataError, match=message):
        rows_of(path, columns={"text": "text"} if len(sheet) > 1 else ())


@pytest.mark.parametrize("name", ["a.xlsx", "a.xls"])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xd0\xcf\x11\xe0rest", "old kind .*hint: save it as .xlsx"),
        (b"<html><table>", "no Excel workbook at all: .*hint: save it again, or as CSV"),
        (b"PK\x03\x04rest", "no Excel workbook at all"),
        (b"", "no Excel workbook at all"),
    ],
)
def test_r2_what_is_no_workbook_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        rows_of(tmp_path / name)


def test_r2_every_cut_of_a_workbook_is_refused_or_read(tmp_path: Path) -> None:
    whole = workbook(tmp_path / "a.xlsx", one=ROWS).read_bytes()
    for at in range(0, len(whole), 37):
        (tmp_path / "b.xlsx").write_bytes(whole[:at] + bytes(8) + whole[at + 8 :])
        with contextlib.suppress(DataError):
            assert len(rows_of(tmp_path / "b.xlsx")) == 2


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/styles.xml"])
def test_c8_a_zip_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    path = workbook(tmp_path / "a.xlsx", one=ROWS)
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in parts.items():
            packed.writestr(name, content + (b" " * 3_000_000 if name == part else b""))
    monkeypatch.setattr(xlsx, "LARGE", 2_000_000)
    monkeypatch.setattr(xlsx, "LARGEST", 2_000_000)
    with pytest.raises(DataError, match=f"its part '{part}' unpacks to 3,.*hint: save the rows as CSV"):
        rows_of(path)


def test_c8_a_cell_far_away_takes_no_memory(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(workbook(tmp_path / "a.xlsx", one=ROWS))
    book.active["XFD1048576"] = "far"
    book.save(tmp_path / "a.xlsx")
    bad: list[BadRow] = []
    assert len(list(read_records(tmp_path / "a.xlsx", on_bad=bad.append))) == 2
    assert [(row.row, row.raw[-3:]) for row in bad] == [(1_048_575, "far")]
