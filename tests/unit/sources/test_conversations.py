from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from nlpkit.sources.conversations import chitchat, movie_dialog


def said(sender: str, *texts: str) -> list[dict[str, str]]:
    return [{"text": text, "timestamp": "t", "sender": sender} for text in texts]


def test_chitchat_keeps_who_said_what_and_leaves_out_monologues(tmp_path: Path) -> None:
    found = {
        "c1": {
            "prompt": "Why?",
            "ratings": {"witty": "1", "int": 5},
            "start": "s",
            "messages": [said("A", " Hi ", " "), said("B", "Hey")],
        },
        "c2": {"start": "s", "messages": [said("A", "Anyone?")]},
        "c3": {"start": "s", "messages": [said("A", "Anyone?"), said("B", " ")]},
        "c4": {"start": "s", "messages": [said("B", "One", "Two"), said("A", "Three")]},
    }
    (tmp_path / "d.json").write_text(json.dumps(found))
    chitchat([tmp_path / "d.json"], tmp_path)
    rows = pq.read_table(tmp_path / "chitchat.parquet").to_pylist()
    assert [row["id"] for row in rows] == ["c1", "c4"]
    assert rows[0]["messages"] == [
        {"sender": "A", "text": "Hi", "timestamp": "t"},
        {"sender": "B", "text": "Hey", "timestamp": "t"},
    ]
    assert (rows[0]["prompt"], json.loads(rows[0]["ratings"])) == ("Why?", {"witty": "1", "int": 5})
    assert (rows[1]["prompt"], rows[1]["ratings"]) == (None, None)
    assert [message["text"] for message in rows[1]["messages"]] == ["One", "Two", "Three"]


def test_movie_dialog_keeps_pairs_with_two_sides(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text(',statement,reply\n0,"hi, you",hello \n1,,what?\n2,none,NA\n3,what?, \n')
    movie_dialog([tmp_path / "m.csv"], tmp_path)
    assert pq.read_table(tmp_path / "movie-dialog.parquet").to_pylist() == [
        {"statement": "hi, you", "reply": "hello"},
        {"statement": "none", "reply": "NA"},
    ]
