"""Files of rows, and rows of conversations: whatever stands there is read or refused."""

from __future__ import annotations

import io
import json
from functools import cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from nlpkit.data.conversations import conversations_of
from nlpkit.data.records import BadRow, Record, read_records
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationSource
from tests.fuzz.values import JSON, damaged

PIECES = {
    "csv": [
        *(b"id", b"text", b",", b'"', b'""', b"\r", b"\n", b"\r\n", b";", b"\t", b"\x00", b"\xff"),
        *("é".encode(), b"\xef\xbb\xbf", b"\xff\xfe", b"=1", b" "),
    ],
    "jsonl": [
        *(b"{", b"}", b"[", b"]", b'"', b'"text"', b":", b",", b"1e999", b"9" * 25, b"null", b"NaN", b"\\"),
        *(b"\\u0000", b"\\ud800", b"\n", b"\xff", b"\r", b'{"text":"a"}\n'),
    ],
}


def pieces(format: str) -> st.SearchStrategy[bytes]:
    part = st.one_of(st.sampled_from(PIECES[format]), st.binary(max_size=4))
    return st.lists(part, max_size=40).map(b"".join)


@cache
def columnar(format: str) -> bytes:
    """A file of 60 rows with text, a dictionary, nested values and numbers."""
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


def is_refused(path: Path) -> bool:
    """Whether a bad row ends the reading where nothing takes bad rows."""
    try:
        list(read_records(path))
    except DataError:
        return True
    return False


def read_file(data: bytes, folder: Path, *, format: str) -> None:
    """Rows come out, or a reason; each row once, and as text that any file can hold."""
    path = folder / f"fuzz.{format}"
    path.write_bytes(data)
    bad: list[BadRow] = []
    records: list[Record] = []
    message = ""
    try:
        records.extend(read_records(path, on_bad=bad.append))
    except DataError as error:
        message = str(error)
    assert records or bad or message.startswith(str(path)), message
    rows = [row.row for row in (*records, *bad)]
    assert len(set(rows)) == len(rows)
    assert [record.row for record in records] == sorted(record.row for record in records)
    for row in bad:
        f"{row.reason}{row.raw}".encode()
    for record in records:
        for name, value in record.fields.items():
            f"{name}{value}".encode()
            assert "\0" not in str(value)
    assert not bad or is_refused(path)


MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "assistant", "system"]) | JSON,
        "content": st.text(st.characters(), max_size=4) | JSON,
    }
)
CELL = st.lists(MESSAGE, max_size=5) | JSON | st.lists(MESSAGE, max_size=3).map(json.dumps)
COLUMNS = ("messages", "prompt", "reply", "instruction", "output", "input", "conversation", "speaker", "text")
TALKS = st.fixed_dictionaries(
    {
        "rows": st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, CELL)), max_size=4),
        "bot": st.sampled_from([None, "first", "second", "each", "user", "x", "tool"]),
        "on_bad": st.sampled_from(["stop", "skip"]),
        "shape": st.sampled_from(["auto", "messages", "turns"]),
    }
)


def read_conversations(drawn: dict[str, Any], folder: Path) -> None:
    """Conversations of at least two turns come out, sides taking turns, or a reason."""
    settings = {name: value for name, value in drawn.items() if name != "rows"}
    rows = enumerate(drawn["rows"], start=1)
    records = [Record(fields=fields, file="talk.jsonl", row=row) for row, fields in rows]
    try:
        reading = conversations_of(records, ConversationSource(source="talk", **settings))
    except DataError:
        return
    for conversation in reading.conversations:
        roles = [turn.role for turn in conversation.turns]
        assert len(roles) > 1
        assert all(before != after for before, after in pairwise(roles))
        assert "assistant" in roles[1:]
        texts = [turn.text for turn in conversation.turns]
        assert all(text.strip() for text in texts)
        json.dumps(texts, ensure_ascii=False).encode()


FILES = {
    **{format: (pieces(format), partial(read_file, format=format)) for format in PIECES},
    **{
        format: (damaged(columnar(format)), partial(read_file, format=format))
        for format in ("parquet", "arrow", "feather")
    },
    "conversations": (TALKS, read_conversations),
}
