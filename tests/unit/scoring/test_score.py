from __future__ import annotations

import csv
import io
import json
import os
import sys
import tracemalloc
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nlpkit.errors import ConfigError, DataError, NlpkitError, RunError
from nlpkit.scoring import batches, writers
from nlpkit.scoring.score import Progress, score_file
from nlpkit.tasks.prediction import Prediction

ENDINGS = [".csv", ".tsv", ".jsonl", ".csv.gz", ".jsonl.gz", ".parquet", ".arrow"]
TRICKY = [
    "NA",
    "null",
    "None",
    "nan",
    "007",
    "1e5",
    "true",
    "0.10",
    "a,b",
    'say "no"',
    "two\nlines",
    "a\rb",
    "tab\there",
    "é😀",
    " spaced ",
]
ROWS = [{"id": f"{n:03}", "text": text, "note": ""} for n, text in enumerate(TRICKY)]


@pytest.mark.parametrize("ending_out", ENDINGS)
@pytest.mark.parametrize("ending_in", ENDINGS)
def test_every_format_goes_to_every_format(tmp_path, engine, write, read, ending_in, ending_out):
    source, target = write(tmp_path / f"in{ending_in}", ROWS), tmp_path / f"out{ending_out}"
    summary = score_file(engine, source, target, chunk_rows=4)
    assert (summary.rows, summary.rejected, summary.resumed_from, summary.output) == (len(ROWS), 0, 0, target)
    found = read(target)
    assert [{name: row[name] for name in ("id", "text", "note")} for row in found] == ROWS
    assert list(found[0]) == ["id", "text", "note", "label", "score", "p_negative", "p_positive"]
    for row, given in zip(found, ROWS, strict=True):
        answer = engine.answer(given["text"])
        assert row["label"] == answer.label
        assert float(row["score"]) == round(answer.score, 6)
        assert float(row["p_positive"]) == round(answer.probabilities["positive"], 6)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({source.name, target.name})


def test_r2_a_sheet_is_scored_with_its_types(tmp_path, engine, read):
    book = openpyxl.Workbook()
    for cells in (["text", "n", "day"], ["good", 3, datetime(2026, 2, 3)], ["bad", 2, "later"]):
        book.active.append(cells)
    book.create_sheet("two").append(["text"])
    book.save(tmp_path / "in.xlsx")
    options = {"format": "xlsx:Sheet"}
    with pytest.raises(DataError, match="hint: name one, as with --format xlsx:Sheet "):
        score_file(engine, tmp_path / "in.xlsx", tmp_path / "out.csv")
    score_file(engine, tmp_path / "in.xlsx", tmp_path / "out.csv", **options)
    assert [row["day"] for row in read(tmp_path / "out.csv")] == ["2026-02-03", "later"]
    score_file(engine, tmp_path / "in.xlsx", tmp_path / "out.parquet", **options)
    rows = pq.read_table(tmp_path / "out.parquet").to_pylist()
    assert [(row["n"], row["day"]) for row in rows] == [(3, "2026-02-03"), (2, "later")]
    assert rows[0]["label"] == engine.answer("good").label
    with pytest.raises(ConfigError, match=r"'xlsx' cannot be written.*hint: write CSV.* -o scored\.csv"):
        score_file(engine, tmp_path / "in.xlsx", tmp_path / "out.xlsx", **options)


