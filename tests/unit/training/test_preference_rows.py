"""From files to what TRL is given: which method, what is held out, and KTO's mismatched replies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nlpkit.data.examples import Conversation, Turn
from nlpkit.data.preferences import RatedReply, ReplyPair
from nlpkit.errors import ConfigError, DataError
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.training.preference_trainer import PreferenceTraining, planned_steps, refuse_unready
from nlpkit.training.preferences import PreferenceData, _add_mismatched, load_preferences

WORDS = ["tea", "rain", "song", "road", "moon", "cake", "bird", "lamp", "ship", "tree", "door", "hill"]


def write(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


def pair_file(path: Path, count: int, start: int = 0) -> str:
    rows = [(WORDS[place % 12], WORDS[place // 12], place) for place in range(start, start + count)]
    return write(
        path,
        [{"prompt": f"{a} {b} {n}", "chosen": f"{b} yes {n}", "rejected": f"{a} no {n}"} for a, b, n in rows],
    )


def rated_file(path: Path, count: int) -> str:
    rows = [(WORDS[place % 12], WORDS[place // 12], place) for place in range(count)]
    return write(
        path, [{"prompt": f"{a} {b} {n}", "reply": f"{b} {a} {n}", "rating": n % 3 > 0} for a, b, n in rows]
    )


def load(method: Any = "auto", **data: Any) -> Any:
    return load_preferences(PreferenceData(**data), Dialogue(system="Be kind."), method=method, seed=1)


def test_pairs_mean_dpo_and_anything_else_kto(tmp_path: Path) -> None:
    pairs, rated = pair_file(tmp_path / "pairs.jsonl", 40), rated_file(tmp_path / "rated.jsonl", 60)
    only = load(train=pairs)
    assert (only.method, len(only.train), len(only.held), only.read) == ("dpo", 32, 8, 40)
    assert all(isinstance(one, ReplyPair) for one in (*only.train, *only.held))
    mixed = load(train=[{"source": pairs}, {"source": rated, "limit": 30}])
    assert (mixed.method, mixed.read, len(mixed.train) + len(mixed.held)) == ("kto", 70, 110)
    assert all(isinstance(one, RatedReply) for one in (*mixed.train, *mixed.held))
    assert load("kto", train=pairs).method == "kto"


def test_every_history_has_the_system_prompt_of_the_chat_model(tmp_path: Path) -> None:
    rows = load(train=rated_file(tmp_path / "rated.jsonl", 60))
    assert {row.history.system for row in (*rows.train, *rows.held)} == {"Be kind."}


def test_a_held_out_file_wins_over_training_rows_that_repeat_it(tmp_path: Path) -> None:
    train, held = pair_file(tmp_path / "train.jsonl", 40), pair_file(tmp_path / "held.jsonl", 10, start=35)
    rows = load(train=train, held_out=held, near_duplicates=1.0)
    assert (len(rows.train), len(rows.held), rows.dropped) == (35, 10, 5)
    assert "dropped    5 training rows" in "\n".join(rows.lines())


def test_counts_and_fingerprints_for_the_run(tmp_path: Path) -> None:
    file = rated_file(tmp_path / "rated.jsonl", 60)
    rows = load(train=file)
    described = rows.describe()
    assert described["sources"] == [file]
    assert sum(described["rows"].values()) == 60
    assert sum(described["liked"].values()) == 40
    assert described == load(train=file).describe()
    assert rows.lines()[-1].startswith("warning    only 12 held-out rated replies")


def test_a_bad_row_and_a_file_without_rows_are_refused(tmp_path: Path) -> None:
    bad = write(
        tmp_path / "bad.jsonl",
        [{"prompt": "a", "reply": "b", "rating": "up"}, {"prompt": "a", "reply": "", "rating": "up"}],
    )
    with pytest.raises(DataError, match=r"bad\.jsonl, row 2, column 'reply'"):
        load(train=bad)
    with pytest.raises(DataError, match="holds no rows"):
        load(train=write(tmp_path / "none.jsonl", []))


def test_a_held_out_file_with_one_kind_of_rating_is_refused(tmp_path: Path) -> None:
    held = write(
        tmp_path / "held.jsonl",
        [{"prompt": f"q {place}", "reply": "b", "rating": "up"} for place in range(20)],
    )
    with pytest.raises(DataError, match="held-out rows: all 20 replies are rated up"):
        load(train=rated_file(tmp_path / "rated.jsonl", 60), held_out=held)


def test_each_prompt_gets_the_reply_of_its_neighbour_in_the_batch() -> None:
    rows: list[dict[str, Any]] = [{"completion_ids": [place]} for place in range(7)]
    _add_mismatched(rows, 3)
    # batches 0 1 2, 3 4 5 and 6, which takes the reply of the row before it
    assert [one["KL_completion_ids"][0] for one in rows] == [2, 0, 1, 5, 3, 4, 5]


def test_steps_and_settings() -> None:
    assert (
        planned_steps(100, PreferenceTraining(batch_size=8, accumulate=2, epochs=3)) == 21
    )  # 13 batches, 7 steps an epoch
    assert planned_steps(100, PreferenceTraining(max_steps=5)) == 5
    with pytest.raises(ValidationError, match="batch_size must be at least 2"):
        PreferenceTraining(method="kto", batch_size=1)
    with pytest.raises(ValidationError, match="anchor is for DPO"):
        PreferenceTraining(method="kto", anchor=1.0)


@pytest.mark.parametrize(
    ("settings", "expected"), [({"batch_size": 1}, "KTO compares"), ({"anchor": 0.5}, "anchor is for DPO")]
)
def test_settings_that_do_not_fit_what_auto_chose_are_refused(
    settings: dict[str, Any], expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        refuse_unready(PreferenceTraining(**settings), "kto")


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="in one process"):
        refuse_unready(PreferenceTraining(), "dpo")


def test_a_missing_trl_is_asked_for_by_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "trl", None)
    with pytest.raises(ConfigError, match=r"nlpkit\[preference\]"):
        refuse_unready(PreferenceTraining(), "dpo")


def test_s19_replies_are_found_as_a_conversation_holds_them(tmp_path: Path) -> None:
    rows = load(train=pair_file(tmp_path / "pairs.jsonl", 40))
    (row, *_) = rows.train
    asked, chosen = row.history.turns[-1].text, row.chosen
    talk = Conversation(turns=(Turn(role="user", text=asked), Turn(role="assistant", text=chosen)))
    assert Dialogue().family.texts(talk)[-1] in rows.texts
    assert len(rows.texts) == 2 * len(rows.train)


@pytest.mark.parametrize("count", [14, 16, 19, 20])
def test_j7_fourteen_rows_are_enough(tmp_path: Path, count: int) -> None:
    rows = load(train=pair_file(tmp_path / "pairs.jsonl", count))
    assert len(rows.held) >= 4
    assert len(rows.train) >= 10
    assert "needed     at least 10 to learn from and 4 to compare on" in rows.lines()


def test_j7_too_few_rows_are_refused_with_what_is_needed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hint: collect at least 14 rows: 10 to learn from and 4 to compare"):
        load(train=pair_file(tmp_path / "pairs.jsonl", 13))
