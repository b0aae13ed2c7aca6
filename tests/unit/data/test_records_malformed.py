"""Broken and odd files: each is read as it stands, or ends in one message that names the place."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlpkit.data.records import BadRow, read_records, text_of
from nlpkit.errors import DataError


def texts(path: Path) -> list[str]:
    return [text_of(record, "text") for record in read_records(path, columns=["text"])]


def refusal(path: Path) -> str:
    """The message that the file ends in: one line that begins with its name."""
    with pytest.raises(DataError) as error:
        texts(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 1000
    return message.removeprefix(str(path))


GZIPPED = gzip.compress(b"id,text\n" + b"1,a\n" * 100)

CSV_REFUSED: dict[str, tuple[bytes, str]] = {
    "short row": (b"id,text\n1,a\n2\n", ", row 2: line 3: expected 2 fields, found 1"),
    "long row": (b"id,text\n1,a,b\n", ", row 1: line 2: expected 2 fields, found 3"),
    "cut short": (b"id,text\n1,a\n2,b\n3", ", row 3: line 4: expected 2 fields, found 1"),
    "unclosed quote": (
        b'id,text\n1,a\n2,"b\n3,c\n',
        ", row 2: line 3: a quotation mark is opened and never closed",
    ),
    "unclosed quote in the header": (
        b'id,"text\n1,a\n',
        ", header: line 1: a quotation mark is opened and never closed",
    ),
    "text after a quote": (
        b'id,text\n1,"a" b\n',
        ", row 1: line 2: a quoted field goes on after its closing quotation mark",
    ),
    "line counted through quotes": (
        b'id,text\n1,"a\nb"\n2,c,d\n',
        ", row 2: line 4: expected 2 fields, found 3",
    ),
    "missing column": (b"id,txet\n1,a\n", ": no column 'text'; did you mean 'txet'?"),
    "duplicate column": (b"text,id,text\na,1,b\n", ", header: the column 'text' stands there twice"),
    "empty": (b"", ": is empty"),
    "only line ends": (b"\r\n\r\n", ": is empty"),
    "header only": (b"id,text\n", ": holds no rows"),
    "latin-1": (
        "id,text\n1,à la fenêtre\n".encode("latin-1"),
        ", row 1: line 2, column 'text': byte 0xe0 at character 1 does not fit",
    ),
    "latin-1 header": (
        "id,text,é\n1,a,b\n".encode("latin-1"),
        ", header, column 3: byte 0xe9 at character 1 does not fit",
    ),
    "UTF-16 without a mark": (
        "id,text\n1,a\n".encode("utf-16-le"),
        ": expected csv text, found binary data (if it is UTF-16",
    ),
    "UTF-16 cut in a character": ("id,text\n1,ab\n".encode("utf-16")[:-1], ": not UTF-8 text"),
    "NUL": (
        b"id,text\n1,a\n2,a\x00b\n",
        ", row 2: line 3, column 'text': a NUL character (U+0000) at character 2",
    ),
    "surrogate bytes": (
        b"id,text\n1,\xed\xa0\x80\n",
        ", row 1: line 2, column 'text': byte 0xed at character 1 does not fit",
    ),
    "gzip under another name": (
        GZIPPED,
        ": expected csv text, but it is gzip-compressed; hint: let its name end in .gz",
    ),
    "zip": (b"PK\x03\x04rest", ": expected csv text, but it is a zip archive or an Excel workbook"),
    "binary": (bytes(range(256)) * 4, ": expected csv text, found binary data"),
    "empty text": (b"id,text\n1,\n", ", row 1, column 'text': the text is empty"),
}

CSV_READ: dict[str, tuple[bytes, list[str]]] = {
    "semicolons": (b"id;text\n1;a\n", ["a"]),
    "tabs": (b"id\ttext\n1\ta\n", ["a"]),
    "two columns without a name": (b"text,,\na,1,2\n", ["a"]),
    "header with spaces": (b"id, text\n1, a\n", [" a"]),
    "byte order mark": (b"\xef\xbb\xbftext\na\n", ["a"]),
    "UTF-16": ("id,text\n1,é\n".encode("utf-16"), ["é"]),
    "old line ends": (b"id,text\r1,a\r2,b", ["a", "b"]),
    "1 MB field": (b"id,text\n1," + b"x" * 1_000_000 + b"\n2,b\n", ["x" * 1_000_000, "b"]),
    "10,000 columns": (
        ",".join(["text", *(f"c{number}" for number in range(9_999))]).encode()
        + b"\na"
        + b"," * 9_999
        + b"\n",
        ["a"],
    ),
    "formulas": (
        b"text\n=1+1\n@SUM(A1)\n-1\n+1\n\"=cmd|' /C calc'!A0\"\n",
        ["=1+1", "@SUM(A1)", "-1", "+1", "=cmd|' /C calc'!A0"],
    ),
    "embedded line ends": (b'id,text\r\n1,"a\r\nb\n\nc"\r\n2,d\r\n', ["a\r\nb\n\nc", "d"]),
    "quoted numbers": (b'id,text\n"1","007"\n', ["007"]),
    "quotes inside a plain field": (b'id,text\n1,5" disk\n', ['5" disk']),
    "blank lines": (b"\n\nid,text\n\n1,a\n\n", ["a"]),
}

JSONL_REFUSED: dict[str, tuple[bytes, str]] = {
    "bad syntax": (b'{"text": "a"}\n{"text": a}\n', ", row 2: column 10: not JSON"),
    "cut short": (b'{"text": "a"}\n{"text": "b', ", row 2: column "),
    "list": (b'["a"]\n', ', row 1: expected an object such as {"text": ...}, found a list'),
    "scalar": (b'{"text": "a"}\n"b"\n', ', row 2: expected an object such as {"text": ...}, found text'),
    "number for a row": (b"7\n", ', row 1: expected an object such as {"text": ...}, found a number'),
    "null for a row": (b"null\n", ', row 1: expected an object such as {"text": ...}, found null'),
    "file of one list": (
        b'[\n{"text": "a"}\n]\n',
        ", row 1: column 2: not JSON: unexpected end of data; the file seems to hold one JSON value",
    ),
    "indented object": (
        b'{\n  "text": "a"\n}\n',
        "the file seems to hold one JSON value; hint: say --format json",
    ),
    "missing key": (b'{"text": "a"}\n{"txt": "b"}\n', ", row 2: no column 'text'; did you mean 'txt'?"),
    "key that no row has": (b'{"body": "a"}\n', ": no column 'text'; known: body"),
    "null": (b'{"text": null}\n', ", row 1, column 'text': expected text, found null"),
    "number": (b'{"text": 7}\n', ", row 1, column 'text': expected text, found the number 7"),
    "mixed types": (b'{"text": "a"}\n{"text": true}\n', ", row 2, column 'text': expected text, found true"),
    "nested": (b'{"text": {"a": "b"}}\n', ", row 1, column 'text': expected text, found an object"),
    "duplicate key": (b'{"text": "a", "text": "b"}\n', ", row 1: the key 'text' stands there twice"),
    "NaN": (b'{"text": "a", "x": NaN}\n', ", row 1: column 20: not JSON"),
    "Infinity": (b'{"text": "a", "x": -Infinity}\n', ", row 1: column 21: not JSON"),
    "huge number": (
        b'{"text": "a", "x": 1' + b"0" * 400 + b"}\n",
        ", row 1: column 20: not JSON: number is infinity",
    ),
    "lone surrogate": (b'{"text": "\\ud800"}\n', ", row 1: column 11: not JSON"),
    "invalid UTF-8": (
        b'{"text": "a\xff"}\n',
        ", row 1: byte 0xff at byte 12 of the line does not fit the encoding",
    ),
    "NUL": (b'{"text": "a\\u0000"}\n', ", row 1: a NUL character (U+0000) at character 2"),
    "raw NUL": (b'{"text": "a\x00"}\n', ", row 1: column 12: not JSON: unexpected control character"),
    "depth 100,000": (
        b'{"text": ' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
        ", row 1: column 1034: not JSON: depth limit exceeded",
    ),
    "lists in lists": (
        b'{"text": ' + b"[" * 1_020 + b"]" * 1_020 + b"}\n",
        ", row 1: nested deeper than 100 levels",
    ),
    "objects in objects": (
        b'{"text": "a", "x": ' + b'{"x": ' * 900 + b"1" + b"}" * 901,
        ", row 1: nested deeper than 100 levels",
    ),
    "trailing comma": (b'{"text": "a",}\n', ", row 1: column 13: not JSON"),
    "two objects on a line": (b'{"text": "a"}{"text": "b"}\n', ", row 1: column 14: not JSON"),
    "single quotes": (b"{'text': 'a'}\n", ", row 1: column 2: not JSON"),
    "empty": (b"", ": holds no rows"),
    "blank": (b"\n \n\t\r\n", ": holds no rows"),
    "line counted through blanks": (b'\n\n{"text": "a"}\n\nx\n', ", row 5: column 1: not JSON"),
}

JSONL_READ: dict[str, tuple[bytes, list[str]]] = {
    "10 MB line": (b'{"text": "' + b"x" * 10_000_000 + b'"}\n{"text": "b"}\n', ["x" * 10_000_000, "b"]),
    "blank lines": (b'\n{"text": "a"}\n\n \n{"text": "b"}', ["a", "b"]),
    "CRLF": (b'{"text": "a\\r\\n"}\r\n{"text": "b"}\r\n', ["a\r\n", "b"]),
    "byte order mark": (b'\xef\xbb\xbf{"text": "a"}\n', ["a"]),
    "line separators inside": ('{"text": "a\u2028b\x85c"}\n'.encode(), ["a\u2028b\x85c"]),
    "an escaped backslash before u0000": (b'{"text": "\\\\u0000"}\n', ["\\u0000"]),
    "what looks like keys": (b'{"text": "{\\"a\\": 1, \\"a\\": 2}"}\n', ['{"a": 1, "a": 2}']),
}


def parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


WHOLE = parquet(pa.table({"text": [f"text {number}" for number in range(300)]}), write_page_checksum=True)


def flipped(at: int) -> bytes:
    return WHOLE[:at] + bytes([WHOLE[at] ^ 0xFF]) + WHOLE[at + 1 :]


def huge_metadata() -> bytes:
    """A footer that says it is two gigabytes long."""
    return WHOLE[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1"


DAMAGED = ": damaged, or not Parquet at all: "

PARQUET_REFUSED: dict[str, tuple[bytes, str]] = {
    **{
        f"cut to {size}": (WHOLE[:size], DAMAGED)
        for size in (3, 8, len(WHOLE) // 2, len(WHOLE) - 8, len(WHOLE) - 1)
    },
    # The first page, the middle of the pages, the footer, its length and the closing magic.
    **{
        f"flipped at {at}": (flipped(at), DAMAGED)
        for at in (40, 600, len(WHOLE) - 200, len(WHOLE) - 6, len(WHOLE) - 2)
    },
    "empty": (b"", ": is empty"),
    "wrong magic": (b"PAR2" * 10, DAMAGED),
    "zip": (b"PK\x03\x04" + bytes(100), DAMAGED),
    "CSV": (b"text\na\n", DAMAGED),
    "encrypted": (WHOLE[:-4] + b"PARE", ": is encrypted; hint: decrypt it first"),
    "huge metadata": (huge_metadata(), DAMAGED),
    "numbers": (
        parquet(pa.table({"text": [1, 2]})),
        ", row 1, column 'text': expected text, found the number 1",
    ),
    "timestamps": (
        parquet(pa.table({"text": pa.array([0], pa.timestamp("us"))})),
        ", row 1, column 'text': expected text, found a datetime",
    ),
    "binary": (parquet(pa.table({"text": [b"a"]})), ", row 1, column 'text': expected text, found a bytes"),
    "nested": (parquet(pa.table({"text": [["a"]]})), ", row 1, column 'text': expected text, found a list"),
    "struct": (
        parquet(pa.table({"text": [{"a": "b"}]})),
        ", row 1, column 'text': expected text, found an object",
    ),
    "null in the second row": (
        parquet(pa.table({"text": ["a", None]})),
        ", row 2, column 'text': expected text, found null",
    ),
    "no rows": (parquet(pa.table({"text": pa.array([], pa.string())})), ": holds no rows"),
    "no such column": (parquet(pa.table({"txt": ["a"]})), ": no column 'text'; did you mean 'txt'?"),
    "duplicate column": (
        parquet(pa.table([["a"], ["b"]], names=["text", "text"])),
        ": the column 'text' stands there twice",
    ),
    "NUL": (parquet(pa.table({"text": ["a\0"]})), ", row 1: column 'text': a NUL character"),
}

PARQUET_READ: dict[str, tuple[bytes, list[str]]] = {
    "dictionary": (
        parquet(pa.table({"text": pa.array(["a", "b", "a"]).dictionary_encode()})),
        ["a", "b", "a"],
    ),
    "many row groups": (parquet(pa.table({"text": list("abcde")}), row_group_size=2), list("abcde")),
    "large strings": (parquet(pa.table({"text": pa.array(["a"], pa.large_string())})), ["a"]),
    "compressed": (parquet(pa.table({"text": ["a"]}), compression="zstd"), ["a"]),
}


def arrow(opened: Callable[..., pa.RecordBatchFileWriter]) -> bytes:
    sink = io.BytesIO()
    table = pa.table({"text": ["a", "b"]})
    with opened(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


ARROW_DAMAGED = ": damaged, or not Arrow at all: "
ARROW_REFUSED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", ": is empty"),
    "file cut short": (arrow(pa.ipc.new_file)[:-20], ARROW_DAMAGED),
    "stream cut in its schema": (arrow(pa.ipc.new_stream)[:50], ARROW_DAMAGED),
    "stream cut in its rows": (arrow(pa.ipc.new_stream)[:-24], ARROW_DAMAGED),
    "text": (b"text\na\n", ARROW_DAMAGED),
    "old feather": (b"FEA1" + bytes(20), ": is of the old Feather version 1"),
}

REFUSED = [
    pytest.param(f"a.{format}", data, message, id=f"{format}: {name}")
    for format, cases in {
        "csv": CSV_REFUSED,
        "jsonl": JSONL_REFUSED,
        "parquet": PARQUET_REFUSED,
        "arrow": ARROW_REFUSED,
    }.items()
    for name, (data, message) in cases.items()
]
READ = [
    pytest.param(f"a.{format}", data, expected, id=f"{format}: {name}")
    for format, cases in {"csv": CSV_READ, "jsonl": JSONL_READ, "parquet": PARQUET_READ}.items()
    for name, (data, expected) in cases.items()
]


@pytest.mark.parametrize(("name", "data", "message"), REFUSED)
def test_refused(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert message in refusal(path)


@pytest.mark.parametrize(("name", "data", "expected"), READ)
def test_read(tmp_path: Path, name: str, data: bytes, expected: list[str]) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert texts(path) == expected


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_gzip_cut_short(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}.gz"
    line = b"some text\n" if suffix == ".csv" else b'{"text": "some text"}\n'
    packed = gzip.compress((b"text\n" if suffix == ".csv" else b"") + line * 9)
    for data in (packed[:-12], packed[:8], packed[:12] + b"\xff" * 20, b"text\na\n"):
        path.write_bytes(data)
        assert "the gzip data is cut short or damaged" in refusal(path)


def test_bad_lines_of_json_are_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [
        b'{"text": "a"}',
        b"{",
        b"[]",
        b'{"text": "\xff"}',
        b'{"body": 1}',
        b'{"text": "\\u0000", "x": {}}',
        b'{"text": "b"}',
    ]
    path.write_bytes(b"\n".join(lines))
    bad: list[BadRow] = []
    found = [record.row for record in read_records(path, columns=["text"], on_bad=bad.append)]
    assert found == [1, 7]
    assert [one.row for one in bad] == [2, 3, 4, 5, 6]
    assert [one.raw for one in bad] == [
        "{",
        "[]",
        '{"text": "\\udcff"}',
        '{"body":1}',
        '{"text": "\\u0000", "x": {}}',
    ]
    json.dumps([one.raw for one in bad], ensure_ascii=False).encode()


def test_a_quote_that_is_never_closed_ends_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\n1,a\n2,"b\n3,c\n')
    rows = read_records(path, on_bad=lambda bad: pytest.fail(f"passed over {bad}"))
    assert next(rows).row == 1
    with pytest.raises(DataError, match="never closed"):
        next(rows)


def test_a_quote_that_is_never_closed_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import csv

    kept = csv.field_size_limit(1000)
    monkeypatch.setattr("nlpkit.data.formats.delimited.FIELD_LIMIT", 1000)
    try:
        path = tmp_path / "a.csv"
        path.write_bytes(b'id,text\n1,"' + b"b\n" * 5000)
        assert ", row 1: line 2: a quotation mark is opened and never closed" in refusal(path)
    finally:
        csv.field_size_limit(kept)


def test_a_bad_character_in_a_row_of_several_blocks_is_found(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    # The row begins with a NUL and goes on for three megabytes of short lines: the NUL is blocks away when
    # the row ends.
    path.write_bytes(b'id,text\n1,"\0' + b"line\n" * 600_000 + b'"\n2,b\n')
    bad: list[BadRow] = []
    assert [record.row for record in read_records(path, on_bad=bad.append)] == [2]
    assert [one.row for one in bad] == [1]


def test_unreadable_files(tmp_path: Path) -> None:
    for suffix in ("csv", "parquet"):
        folder = tmp_path / f"a.{suffix}" / "inner"
        folder.mkdir(parents=True)
        with pytest.raises(DataError, match="holds no rows"):
            list(read_records(folder))