def test_r3_tasks_of_a_labeling_tool_are_scored_labeled_or_not(tmp_path, engine, read):
    tasks = [{"id": n, "data": {"review": text}, "annotations": []} for n, text in enumerate(["good", "bad"])]
    tasks.append({**tasks[0], "annotations": [{"result": [], "was_cancelled": True}]})
    (tmp_path / "in.json").write_text(json.dumps(tasks))
    summary = score_file(engine, tmp_path / "in.json", tmp_path / "out.jsonl", text="review")
    assert (summary.rows, summary.rejected) == (3, 0)
    assert [(row["id"], row["label"]) for row in read(tmp_path / "out.jsonl")] == [
        (n, engine.answer(text).label) for n, text in ((0, "good"), (1, "bad"), (0, "good"))
    ]


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
@pytest.mark.parametrize("tool", ["label-studio", "doccano", "argilla", "prodigy"])
def test_r3_predictions_are_written_for_a_labeling_tool(tmp_path, engine, write, tool, ending):
    rows = [{"body": f"good {n}", "site": "web"} for n in range(5)]
    source, target = write(tmp_path / f"in{ending}", rows), tmp_path / "tasks.json"
    options = {"text": "body", "output_format": tool, "chunk_rows": 2}
    score_file(engine, source, target, **options)
    is_array = tool in ("label-studio", "argilla")
    text = target.read_text()
    tasks = json.loads(text) if is_array else [json.loads(line) for line in text.splitlines()]
    assert len(tasks) == 5
    answer = engine.answer("good 0")
    score = round(answer.probabilities[answer.label], 6)
    choice = {
        "from_name": "label",
        "to_name": "text",
        "type": "choices",
        "value": {"choices": [answer.label]},
    }
    expected = {
        "label-studio": {
            "data": {"site": "web", "body": "good 0"},
            "predictions": [{"model_version": "nlpkit", "score": score, "result": [choice]}],
        },
        "doccano": {"text": "good 0", "label": [answer.label], "meta": {"site": "web", "score": score}},
        "argilla": {
            "fields": {"text": "good 0"},
            "metadata": {"site": "web"},
            "suggestions": {"label": {"value": answer.label, "score": score, "agent": "nlpkit"}},
        },
        "prodigy": {"text": "good 0", "label": answer.label, "score": score, "meta": {"site": "web"}},
    }
    assert tasks[0] == expected[tool]
    with pytest.raises(ConfigError, match="reads no packed files"):
        score_file(engine, source, tmp_path / "tasks.json.gz", **options)
    if is_array:
        with pytest.raises(ConfigError, match=r"complete only at the end.*hint: .* -o scored\.json$"):
            score_file(engine, source, "-", **options)


def test_r3_what_is_no_label_is_not_written_for_a_labeling_tool(tmp_path, engine, write, monkeypatch):
    monkeypatch.setattr(type(engine), "columns", {"value": "float"})
    with pytest.raises(ConfigError, match=r"prodigy takes labels, but .* answers with value; hint: "):
        score_file(engine, write(tmp_path / "in.csv", ROWS), tmp_path / "a.json", output_format="prodigy")


def test_json_types_are_kept_in_json_and_typed_in_tables(tmp_path, engine, write, read):
    rows = [
        {
            "text": "a",
            "n": 1,
            "f": 1,
            "ok": True,
            "mix": 1,
            "deep": {"k": [1, None]},
            "big": 2**70,
            "s": None,
        },
        {"text": "b", "n": -5, "f": 0.5, "ok": None, "mix": "x", "late": "yes", "s": "007"},
    ]
    source = write(tmp_path / "in.jsonl", rows)
    score_file(engine, source, tmp_path / "out.jsonl")
    kept = [
        {name: value for name, value in row.items() if name in given}
        for row, given in zip(read(tmp_path / "out.jsonl"), rows, strict=True)
    ]
    assert kept == rows

    score_file(engine, source, tmp_path / "out.parquet")
    table = pq.read_table(tmp_path / "out.parquet")
    types = {field.name: str(field.type) for field in table.schema}
    expected = {
        "n": "int64",
        "f": "double",
        "ok": "bool",
        "mix": "string",
        "deep": "string",
        "late": "string",
        "label": "string",
        "score": "double",
    }
    assert {name: types[name] for name in expected} == expected
    first, second = table.to_pylist()
    assert (first["n"], first["f"], first["ok"], first["mix"], first["late"], first["s"]) == (
        1,
        1.0,
        True,
        "1",
        None,
        None,
    )
    assert json.loads(first["deep"]) == {"k": [1, None]}
    assert json.loads(first["big"]) == 2**70
    assert (second["mix"], second["late"], second["ok"], second["s"]) == ('"x"', "yes", None, "007")

    score_file(engine, source, tmp_path / "out.csv")
    cells = read(tmp_path / "out.csv")
    assert (cells[0]["ok"], cells[0]["deep"], cells[0]["late"], cells[1]["f"], cells[1]["mix"]) == (
        "true",
        '{"k": [1, null]}',
        "",
        "0.5",
        "x",
    )


