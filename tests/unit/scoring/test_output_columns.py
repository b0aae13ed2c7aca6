from __future__ import annotations

import json
from datetime import date
from decimal import Decimal

import pyarrow as pa
import pytest

from nlpkit.data.records import Record
from nlpkit.scoring.json_values import json_text
from nlpkit.scoring.output_columns import survey
from nlpkit.scoring.score import score_file


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["a", None], "string"),
        ([True, False], "bool"),
        ([1, 2**63 - 1], "int"),
        ([1, 0.5], "float"),
        ([2**53, 0.5], "float"),
        ([2**53 + 1, 0.5], "json"),  # As a float this number would change.
        ([2**63], "json"),
        ([1, True], "json"),
        ([1, "a"], "json"),
        ([[1]], "json"),
        ([None], "string"),
    ],
)
def test_a_column_gets_the_narrowest_kind_that_changes_nothing(values, kind):
    records = [Record(fields={"x": value}, file="f", row=row) for row, value in enumerate(values, 1)]
    assert survey(records) == {"x": kind}


def test_columns_stand_in_the_order_in_which_they_are_first_seen():
    records = [Record(fields=fields, file="f", row=1) for fields in ({"b": 1}, {"a": 1, "b": 2}, {"c": 1})]
    assert list(survey(records)) == ["b", "a", "c"]


def test_json_text_is_json_whatever_the_value():
    value = {
        "nan": float("nan"),
        "deep": [float("inf"), (1.5,)],
        "day": date(2024, 5, 1),
        "money": Decimal("1.10"),
        "raw": b"a\xff",
        "é": None,
    }
    expected = {
        "nan": None,
        "deep": [None, [1.5]],
        "day": "2024-05-01",
        "money": "1.10",
        "raw": "a\\xff",
        "é": None,
    }
    assert json.loads(json_text(value)) == expected
    assert json_text("é") == '"é"'


def test_an_arrow_stream_with_dictionaries_deep_inside_is_kept(tmp_path, engine, read):
    word = pa.dictionary(pa.int8(), pa.string())
    schema = pa.schema(
        [("text", word), ("tags", pa.list_(word)), ("who", pa.struct([("name", word), ("age", pa.int16())]))]
    )
    rows = [
        {"text": "a", "tags": ["x", "y"], "who": {"name": "n", "age": 3}},
        {"text": "b", "tags": None, "who": None},
    ]
    with pa.ipc.new_stream(str(tmp_path / "in.arrow"), schema) as file:
        file.write_table(pa.Table.from_pylist(rows, schema=schema))
    for ending in (".arrow", ".parquet"):
        target = tmp_path / f"out{ending}"
        score_file(engine, tmp_path / "in.arrow", target, chunk_rows=1)
        assert [{name: row[name] for name in schema.names} for row in read(target)] == rows
