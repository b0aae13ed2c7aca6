"""Exports of labeling tools as rows: what becomes of each field, and which rows have no label, and why."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from nlpkit.data.records import BadRow, columns_of, read_records
from nlpkit.data.rows import Record
from nlpkit.errors import DataError

ROLES = {"text": "text", "label": "label"}


def write(path: Path, rows: list[Any]) -> Path:
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(lines if path.suffix == ".jsonl" else json.dumps(rows, indent=1))
    return path


def read(path: Path, **options: Any) -> tuple[list[Record], list[BadRow]]:
    bad: list[BadRow] = []
    return list(read_records(path, on_bad=bad.append, **{"columns": ROLES, **options})), bad


def reasons(bad: list[BadRow]) -> dict[int, str]:
    """Return the reasons by row, without their columns and hints."""
    assert all("; hint: " in row.reason for row in bad)
    return {row.row: row.reason.split("; hint: ")[0].split(": ", 1)[1] for row in bad}


def result(question: str, kind: str, **value: object) -> dict[str, object]:
    return {"from_name": question, "to_name": "text", "type": kind, "value": value}


def task(number: int, text: str, *annotations: list[dict[str, object]], **more: object) -> dict[str, object]:
    listed = [{"id": 1, "result": given, "was_cancelled": not given} for given in annotations]
    return {"id": number, "data": {"text": text, "source": "web"}, "annotations": listed, **more}


GOOD = [result("sentiment", "choices", choices=["good"])]
BAD = [result("sentiment", "choices", choices=["bad"])]
BOTH = [result("sentiment", "choices", choices=["good", "bad"])]
TASKS = [
    task(1, "a fine film", GOOD, predictions=[{"result": BAD, "score": 0.4}]),
    task(2, "dull", BAD, BAD),
    task(3, "so so", GOOD, BAD),
    task(4, "both", BOTH),
    task(5, "nobody"),
    task(6, "skipped", []),
    task(7, "skipped once", [], GOOD),
    task(8, "spans", [result("part", "labels", start=0, end=5, text="spans", labels=["X"])]),
    task(9, "more", [*BAD, result("why", "textarea", text=["so dull"])]),
    task(10, "part of it", [result("sentiment", "choices", start=0, end=4, choices=["good"])]),
]


def test_r3_label_studio_json(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", TASKS)
    rows, bad = read(path)
    assert [(row.row, row.fields["label"]) for row in rows] == [
        (1, "good"),
        (2, "bad"),
        (7, "good"),
        (9, "bad"),
    ]
    assert rows[0].fields == {
        "id": 1, "text": "a fine film", "source": "web", "sentiment": "good", "label": "good",
    }  # fmt: skip
    assert reasons(bad) == {
        3: "its 2 annotators disagree: 'good', 'bad'",
        4: "has 2 labels, expected one: 'good', 'bad'",
        5: "is not labeled",
        6: "was skipped by its annotators",
        8: "marks spans of the text, and has no label of the whole text",
        10: "marks spans of the text, and has no label of the whole text",
    }
    by_question, bad = read(path, columns={"text": "text", "sentiment": "label"})
    assert [row.fields["sentiment"] for row in by_question] == ["good", "bad", "good", "bad"]
    assert [row.row for row in bad] == [3, 4, 5, 6, 8, 10]
    # what needs no label, such as scoring, reads every task
    assert len(read(path, columns=["text"])[0]) == 10
    with pytest.raises(DataError, match=r"row 3: column 'label': its 2 annotators disagree.*--on-error skip"):
        list(read_records(path, columns=ROLES))


def test_r3_label_studio_names_the_columns_that_there_are(tmp_path: Path) -> None:
    two = [*GOOD, result("topic", "choices", choices=["plot"]), result("stars", "rating", rating=4)]
    tasks = [{"id": 1, "data": {"review": "fine", "title": "Film"}, "annotations": [{"result": two}]}]
    path = write(tmp_path / "a.json", tasks)
    with pytest.raises(DataError, match=r"no column 'text'.*hint: --text review "):
        read(path, columns={"text": "text", "topic": "label"})
    rows, bad = read(path, columns={"review": "text", "label": "label"})
    assert rows == []
    assert bad[0].reason.endswith("there are 3 questions; hint: name one, as with --label sentiment")
    rows, bad = read(path, columns={"review": "text", "stars": "label"})
    assert [dict(row.fields) for row in rows] == [
        {"id": 1, "review": "fine", "title": "Film", "sentiment": "good", "topic": "plot", "stars": 4}
    ]
    only = [{"id": 1, "data": {"review": "fine", "label": "old"}, "annotations": [{"result": GOOD}]}]
    rows, bad = read(write(tmp_path / "b.json", only), columns={"review": "text", "label": "label"})
    assert "the text has a field of that name too" in reasons(bad)[1]


MIN = {"id": 1, "annotator": 1, "annotation_id": 7, "lead_time": 2.5}


def test_r3_label_studio_json_min_and_csv(tmp_path: Path) -> None:
    listed = [
        {"text": "a fine film", "sentiment": "good", **MIN},
        {"text": "both", "sentiment": {"choices": ["good", "bad"]}, **MIN},
        {"text": "spans", "sentiment": [{"start": 0, "end": 5, "labels": ["X"]}], **MIN},
    ]
    columns = {"text": "text", "sentiment": "label"}
    expected = {
        2: "has 2 labels, expected one: 'good', 'bad'",
        3: "marks spans of the text, and has no label of the whole text",
    }
    rows, bad = read(write(tmp_path / "a.json", listed), columns=columns)
    assert [dict(row.fields) for row in rows] == [listed[0]]
    assert reasons(bad) == expected
    table = "text,sentiment,id,annotator,annotation_id\na fine film,good,1,1,7\n"
    table += 'both,"{""choices"":[""good"",""bad""]}",1,1,7\n'
    table += 'spans,"[{""start"":0,""end"":5,""labels"":[""X""]}]",1,1,7\n'
    (tmp_path / "a.csv").write_text(table)
    rows, bad = read(tmp_path / "a.csv", columns=columns)
    assert [(row.fields["sentiment"], row.fields["annotation_id"]) for row in rows] == [("good", "7")]
    assert reasons(bad) == expected
    with pytest.raises(DataError, match=r"no column 'label'.*hint: --label sentiment "):
        read(tmp_path / "a.csv")


def test_r3_doccano(tmp_path: Path) -> None:
    listed = [
        {"id": 1, "text": "a fine film", "label": ["good"], "Comments": []},
        {"id": 2, "text": "dull", "label": "bad"},
        {"id": 3, "text": "nobody", "label": []},
        {"id": 4, "text": "both", "label": ["good", "bad"]},
        {"id": 5, "text": "spans", "label": [[0, 5, "X"]]},
        {"id": 6, "text": "spans", "entities": [{"label": "X", "start_offset": 0, "end_offset": 5}]},
        {"id": 7, "data": "old", "label": ["bad"]},
        {"id": 8, "text": "older", "annotations": [{"label": 2, "user": 1}]},
    ]
    rows, bad = read(write(tmp_path / "a.jsonl", listed))
    assert [(row.row, row.fields["text"], row.fields["label"]) for row in rows] == [
        (1, "a fine film", "good"), (2, "dull", "bad"), (7, "old", "bad"), (8, "older", 2),
    ]  # fmt: skip
    assert rows[0].fields["Comments"] == []
    spans = "marks spans of the text, and has no label of the whole text"
    assert reasons(bad) == {
        3: "is not labeled", 4: "has 2 labels, expected one: 'good', 'bad'", 5: spans, 6: spans,
    }  # fmt: skip


def record(number: int, *values: object, **more: object) -> dict[str, object]:
    given = {"label": [{"value": value, "user_id": str(user)} for user, value in enumerate(values)]}
    return {
        "id": str(number), "fields": {"text": f"text {number}"}, "metadata": {"site": "web"},
        "suggestions": {"label": {"value": "bad", "score": 0.9, "agent": "m"}},
        "responses": given if values else {}, "vectors": {}, "status": "completed", **more,
    }  # fmt: skip


def test_r3_argilla_nested(tmp_path: Path) -> None:
    discarded = {"label": [{"value": "good", "user_id": "1", "status": "discarded"}]}
    first = [{"values": {"label": {"value": "good"}}, "user_id": "1", "status": "submitted"}]
    listed = [
        record(1, "good"),
        record(2, "bad", "bad"),
        record(3, "good", "bad"),
        record(4),
        record(5, ["good", "bad"]),
        record(6, [{"label": "X", "start": 0, "end": 4}]),
        record(7, responses=discarded),
        record(8, responses=first, suggestions=[]),  # of Argilla 1
        record(9, [{"value": "a", "rank": 1}]),
    ]
    rows, bad = read(write(tmp_path / "a.json", listed))
    assert [(row.row, row.fields["label"]) for row in rows] == [(1, "good"), (2, "bad"), (8, "good")]
    assert rows[0].fields == {
        "id": "1", "text": "text 1", "site": "web", "label.suggestion": "bad", "label.suggestion.score": 0.9,
        "label": "good",
    }  # fmt: skip
    assert reasons(bad) == {
        3: "its 2 annotators disagree: 'good', 'bad'",
        4: "is not labeled",
        5: "has 2 labels, expected one: 'good', 'bad'",
        6: "marks spans of the text, and has no label of the whole text",
        7: "has only responses that are discarded",
        9: "holds a ranking, which is no label",
    }


def test_r3_argilla_flat(tmp_path: Path) -> None:
    def flat(text: str, values: list[str], states: list[str], **more: object) -> dict[str, object]:
        return {
            "id": "1", "text": text, "mood.responses": values, "mood.responses.users": ["u"] * len(values),
            "mood.responses.status": states, "mood.suggestion": "bad",
        }  # fmt: skip

    listed = [
        flat("a fine film", ["good"], ["submitted"]),
        flat("draft", ["good"], ["draft"]),
        flat("dull", ["bad", "good"], ["submitted", "discarded"]),
    ]
    rows, bad = read(write(tmp_path / "a.jsonl", listed))
    assert [dict(row.fields) for row in rows] == [
        {"id": "1", "text": "a fine film", "mood.suggestion": "bad", "mood": "good", "label": "good"},
        {"id": "1", "text": "dull", "mood.suggestion": "bad", "mood": "bad", "label": "bad"},
    ]
    assert reasons(bad) == {2: "has only responses that are draft"}


def test_r3_prodigy(tmp_path: Path) -> None:
    hashes = {"_input_hash": 1, "_task_hash": 2}
    options = [{"id": "good", "text": "Good"}, {"id": "bad", "text": "Bad"}]
    listed = [
        {"text": "a fine film", "options": options, "accept": ["good"], "answer": "accept", **hashes},
        {"text": "both", "options": options, "accept": ["good", "bad"], "answer": "accept", **hashes},
        {"text": "none", "options": options, "accept": [], "answer": "accept", **hashes},
        {"text": "dull", "label": "bad", "answer": "accept", **hashes},
        {"text": "no", "label": "bad", "answer": "reject", **hashes},
        {"text": "what", "label": "bad", "answer": "ignore", **hashes},
        {"text": "spans", "spans": [{"start": 0, "end": 5, "label": "X"}], "answer": "accept", **hashes},
        {"text": "nobody", "label": "bad"},
    ]
    path = write(tmp_path / "a.jsonl", listed)
    rows, bad = read(path)
    assert [(row.row, row.fields["label"], row.fields["_task_hash"]) for row in rows] == [
        (1, "good", 2), (4, "bad", 2),
    ]  # fmt: skip
    assert reasons(bad) == {
        2: "has 2 labels, expected one: 'good', 'bad'",
        3: "is not labeled",
        5: "was rejected by its annotator",
        6: "was ignored by its annotator",
        7: "marks spans of the text, and has no label of the whole text",
        8: "is not labeled",
    }
    assert len(read(path, columns=["text"])[0]) == 8


@pytest.mark.parametrize("format", ["label-studio", "doccano", "argilla", "prodigy"])
def test_r3_what_is_no_task_is_a_bad_row(tmp_path: Path, format: str) -> None:
    hostile = [
        {"data": {"text": "a"}, "annotations": ["x"]},
        {"data": {"text": "a"}, "annotations": [{"result": 3}]},
        {"fields": {"text": "a"}, "responses": [1], "suggestions": {"x": 1}},
        {"text": "a", "label": {"a": []}, "answer": "accept"},
        {"text": "a", "accept": {}, "answer": "accept"},
        {"text": "a", "label": [{}], "answer": "accept"},
    ]
    rows, bad = read(write(tmp_path / "a.jsonl", hostile), format=format)
    assert len(rows) + len(bad) == 6


def test_r3_exports_are_recognized_in_folders_and_packed_files_and_only_where_it_is_certain(
    tmp_path: Path,
) -> None:
    lines = "".join(json.dumps({"id": n, "text": "a", "label": ["good"]}) + "\n" for n in range(3))
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    assert [row.fields["label"] for row in read(tmp_path)[0]] == ["good"] * 3
    assert [row.fields["label"] for row in read(tmp_path / "a.jsonl.gz")[0]] == ["good"] * 3
    assert [row.fields["label"] for row in read(tmp_path, format="doccano")[0]] == ["good"] * 3
    assert read(tmp_path / "a.jsonl.gz", format="jsonl")[0][0].fields["label"] == ["good"]
    plain = write(
        tmp_path / "plain.jsonl", [{"text": "a", "label": ["x"]}, {"text": "b", "answer": "accept"}]
    )
    assert columns_of(plain) == ["text", "label", "answer"]
    assert read(plain, format="doccano")[0][0].fields["label"] == "x"


def test_r3_tasks_come_while_the_file_is_read(tmp_path: Path) -> None:
    rows = ", ".join([json.dumps(task(1, "some text of a customer that goes on", GOOD))] * 5_000)
    (tmp_path / "a.json").write_text(f"[{rows}, what follows is no JSON")
    tasks = read_records(tmp_path / "a.json", columns=ROLES)
    assert sum(1 for _ in islice(tasks, 1_000)) == 1_000
    with pytest.raises(DataError, match="row 5001: not JSON"):
        list(tasks)