def test_table_types_are_kept_from_table_to_table(tmp_path, engine, read):
    table = pa.table(
        {
            "text": pa.array(["a", "b", "c"]).dictionary_encode(),
            "when": pa.array([datetime(2024, 5, 1), None, datetime(2024, 5, 2, 3)], pa.timestamp("us")),
            "n": pa.array([1, 2, None], pa.int8()),
            "tags": pa.array([["x"], [], None], pa.list_(pa.string())),
        }
    ).replace_schema_metadata({"huggingface": "{}"})
    pq.write_table(table, tmp_path / "in.parquet")
    for target in (tmp_path / "out.parquet", tmp_path / "out.arrow"):
        score_file(engine, tmp_path / "in.parquet", target, chunk_rows=2)
        assert [{name: row[name] for name in table.column_names} for row in read(target)] == table.to_pylist()
    schema = pq.read_schema(tmp_path / "out.parquet")
    assert [str(schema.field(name).type) for name in table.column_names] == [
        "string",
        "timestamp[us]",
        "int8",
        "list<element: string>",
    ]
    assert schema.metadata is None
    score_file(engine, tmp_path / "in.parquet", tmp_path / "out.csv")
    cells = read(tmp_path / "out.csv")
    assert [cell["when"] for cell in cells] == ["2024-05-01T00:00:00", "", "2024-05-02T03:00:00"]
    assert [cell["tags"] for cell in cells] == ['["x"]', "[]", ""]


def test_equal_texts_of_a_chunk_are_asked_once_and_order_is_kept(tmp_path, engine, write, read):
    texts = ["b", "a", "b", "b", "c", "a", "d", "d"]
    source = write(tmp_path / "in.csv", [{"text": text} for text in texts])
    score_file(engine, source, tmp_path / "out.csv", chunk_rows=5)
    assert engine.asked == [["b", "a", "c"], ["a", "d"]]
    assert [row["text"] for row in read(tmp_path / "out.csv")] == texts


@pytest.mark.parametrize("ending", [".csv", ".jsonl.gz", ".parquet", ".arrow"])
@pytest.mark.parametrize("error", [RuntimeError("x"), KeyboardInterrupt()])
def test_a_broken_scoring_goes_on_and_makes_the_same_bytes(tmp_path, make_engine, write, ending, error):
    source = write(tmp_path / "in.csv", [{"text": f"text {n % 17}", "n": n} for n in range(50)])
    target, whole = tmp_path / f"out{ending}", tmp_path / f"whole{ending}"
    score_file(make_engine(), source, whole, chunk_rows=7)
    for broken in range(1, 8):
        # The rate of successes differs: each round breaks one chunk later.
        with pytest.raises(type(error)):
            score_file(make_engine(break_at=broken, error=error), source, target, chunk_rows=7)
        assert not target.exists()
        engine = make_engine()
        summary = score_file(engine, source, target, chunk_rows=7)
        assert (summary.resumed_from, summary.rows, len(engine.asked)) == (7 * broken, 50, 8 - broken)
        assert target.read_bytes() == whole.read_bytes()
        assert not (tmp_path / f"out{ending}.nlpkit").exists()
        target.unlink()


def test_nothing_is_left_behind_when_not_one_chunk_was_done(tmp_path, make_engine, write):
    source = write(tmp_path / "in.csv", ROWS)
    with pytest.raises(RuntimeError):
        score_file(make_engine(break_at=0), source, tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


@pytest.fixture
def begun(tmp_path, make_engine, write):
    """An input whose scoring was stopped after its first chunk."""
    source = write(tmp_path / "in.csv", [{"text": f"text {n}"} for n in range(20)])
    with pytest.raises(RuntimeError):
        score_file(make_engine(break_at=1), source, tmp_path / "out.csv", chunk_rows=5)
    return source


def test_changed_input_is_refused_unless_overwritten(tmp_path, engine, begun):
    with begun.open("a") as file:
        file.write("one more\n")
    with pytest.raises(
        DataError, match=r"5 rows are done, but the content of the input has changed.*--overwrite"
    ):
        score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5)
    summary = score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5, overwrite=True)
    assert (summary.rows, summary.resumed_from) == (21, 0)


def test_one_changed_byte_is_seen_even_with_the_same_size_and_time(tmp_path, engine, begun):
    status = begun.stat()
    begun.write_bytes(begun.read_bytes().replace(b"text 19", b"text 18"))
    os.utime(begun, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(DataError, match="content of the input has changed"):
        score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5)


