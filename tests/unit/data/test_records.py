"""Rows come out as they were written, from every format and every way in."""

from __future__ import annotations

import gzip
import io
import json
import sys
import tracemalloc
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from nlpkit.data.opened_file import find_file
from nlpkit.data.records import (
    BadRow,
    Record,
    columns_of,
    count_rows,
    detect_encoding,
    read_records,
    text_of,
)
from nlpkit.errors import ConfigError, DataError
from tests.tries import tries

FORMATS = ("csv", "tsv", "jsonl", "parquet", "arrow")


def write(path: Path, texts: list[str]) -> Path:
    """A file with the columns `id` and `text`, written by other libraries than those that read it."""
    rows = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    if path.suffix in (".csv", ".tsv"):
        mark = "," if path.suffix == ".csv" else "\t"
        cells = [["id", "text"], *(list(row.values()) for row in rows)]
        quoted = (mark.join('"' + cell.replace('"', '""') + '"' for cell in line) for line in cells)
        path.write_bytes(("\r\n".join(quoted) + "\r\n").encode())
    elif path.suffix == ".jsonl":
        path.write_text(
            "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8", newline=""
        )
    elif path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        table = pa.Table.from_pylist(rows)
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    return path


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize("format", FORMATS)
def test_texts_that_look_like_something_else_stay_texts(tmp_path: Path, format: str) -> None:
    texts = [
        "NA",
        "null",
        "None",
        "nan",
        "007",
        "1e5",
        "true",
        "",
        "  ",
        "=1+1",
        "a\tb",
        "a\r\nb\rc\nd",
        'say "hi"',
        ",;|",
    ]
    path = write(tmp_path / f"a.{format}", texts)
    assert [record.fields["text"] for record in read_records(path)] == texts
    assert [record.fields["id"] for record in read_records(path)] == [str(number) for number in range(14)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_record_knows_its_file_and_row(tmp_path: Path, format: str) -> None:
    path = write(tmp_path / f"a.{format}", ["first", "second"])
    assert [(record.file, record.row, record.where) for record in read_records(path)] == [
        (str(path), 1, f"{path}, row 1"),
        (str(path), 2, f"{path}, row 2"),
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_columns_and_counts(tmp_path: Path, format: str) -> None:
    path = write(tmp_path / f"a.{format}", ["one", "two", "three"])
    assert columns_of(path) == ["id", "text"]
    assert count_rows(path) == 3
    assert find_file(path).format == format


@pytest.mark.parametrize("format", ["csv", "tsv", "jsonl"])
def test_gzip(tmp_path: Path, format: str) -> None:
    plain = write(tmp_path / f"a.{format}", ["one", "zwölf"])
    packed = tmp_path / f"b.{format}.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    assert [record.fields for record in read_records(packed)] == [
        record.fields for record in read_records(plain)
    ]
    assert columns_of(packed) == ["id", "text"]
    assert count_rows(packed) == 2
    assert detect_encoding(packed) == "utf-8"


@pytest.mark.parametrize("format", FORMATS)
def test_a_column_that_is_missing_is_named_with_the_nearest(tmp_path: Path, format: str) -> None:
    path = write(tmp_path / f"a.{format}", ["one"])
    with pytest.raises(DataError, match=r"a\.\w+: no column 'txt'; did you mean 'text'\?"):
        next(read_records(path, columns=["id", "txt"]))


def test_values_keep_their_json_types(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    fields = {
        "text": "a",
        "n": 1,
        "f": 1.5,
        "b": True,
        "z": None,
        "l": [1, "x"],
        "o": {"k": [{}]},
        "big": 123456789012345678901234567890,
    }
    path.write_text(json.dumps(fields) + "\n")
    assert next(read_records(path)).fields == fields


def test_values_keep_their_parquet_types(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    table = pa.table(
        {
            "n": [1, None],
            "t": pa.array(["x", None]).dictionary_encode(),
            "l": [[{"a": "b"}], []],
            "y": [b"\xff", b""],
        }
    )
    pq.write_table(table, path)
    assert [record.fields for record in read_records(path)] == [
        {"n": 1, "t": "x", "l": [{"a": "b"}], "y": b"\xff"},
        {"n": None, "t": None, "l": [], "y": b""},
    ]


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"id,text\r1,a\r2,b\r", [1, 2]),
        (b"\n\nid,text\n\n1,a\n\n2,b", [1, 2]),
        ("\ufeffid,text\n1,a\n2,b\n".encode(), [1, 2]),
        ("id,text\n1,a\n2,b\n".encode("utf-16"), [1, 2]),
        ("\ufeffid,text\n1,a\n2,b\n".encode("utf-32-be"), [1, 2]),
    ],
    ids=["line-ends-of-old", "blank-lines", "utf8-mark", "utf16-mark", "utf32-mark"],
)
def test_csv_in_other_clothes(tmp_path: Path, data: bytes, rows: list[int]) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(data)
    assert [(record.row, record.fields) for record in read_records(path)] == [
        (1, {"id": "1", "text": "a"}),
        (2, {"id": "2", "text": "b"}),
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
def test_jsonl_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('{"text": "zwölf 🙂"}\r\n\r\n{"text": "b"}'.encode(encoding))
    said = encoding if encoding == "utf-16-le" else None
    assert [(record.row, record.fields["text"]) for record in read_records(path, encoding=said)] == [
        (1, "zwölf 🙂"),
        (3, "b"),
    ]


def test_an_encoding_that_is_said_is_used(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id,text\n1,Größe – “gut”\n".encode("cp1252"))
    assert next(read_records(path, encoding="cp1252")).fields["text"] == "Größe – “gut”"
    path.write_bytes("\ufeffid,text\n1,a\n".encode())
    assert columns_of(path, encoding="UTF8") == ["id", "text"]


def test_bytes_that_are_not_utf8_are_named_and_a_cure_is_offered(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("id,text\n1,gut\n2,Die Größe der Straße ist schön\n".encode("cp1252"))
    rows = read_records(path)
    assert next(rows).fields["text"] == "gut"
    with pytest.raises(DataError) as error:
        next(rows)
    # "id,text\n" and "1,gut\n" are 14 bytes, "2,Die Gr" 8 more.
    assert "row 2: line 3, column 'text': byte 0xf6 at character 7" in str(error.value)
    assert "(byte 22 of the file)" in str(error.value)
    assert "--encoding cp1252" in str(error.value)
    with pytest.raises(DataError, match=r"byte 0xf6 is not UTF-8.*--encoding cp1252"):
        detect_encoding(path)


def test_the_offset_of_a_misfit_is_right_across_blocks(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    good = '{"text": "' + "é" * 600_000 + '"}\n'
    path.write_bytes(good.encode() + b'{"text": "\xff"}\n')
    with pytest.raises(DataError, match=rf"row 2: .*\(byte {len(good.encode()) + 10} of the file\)"):
        list(read_records(path))


def test_detect_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    # The 64 KiB that are looked at end inside a character, which is no fault.
    for text, encoding, expected in [
        ("a" + "é" * 70_000, "utf-8", "utf-8"),
        ("a", "utf-8-sig", "utf-8-sig"),
        ("a", "utf-16", "utf-16"),
    ]:
        path.write_bytes(text.encode(encoding))
        assert detect_encoding(path) == expected


def test_tab_separated_without_quoting(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"frailty " has been written\t1\n')
    with pytest.raises(DataError, match=r"row 1: line 2: a quoted field goes on.*tsv-plain"):
        list(read_records(path))
    assert next(read_records(path, format="tsv-plain")).fields == {
        "text": '"frailty " has been written',
        "label": "1",
    }


def test_bad_rows_are_reported_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\n1,a\n2,"b,c"\n3,b,c\n4\n5,"x"y\n6,\x00\n7,\xff\n8,ok\n')
    bad: list[BadRow] = []
    assert [record.row for record in read_records(path, on_bad=bad.append)] == [1, 2, 8]
    assert [(one.row, one.raw) for one in bad] == [
        (3, "3,b,c"),
        (4, "4"),
        (5, '5,"x"y'),
        (6, "6,\0"),
        (7, "7,\\udcff"),
    ]
    assert "expected 2 fields, found 3" in bad[0].reason
    assert bad[1].where == f"{path}, row 4"
    assert "line 6" in bad[2].reason


def test_bad_rows_of_parquet_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    good = pa.array([b"ok", b"\xff", b"a\0b", b"end"])
    texts = pa.StringArray.from_buffers(4, good.buffers()[1], good.buffers()[2])
    pq.write_table(pa.table({"id": [1, 2, 3, 4], "text": texts}), path)
    bad: list[BadRow] = []
    assert [record.fields["text"] for record in read_records(path, on_bad=bad.append)] == ["ok", "end"]
    assert [(one.row, one.reason.split(";")[0]) for one in bad] == [
        (2, "column 'text': bytes that are not UTF-8"),
        (3, "column 'text': a NUL character (U+0000) at character 2"),
    ]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([["a\0"]]),
        pa.array([{"x": "a\0"}]),
        pa.array([[("k", "a\0")]], pa.map_(pa.string(), pa.string())),
        pa.array(["a\0"]).dictionary_encode(),
        pa.array(["a\0"], pa.string_view()),
    ],
    ids=["list", "struct", "map", "dictionary", "view"],
)
def test_a_nul_deep_in_arrow_is_found(tmp_path: Path, column: pa.Array) -> None:
    path = tmp_path / "a.arrow"
    table = pa.table({"c": column})
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError, match="row 1: column 'c': a NUL character"):
        list(read_records(path))


def test_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    stdin(monkeypatch, b'{"text": "a"}\n')
    assert [(record.file, record.fields) for record in read_records("-", format="jsonl")] == [
        ("standard input", {"text": "a"})
    ]
    kept = sys.stdin
    stdin(monkeypatch, b"text\na\n")
    assert [record.fields for record in read_records("-", format="csv")] == [{"text": "a"}]
    assert not sys.stdin.buffer.closed
    assert not kept.buffer.closed
    stdin(monkeypatch, b"text\n\xff\n")
    with pytest.raises(DataError, match=r"standard input, row 1: .*hint: say the encoding"):
        list(read_records("-", format="csv"))


def test_standard_input_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.BytesIO()
    table = pa.table({"text": ["a", "b"]})
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    stdin(monkeypatch, sink.getvalue())
    assert [record.fields["text"] for record in read_records("-", format="arrow")] == ["a", "b"]


def test_standard_input_needs_a_format_that_can_be_piped() -> None:
    with pytest.raises(ConfigError, match="--format"):
        read_records("-")
    with pytest.raises(DataError, match="cannot be read from a pipe"):
        list(read_records("-", format="parquet"))
    with pytest.raises(DataError, match="cannot be known"):
        columns_of("-", format="csv")
    assert count_rows("-", format="csv") is None


def test_a_folder_of_files_is_read_in_order(tmp_path: Path) -> None:
    for number in (2, 10, 1):
        write(tmp_path / f"part-{number:02}.csv", [f"of {number}", "more"])
    (tmp_path / "README.md").write_text("not data")
    (tmp_path / "_SUCCESS.csv").write_text("")
    records = list(read_records(tmp_path, columns=["text"]))
    assert [record.fields["text"] for record in records] == ["of 1", "more", "of 2", "more", "of 10", "more"]
    assert [(Path(record.file).name, record.row) for record in records[2:4]] == [
        ("part-02.csv", 1),
        ("part-02.csv", 2),
    ]
    assert columns_of(tmp_path) == ["id", "text"]
    assert count_rows(tmp_path) == 6
    assert find_file(tmp_path).format == "folder"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.csv", "b.jsonl"], r"several formats \(csv, jsonl\)"),
        (["train-0.csv", "test-0.csv"], r"several splits \(test, train\)"),
        ([], "holds no rows"),
    ],
)
def test_folders_that_cannot_be_meant(tmp_path: Path, names: list[str], message: str) -> None:
    for name in names:
        write(tmp_path / name, ["a"])
    with pytest.raises(DataError, match=message):
        list(read_records(tmp_path))


