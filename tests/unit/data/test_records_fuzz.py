"""Whatever stands in a file, only the declared errors come out of the reader."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlpkit.data.records import BadRow, Record, read_records
from nlpkit.errors import DataError
from tests.tries import tries

PIECES = {
    "csv": [
        b"id",
        b"text",
        b",",
        b'"',
        b'""',
        b"\r",
        b"\n",
        b"\r\n",
        b";",
        b"\t",
        b"\x00",
        b"\xff",
        "é".encode(),
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"=1",
        b" ",
    ],
    "jsonl": [
        b"{",
        b"}",
        b"[",
        b"]",
        b'"',
        b'"text"',
        b":",
        b",",
        b"1e999",
        b"9" * 25,
        b"null",
        b"NaN",
        b"\\",
        b"\\u0000",
        b"\\ud800",
        b"\n",
        b"\xff",
        b"\r",
        b'{"text":"a"}\n',
    ],
}


def read(path: Path, data: bytes) -> tuple[list[Record], list[BadRow], str]:
    """What comes out of a file, and the message that the reading ends in."""
    path.write_bytes(data)
    bad: list[BadRow] = []
    records: list[Record] = []
    try:
        for record in read_records(path, on_bad=bad.append):
            records.append(record)
    except DataError as error:
        return records, bad, str(error)
    return records, bad, ""


def looked_at(path: Path, data: bytes) -> None:
    records, bad, message = read(path, data)
    assert records or bad or message.startswith(str(path))
    rows = [one.row for one in records] + [one.row for one in bad]
    assert len(set(rows)) == len(rows)
    # What was read or reported can be written to any file.
    for one in bad:
        f"{one.reason}{one.raw}".encode()
    for record in records:
        for name, value in record.fields.items():
            f"{name}{value}".encode()
            assert "\0" not in str(value)
    # Without `on_bad` the first bad row is an error.
    if bad:
        with pytest.raises(DataError):
            list(read_records(path))


@pytest.mark.parametrize("format", ["csv", "jsonl"])
@settings(max_examples=tries(2_000, 100), deadline=None)
@given(data=st.data())
def test_text_formats(tmp_path_factory: pytest.TempPathFactory, format: str, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz.{format}"
    pieces = st.lists(st.one_of(st.sampled_from(PIECES[format]), st.binary(max_size=4)), max_size=40)
    looked_at(path, data.draw(pieces.map(b"".join)))


def written(format: str) -> bytes:
    table = pa.table(
        {
            "text": [f"text {number} é" for number in range(60)],
            "d": pa.array(["a", "b"] * 30).dictionary_encode(),
            "l": [[{"role": "user"}]] * 60,
            "n": list(range(60)),
        }
    )
    sink = io.BytesIO()
    if format == "parquet":
        pq.write_table(table, sink, row_group_size=25, compression="none")
    else:
        with (pa.ipc.new_file if format == "arrow" else pa.ipc.new_stream)(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=25)
    return sink.getvalue()


WHOLE = {format: written(format) for format in ("parquet", "arrow", "feather")}


@pytest.mark.parametrize("format", WHOLE)
@settings(max_examples=tries(1_000, 50), deadline=None)
@given(data=st.data())
def test_columnar_formats(tmp_path_factory: pytest.TempPathFactory, format: str, data: st.DataObject) -> None:
    path = tmp_path_factory.getbasetemp() / f"fuzz.{format}"
    broken = bytearray(WHOLE[format])
    for _ in range(data.draw(st.integers(1, 8))):
        broken[data.draw(st.integers(0, len(broken) - 1))] = data.draw(st.integers(0, 255))
    looked_at(path, bytes(broken[: data.draw(st.integers(0, len(broken)) | st.just(len(broken)))]))