def test_a_new_time_alone_is_no_change(tmp_path, engine, begun):
    os.utime(begun, ns=(1, 1))
    assert score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5).resumed_from == 5


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"chunk_rows": 6}, "rows of a chunk"),
        ({"raw_csv": True}, "raw csv"),
        ({"prefix": "m_"}, "columns"),
        ({"encoding": "latin-1"}, "encoding"),
    ],
)
def test_changed_settings_are_refused_by_name(tmp_path, engine, begun, changed, named):
    with pytest.raises(RunError, match=rf"other settings: {named} \("):
        score_file(engine, begun, tmp_path / "out.csv", **{"chunk_rows": 5, **changed})


def test_another_model_is_refused_unless_overwritten(tmp_path, make_engine, begun, read):
    other = make_engine(fingerprint="fake-2")
    with pytest.raises(RunError, match=r"model \(fake-1 then, fake-2 now\)"):
        score_file(other, begun, tmp_path / "out.csv", chunk_rows=5)
    assert score_file(other, begun, tmp_path / "out.csv", chunk_rows=5, overwrite=True).resumed_from == 0
    assert len(read(tmp_path / "out.csv")) == 20


def test_overwrite_goes_on_with_work_that_fits(tmp_path, engine, begun):
    assert score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5, overwrite=True).resumed_from == 5


def test_a_damaged_state_is_refused_unless_overwritten(tmp_path, engine, begun):
    (tmp_path / "out.csv.nlpkit" / "state.json").write_text("{}")
    with pytest.raises(DataError, match=r"state\.json: cannot be read.*--overwrite"):
        score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5)
    assert score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5, overwrite=True).resumed_from == 0


def test_lost_bytes_are_refused(tmp_path, engine, begun):
    (tmp_path / "out.csv.nlpkit" / "partial").write_bytes(b"text")
    with pytest.raises(DataError, match="bytes were written, but 4 are there"):
        score_file(engine, begun, tmp_path / "out.csv", chunk_rows=5)


def test_an_input_that_changes_while_it_is_scored_is_refused(tmp_path, make_engine, write):
    source = write(tmp_path / "in.csv", [{"text": f"text {n}"} for n in range(20)])

    class Meddling(make_engine):
        def predict(self, texts):
            with source.open("a") as file:
                file.write("\n")
            return super().predict(texts)

    with pytest.raises(DataError, match="changed while it was scored"):
        score_file(Meddling(), source, tmp_path / "out.csv", chunk_rows=5)
    assert not (tmp_path / "out.csv").exists()


def test_an_input_that_is_only_touched_while_it_is_scored_is_scored(tmp_path, make_engine, write):
    source = write(tmp_path / "in.csv", [{"text": f"text {n}"} for n in range(20)])

    class Touching(make_engine):
        def predict(self, texts):
            os.utime(source, ns=(1, 1))
            return super().predict(texts)

    assert score_file(Touching(), source, tmp_path / "out.csv", chunk_rows=5).rows == 20


def test_an_existing_output_stays_until_the_new_one_is_whole(tmp_path, make_engine, write, read):
    source, target = write(tmp_path / "in.csv", ROWS), tmp_path / "out.csv"
    target.write_text("precious")
    with pytest.raises(ConfigError, match=r"out\.csv: exists already; hint: replace it with --overwrite"):
        score_file(make_engine(), source, target)
    with pytest.raises(RuntimeError):
        score_file(make_engine(break_at=1), source, target, overwrite=True, chunk_rows=5)
    assert target.read_text() == "precious"
    score_file(make_engine(), source, target, overwrite=True, chunk_rows=5)
    assert len(read(target)) == len(ROWS)