def test_files_of_a_folder_must_have_the_same_columns(tmp_path: Path) -> None:
    write(tmp_path / "a.csv", ["a"])
    (tmp_path / "b.csv").write_text("id,review\n1,x\n")
    with pytest.raises(
        DataError, match=r"b\.csv: expected the columns of .*a\.csv \(id, text\), found id, review"
    ):
        list(read_records(tmp_path))
    write(tmp_path / "c.jsonl", ["one"])
    assert [record.fields["text"] for record in read_records(tmp_path, format="jsonl")] == ["one"]


def test_a_data_set_saved_by_datasets(tmp_path: Path) -> None:
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [0, 1, 2]}).select([2, 0])
    data.save_to_disk(str(tmp_path / "one"))
    assert [(record.row, record.fields) for record in read_records(tmp_path / "one", columns=["text"])] == [
        (1, {"text": "c", "label": 2}),
        (2, {"text": "a", "label": 0}),
    ]
    assert columns_of(tmp_path / "one") == ["text", "label"]
    assert count_rows(tmp_path / "one") == 2
    datasets.DatasetDict({"train": data, "test": data}).save_to_disk(str(tmp_path / "two"))
    with pytest.raises(DataError, match="expected one split, found train, test"):
        list(read_records(tmp_path / "two"))
    assert len(list(read_records(tmp_path / "two" / "train"))) == 2
    next((tmp_path / "one").glob("*.arrow")).write_bytes(b"broken")
    with pytest.raises(DataError, match="cannot be read as a saved data set"):
        list(read_records(tmp_path / "one"))


def test_a_folder_that_only_datasets_can_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("hello\nworld\n")
    assert [(record.row, record.fields) for record in read_records(tmp_path)] == [
        (1, {"text": "hello"}),
        (2, {"text": "world"}),
    ]
    assert columns_of(tmp_path) == ["text"]
    assert count_rows(tmp_path) is None
    with pytest.raises(DataError, match="no column 'body'"):
        list(read_records(tmp_path, columns=["body"]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("revews.csv", r"revews\.csv: no such file; did you mean 'reviews\.csv'\?"),
        ("nowhere/a.csv", "the folder .*nowhere does not exist"),
        ("a\0.csv", "no such file|cannot be opened"),
        ("x" * 300 + ".csv", "cannot be opened"),
    ],
)
def test_files_that_are_not_there(tmp_path: Path, name: str, message: str) -> None:
    write(tmp_path / "reviews.csv", ["a"])
    with pytest.raises(DataError, match=message):
        read_records(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.ods", "the ending '.ods' does not show the format"),
        ("a", "a name without an ending"),
        ("a.parquet.gz", "compresses its own"),
    ],
)
def test_names_that_tell_no_format(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / name).write_text("text\na\n")
    with pytest.raises(DataError, match=message):
        read_records(tmp_path / name)
    assert (
        [record.fields for record in read_records(tmp_path / name.replace(".gz", ".csv"), format="csv")]
        if name == "a"
        else True
    )