def test_rejected_rows_go_to_a_file_of_their_own_and_resume(tmp_path, make_engine, read):
    lines = [
        "text,n",
        *(f"text {n},{n}" for n in range(10)),
        " ,empty",
        "too,many,fields",
        *(f"text {n},{n}" for n in range(10, 14)),
        "short",
    ]
    source = tmp_path / "in.csv"
    source.write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="row 11, column 'text': the text is empty"):
        score_file(make_engine(), source, tmp_path / "stopped.csv", chunk_rows=4)
    for broken in (None, 1, 2, 3):
        target = tmp_path / f"out{broken}.csv"
        if broken:
            with pytest.raises(RuntimeError):
                score_file(make_engine(break_at=broken), source, target, chunk_rows=4, on_error="skip")
        summary = score_file(make_engine(), source, target, chunk_rows=4, on_error="skip")
        assert (summary.rows, summary.rejected, summary.rejects) == (14, 3, Path(f"{target}.rejects.jsonl"))
        assert [row["n"] for row in read(target)] == [str(n) for n in range(14)]
        rejects = read(summary.rejects)
        assert [(row["file"], row["row"]) for row in rejects] == [
            (str(source), 11),
            (str(source), 12),
            (str(source), 17),
        ]
        assert [word in row["reason"] for word, row in zip(("empty", "3", "1"), rejects, strict=True)] == [
            True
        ] * 3
        assert rejects[1]["raw"] == "too,many,fields"
        assert target.read_bytes() == (tmp_path / "outNone.csv").read_bytes()
        assert summary.rejects.read_bytes() == (tmp_path / "outNone.csv.rejects.jsonl").read_bytes()


def test_a_stopped_scoring_can_go_on_by_skipping(tmp_path, engine):
    source = tmp_path / "in.csv"
    source.write_text("text\na\nb\n \nc\n")
    with pytest.raises(DataError, match="row 3"):
        score_file(engine, source, tmp_path / "out.csv", chunk_rows=2)
    summary = score_file(engine, source, tmp_path / "out.csv", chunk_rows=2, on_error="skip")
    assert (summary.resumed_from, summary.rows, summary.rejected) == (2, 3, 1)


def test_old_rejects_are_neither_overwritten_nor_left_to_mislead(tmp_path, engine, write):
    source, old = write(tmp_path / "in.csv", ROWS), tmp_path / "out.csv.rejects.jsonl"
    old.write_text("old")
    with pytest.raises(ConfigError, match=r"rejects\.jsonl: exists already"):
        score_file(engine, source, tmp_path / "out.csv", on_error="skip")
    assert score_file(engine, source, tmp_path / "out.csv", overwrite=True).rejects is None
    assert not old.exists()


def test_no_row_that_can_be_scored_is_an_error(tmp_path, engine):
    source = tmp_path / "in.csv"
    source.write_text("text,n\n ,1\n ,2\n")
    with pytest.raises(DataError, match="none of its 2 rows can be scored"):
        score_file(engine, source, tmp_path / "out.csv", on_error="skip")
    assert not (tmp_path / "out.csv").exists()


def test_s7_formulas_are_made_inert_and_counted_in_csv_alone(tmp_path, engine, write, read):
    formulas = [
        "=1+1", "＝1+1", "\n=1+1", "\t =1", "@SUM(1)", "@cmd|' /C calc'!A0", "+cmd|' /C calc'!A0",
        "+A1", "-x",
        "- 5", "-1 + 2", "+ a SUM(B1)", "-a b Sheet2!$B$1",
    ]  # fmt: skip
    texts = [
        "-5", "+1.5e3", "-.5", "'=1", "plain", "@airline thank you", "@a (again)", "@airline",
        "- the food is good",
        "+ quick, - loud!", "\tt", "\rr", "a = b",
    ]  # fmt: skip
    texts += formulas
    source = write(tmp_path / "in.jsonl", [{"text": text, "=n": 1} for text in texts])
    safe = [f"'{text}" if text in formulas else text for text in texts]
    for target, expected in [("o.csv", safe), ("o.tsv", safe), ("o.jsonl", texts), ("o.parquet", texts)]:
        summary = score_file(engine, source, tmp_path / target)
        assert summary.guarded == (len(formulas) if expected is safe else 0)
        found = read(tmp_path / target)
        assert [row["text"] for row in found] == expected
        assert ("'=n" in found[0]) == (expected is safe)
    score_file(engine, source, tmp_path / "raw.csv", raw_csv=True)
    assert [row["text"] for row in read(tmp_path / "raw.csv")] == texts


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_a_column_that_would_be_replaced_is_an_error_that_a_prefix_cures(
    tmp_path, engine, write, read, ending
):
    source = write(tmp_path / f"in{ending}", [{"text": "a", "score": "5"}])
    with pytest.raises(ConfigError, match=r"column 'score' already.*--prefix"):
        score_file(engine, source, tmp_path / "out.jsonl")
    assert not list(tmp_path.glob("out*"))
    score_file(engine, source, tmp_path / "out.jsonl", prefix="model_")
    (row,) = read(tmp_path / "out.jsonl")
    assert (row["score"], row["model_score"]) == ("5", round(engine.answer("a").score, 6))