def test_what_is_said_must_be_known(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", ["a"])
    with pytest.raises(ConfigError, match="format 'cvs' is not known; did you mean 'csv'"):
        read_records(path, format="cvs")
    for encoding in ("cp12522", "base64", "a\0b"):
        with pytest.raises(ConfigError, match="is not known; expected a name such as utf-8"):
            list(read_records(path, encoding=encoding))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"txt": "a"}, "no column 'text'; did you mean 'txt'"),
        ({"text": None}, "expected text, found null"),
        ({"text": 7}, "expected text, found the number 7"),
        ({"text": True}, "expected text, found true"),
        ({"text": ["a"]}, "expected text, found a list"),
        ({"text": {"a": 1}}, "expected text, found an object"),
        ({"text": b"a"}, "expected text, found a bytes"),
        ({"text": ""}, "the text is empty"),
        ({"text": " \t\n\u3000"}, "the text is empty"),
        ({"text": "a\0"}, "NUL"),
        ({"text": "a\ud800"}, r"lone surrogate U\+D800"),
    ],
)
def test_what_is_no_text(fields: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=f"f, row 9.*{message}"):
        text_of(Record(fields=fields, file="f", row=9), "text")


def test_text_comes_out_as_it_is() -> None:
    record = Record(fields={"text": " é\t", "none": " "}, file="f", row=1)
    assert text_of(record, "text") == " é\t"
    assert text_of(record, "none", empty="allow") == " "