def test_floats_are_rounded_and_never_minus_zero(tmp_path, make_engine, write):
    class Tiny(make_engine):
        columns: ClassVar = {"label": "string", "score": "float", "p_a": "float", "spread": "float"}

        @staticmethod
        def answer(text):
            return Prediction(label="a", score=-1e-9, probabilities={"a": 1 / 3})

    source = write(tmp_path / "in.csv", [{"text": "a"}])
    score_file(Tiny(), source, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "text,label,score,p_a,spread\na,a,0.0,0.333333,\n"


def test_an_answer_that_is_no_number_is_an_error(tmp_path, make_engine, write):
    class Broken(make_engine):
        @staticmethod
        def answer(text):
            return Prediction(label="a", score=float("nan"))

    with pytest.raises(NlpkitError, match=r"row 1: the model answers nan for 'score'"):
        score_file(Broken(), write(tmp_path / "in.csv", [{"text": "a"}]), tmp_path / "out.csv")


def test_progress_tells_rows_total_and_time_left(tmp_path, make_engine, write):
    source = write(tmp_path / "in.csv", [{"text": f"text {n}"} for n in range(20)])
    with pytest.raises(RuntimeError):
        score_file(make_engine(break_at=1), source, tmp_path / "out.csv", chunk_rows=5)
    seen: list[Progress] = []
    score_file(make_engine(), source, tmp_path / "out.csv", chunk_rows=5, progress=seen.append)
    assert [(one.rows, one.total, one.resumed_from) for one in seen] == [
        (rows, 20, 5) for rows in (5, 10, 15, 20)
    ]
    half = Progress(rows=30, total=50, resumed_from=10, seconds=4.0)
    assert (half.rows_per_second, half.seconds_left) == (5.0, 4.0)
    assert Progress(rows=0, total=5, resumed_from=0, seconds=0.0).seconds_left is None


def test_texts_not_read_whole_are_counted(tmp_path, make_engine, write):
    source = write(tmp_path / "in.csv", [{"text": "x" * 2000}, {"text": "y"}, {"text": "x" * 2000}])
    assert score_file(make_engine(), source, tmp_path / "out.csv", chunk_rows=2).partly_read == 2


def test_long_texts_make_smaller_chunks(tmp_path, engine, write, read, monkeypatch):
    monkeypatch.setattr(batches, "_CHARACTERS", 10)
    source = write(tmp_path / "in.csv", [{"text": text} for text in ["a" * 9, "b" * 3, "c" * 20, "d", "e"]])
    score_file(engine, source, tmp_path / "out.csv")
    assert engine.asked == [["a" * 9, "b" * 3], ["c" * 20], ["d", "e"]]
    assert len(read(tmp_path / "out.csv")) == 5


def test_row_groups_gather_chunks_up_to_a_size(tmp_path, engine, write, monkeypatch):
    source = write(tmp_path / "in.csv", [{"text": f"text {n}"} for n in range(10)])
    monkeypatch.setattr(writers, "_ROW_GROUP", 4)
    score_file(engine, source, tmp_path / "out.parquet", chunk_rows=2)
    groups = pq.ParquetFile(tmp_path / "out.parquet").metadata
    assert [groups.row_group(n).num_rows for n in range(groups.num_row_groups)] == [4, 4, 2]


class _Pipe:
    """Stands in for standard input or output."""

    def __init__(self, data: bytes = b"") -> None:
        self.buffer = io.BytesIO(data)


def test_standard_input_to_standard_output(monkeypatch, engine):
    output = _Pipe()
    monkeypatch.setattr(sys, "stdin", _Pipe(b"text,n\na,1\nb,2\nc,3\n"))
    monkeypatch.setattr(sys, "stdout", output)
    summary = score_file(engine, "-", "-", format="csv", chunk_rows=2)
    assert (summary.rows, summary.output) == (3, None)
    rows = list(csv.DictReader(io.StringIO(output.buffer.getvalue().decode())))
    assert [(row["text"], row["n"]) for row in rows] == [("a", "1"), ("b", "2"), ("c", "3")]
    assert engine.asked == [["a", "b"], ["c"]]


def test_standard_input_to_a_table_and_rejects(monkeypatch, tmp_path, engine, read):
    monkeypatch.setattr(
        sys, "stdin", _Pipe(b'{"text": "a", "n": 1}\n{"text": 5}\n{"text": "b", "n": 2}\n{"text": "c"}\n')
    )
    summary = score_file(engine, "-", tmp_path / "out.parquet", format="jsonl", on_error="skip")
    assert (summary.rows, summary.rejected) == (3, 1)
    assert [(row["text"], row["n"]) for row in read(tmp_path / "out.parquet")] == [
        ("a", 1),
        ("b", 2),
        ("c", None),
    ]
    assert [row["row"] for row in read(tmp_path / "out.parquet.rejects.jsonl")] == [2]


def test_a_late_column_of_standard_input_has_no_place_in_a_table(monkeypatch, tmp_path, engine):
    monkeypatch.setattr(sys, "stdin", _Pipe(b'{"text": "a"}\n{"text": "b", "late": 2}\n'))
    with pytest.raises(DataError, match=r"row 2: column 'late' is not in.*hint: write JSON Lines"):
        score_file(engine, "-", tmp_path / "out.csv", format="jsonl", chunk_rows=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "raised"),
    [(BrokenPipeError(32, "Broken pipe"), BrokenPipeError), (OSError(28, "No space left"), NlpkitError)],
)
def test_a_standard_output_that_fails(monkeypatch, tmp_path, engine, write, error, raised):
    class Failing(io.BytesIO):
        def write(self, data):
            raise error

    output = _Pipe()
    output.buffer = Failing()
    monkeypatch.setattr(sys, "stdout", output)
    with pytest.raises(raised):
        score_file(engine, write(tmp_path / "in.csv", ROWS), "-")


def test_a_late_value_that_does_not_fit_its_column_is_an_error(monkeypatch, tmp_path, engine):
    monkeypatch.setattr(sys, "stdin", _Pipe(b'{"text": "a", "n": 1}\n{"text": "b", "n": "two"}\n'))
    with pytest.raises(DataError, match="do not fit the columns of a parquet file"):
        score_file(engine, "-", tmp_path / "out.parquet", format="jsonl", chunk_rows=1)


def test_a_file_to_standard_output_with_rejects(monkeypatch, tmp_path, engine, read):
    output, source = _Pipe(), tmp_path / "in.csv"
    source.write_text("text\na\n \nb\n")
    monkeypatch.setattr(sys, "stdout", output)
    with pytest.raises(ConfigError, match="--rejects"):
        score_file(engine, source, "-", on_error="skip")
    summary = score_file(
        engine, source, "-", on_error="skip", rejects=tmp_path / "bad.jsonl", output_format="jsonl"
    )
    assert [json.loads(line)["text"] for line in output.buffer.getvalue().splitlines()] == ["a", "b"]
    assert (summary.rejected, [row["row"] for row in read(tmp_path / "bad.jsonl")]) == (1, [2])
    with pytest.raises(ConfigError, match=r"bad\.jsonl: exists already"):
        score_file(engine, source, "-", on_error="skip", rejects=tmp_path / "bad.jsonl")


def _peak(engine, source, target) -> int:
    tracemalloc.start()
    try:
        score_file(engine, source, target, chunk_rows=500)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_memory_does_not_grow_with_the_rows(tmp_path, make_engine, ending, monkeypatch):
    monkeypatch.setattr(writers, "_ROW_GROUP_BYTES", 1 << 20)

    class Forgetful(make_engine):
        def predict(self, texts):
            return [Prediction(label="a", score=0.0, probabilities={"negative": 0.5, "positive": 0.5})] * len(
                texts
            )

    # What is read ahead is a few megabytes, more or less by which thread is ahead, so that both files must be
    # larger than that.
    peaks = []
    for rows in (16_000, 48_000):
        source = tmp_path / f"{rows}.csv"
        source.write_text("text,n\n" + "".join(f"{'some words ' * 15} {n},{n}\n" for n in range(rows)))
        peaks.append(_peak(Forgetful(), source, tmp_path / f"{rows}out{ending}"))
    # Were they kept, 32,000 rows more would hold some 13 MB more.
    assert peaks[1] < peaks[0] + 4_000_000