def test_memory_stays_flat(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    line = "123,some text of a customer that goes on for a while,positive\n"
    peaks = []
    for rows in (30_000, 90_000):
        path.write_text("id,text,label\n" + line * rows)
        tracemalloc.start()
        assert sum(1 for _ in read_records(path)) == rows
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    # 90,000 rows are 6 MB of text; a megabyte or so of lines is held at once.
    assert peaks[1] < peaks[0] * 1.2
    assert peaks[1] < 5e6


def test_rows_of_a_large_file_are_estimated(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text\n" + ("x" * 99 + "\n") * 200_000)
    estimate = count_rows(path)
    assert estimate is not None
    assert abs(estimate - 200_000) < 10


def test_reading_can_stop_early(tmp_path: Path) -> None:
    for format in FORMATS:
        rows = read_records(write(tmp_path / f"a.{format}", ["a", "b"]))
        assert next(rows).row == 1
        rows.close()  # type: ignore[attr-defined]  # an unclosed file would be a warning, and warnings are errors


CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
ODD = st.sampled_from(
    [
        "👩‍👩‍👧‍👦",
        "\u202eabc\u202c",
        "Z̷̧͑a̸l",
        "\u200b",
        "\U000e0041",
        "é",
        "e\u0301",
        "ｆｕｌｌ",
        "\U0003fffe",
        "한국어",
        "العربية",
        "हिन्दी",
        "\x1a",
        "\x85",
        "\u2028",
        "\ufeff",
    ]
)


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
@settings(max_examples=tries(200, 50), deadline=None)
@given(
    texts=st.lists(
        st.one_of(st.text(CHARACTERS), ODD, st.text(st.sampled_from("\",\r\n\t '\\a"))),
        min_size=1,
        max_size=6,
    )
)
@example(texts=["x" * 1_000_000, "é" * 10_000_000])
def test_any_text_comes_out_as_it_went_in(
    tmp_path_factory: pytest.TempPathFactory, format: str, texts: list[str]
) -> None:
    # A file full of control characters counts as binary
    assume(sum(map("".join(texts).count, map(chr, range(32)))) < 10)
    texts = [*texts, "x" * 200]
    path = write(tmp_path_factory.getbasetemp() / f"unicode.{format}", texts)
    assert [record.fields["text"] for record in read_records(path)] == texts


def test_a_bad_line_far_into_a_file_is_told_as_it_stands(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("id,text\n" + '1,"two\nlines"\n' * 200_000 + '7,"x"y\n8,z\n')
    bad: list[BadRow] = []
    assert sum(1 for _ in read_records(path, on_bad=bad.append)) == 200_001
    assert [(one.row, one.raw, one.reason.split(":")[0]) for one in bad] == [
        (200_001, '7,"x"y', "line 400002")
    ]
