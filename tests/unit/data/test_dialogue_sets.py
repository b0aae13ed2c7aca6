"""Data sets of dialogues in formats of their own, Rasa's training data and ChatterBot's corpora."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import nlpkit
from nlpkit.data.conversations import conversations_in
from nlpkit.data.opened_file import find_file
from nlpkit.data.records import read_records
from nlpkit.data.rows import BadRow, LeftOut
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationSource

LOWER = "replies that are not on the best-ranked path of their tree"


def write(path: Path, value: object) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def rows_of(path: Path, **options: Any) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    """Return the rows, and how often what was left out."""
    left: list[LeftOut] = []
    records = list(read_records(path, on_left_out=left.append, **options))
    counts = {kind: count for row in left for kind, count in row.counts.items()}
    return [tuple(record.fields.values()) for record in records], counts


def said(path: Path, **options: Any) -> list[list[tuple[str, str]]]:
    """Return the turns of each conversation, by the first letter of the role."""
    found = conversations_in(path, ConversationSource(source="data", **options)).conversations
    return [[(turn.role[0], turn.text) for turn in conversation.turns] for conversation in found]


# --- OpenAssistant


def message(id: str, role: str, *replies: dict[str, object], **more: object) -> dict[str, object]:
    return {"message_id": id, "role": role, "text": f"text {id}", "replies": list(replies), **more}


TREES = [
    message(
        "a",
        "prompter",
        message("b", "assistant", message("c", "prompter"), message("d", "prompter"), rank=1),
        message(
            "e", "assistant", message("f", "prompter", rank=None), message("g", "prompter", rank=0), rank=0
        ),
        message("h", "assistant", message("i", "prompter"), rank=None, deleted=True),
        message("j", "assistant", review_result=False),
    ),
    message("k", "prompter", message("l", "assistant")),
    message("m", "prompter"),
]
"""Of the replies to a: e is the best, and g the best to it; b, c, d and f are ranked lower."""
LEFT = {
    LOWER: 4,
    "deleted messages": 1,
    "messages that a review refused": 1,
    "replies below a deleted or refused message": 1,
    "prompts without a reply": 1,
}


def table(trees: list[dict[str, Any]]) -> list[dict[str, object]]:
    """Return the messages of trees as a flat table."""
    rows: list[dict[str, object]] = []
    waiting = [(tree, None, tree["message_id"]) for tree in trees]
    while waiting:
        one, parent, tree = waiting.pop(0)
        own = {name: one.get(name) for name in ("message_id", "role", "text", "rank", "deleted")}
        own |= {"review_result": one.get("review_result", True), "message_tree_id": tree}
        rows.append({"parent_id": parent, **own})
        waiting += [(reply, one["message_id"], tree) for reply in one["replies"]]
    return rows


BEST = [
    ("a", "prompter", "text a"),
    ("a", "assistant", "text e"),
    ("a", "prompter", "text g"),
    ("k", "prompter", "text k"),
    ("k", "assistant", "text l"),
]


def test_r3_openassistant_trees_give_the_best_ranked_path_and_count_the_rest(tmp_path: Path) -> None:
    trees = [{"message_tree_id": tree["message_id"], "tree_state": "ready", "prompt": tree} for tree in TREES]
    trees.append({"message_tree_id": "x", "tree_state": "aborted_low_grade", "prompt": TREES[1]})
    path = write(tmp_path / "oasst.jsonl", "".join(json.dumps(tree) + "\n" for tree in trees))
    assert find_file(path).format == "openassistant"
    assert rows_of(path) == (BEST, LEFT | {"trees that were given up or stopped by a moderator": 1})
    assert said(path) == [
        [("u", "text a"), ("a", "text e"), ("u", "text g")],
        [("u", "text k"), ("a", "text l")],
    ]


@pytest.mark.parametrize("ending", ["jsonl", "json", "parquet"])
def test_r3_openassistant_table_of_messages(tmp_path: Path, ending: str) -> None:
    rows, path = table(TREES), tmp_path / f"messages.{ending}"
    rows.append({**rows[1], "message_id": "z", "parent_id": "nowhere"})
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
        with pytest.raises(DataError, match="say `format: openassistant`"):
            said(path)
    else:
        write(path, rows if ending == "json" else "".join(json.dumps(row) + "\n" for row in rows))
        assert find_file(path).format == "openassistant"
    found = rows_of(path, format="openassistant")
    assert found == (BEST, LEFT | {"messages that belong to no prompt in the file": 1})


def test_r3_a_message_that_stands_twice_is_a_bad_row(tmp_path: Path) -> None:
    rows = table(TREES[1:2])
    path = write(tmp_path / "a.jsonl", "".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    with pytest.raises(DataError, match="row 3: the message_id 'k' stands there twice"):
        list(read_records(path))


# --- MultiWOZ and Schema-Guided Dialogue


MULTIWOZ = {
    "SNG1.json": {"goal": {"train": {}}, "log": [{"text": "A train", "metadata": {}}, {"text": "Where to?"}]},
    "PMUL2.json": {"goal": {}, "log": [{"text": "Hi"}, {"text": "Hello"}, {"text": "Bye"}]},
}
SGD = [
    {
        "dialogue_id": "1_00000",
        "services": ["Hotels"],
        "turns": [
            {"frames": [], "speaker": "USER", "turn_id": "0", "utterance": "A bed"},
            {"frames": [], "speaker": "SYSTEM", "turn_id": "1", "utterance": "Which city?"},
        ],
    }
]


def test_r3_multiwoz_and_schema_guided_dialogue(tmp_path: Path) -> None:
    path, turns = write(tmp_path / "data.json", MULTIWOZ), write(tmp_path / "dialogues_001.json", SGD)
    assert (find_file(path).format, find_file(turns).format) == ("multiwoz", "multiwoz")
    assert rows_of(path)[0] == [
        ("SNG1.json", "user", "A train"),
        ("SNG1.json", "assistant", "Where to?"),
        ("PMUL2.json", "user", "Hi"),
        ("PMUL2.json", "assistant", "Hello"),
        ("PMUL2.json", "user", "Bye"),
    ]
    assert said(turns) == [[("u", "A bed"), ("a", "Which city?")]]


def test_r3_a_folder_of_dialogues_with_its_schema_is_read_by_format(tmp_path: Path) -> None:
    for number in (1, 2):
        write(tmp_path / f"dialogues_00{number}.json", [SGD[0] | {"dialogue_id": f"{number}_0"}])
    write(tmp_path / "schema.json", [{"service_name": "Hotels", "slots": []}])
    with pytest.raises(DataError, match=r"several formats \(json, multiwoz\); hint: .*say the format"):
        said(tmp_path)
    assert len(said(tmp_path, format="multiwoz")) == 2


def test_r3_a_dialogue_without_turns_can_be_left_out(tmp_path: Path) -> None:
    path = write(tmp_path / "data.json", MULTIWOZ | {"X": {"goal": {}, "log": []}})
    with pytest.raises(DataError, match="row 3: no turns"):
        said(path)
    assert len(said(path, on_bad="skip")) == 2


# --- lines


def test_r3_eou_lines(tmp_path: Path) -> None:
    lines = "Hi . __eou__ Hello ! __eou__\n\nA __eou__ B __eou__ C __eou__\n"
    path = write(tmp_path / "dialogues_text.txt", lines + "a __eou__ b __eou__ __eot__ c __eou__ __eot__\n")
    assert find_file(path).format == "eou"
    assert rows_of(path)[0] == [
        ("line 1", "A", "Hi ."),
        ("line 1", "B", "Hello !"),
        *(("line 3", speaker, text) for speaker, text in zip("ABA", "ABC", strict=True)),
        ("line 4", "A", "a"),
        ("line 4", "A", "b"),
        ("line 4", "B", "c"),
    ]
    assert said(path, bot="second") == [
        [("u", "Hi ."), ("a", "Hello !")],
        [("u", "A"), ("a", "B"), ("u", "C")],
        [("u", "a\nb"), ("a", "c")],
    ]
    write(path, f"{lines}no mark\n")
    with pytest.raises(DataError, match="row 4: no __eou__"):
        said(path, bot="second")
    assert len(said(path, bot="second", on_bad="skip")) == 2


def test_r3_cornell(tmp_path: Path) -> None:
    mark = " +++$+++ "
    lines = [
        ("L1", "u0", "m0", "BIANCA", "They do not!"),
        ("L2", "u2", "m0", "CAMERON", "They do to, né!"),
        ("L3", "u5", "m1", "COP", "Stop"),
        ("L4", "u6", "m1", "COP", "Why?"),
    ]
    talks = [
        ("u0", "u2", "m0", "['L1', 'L2']"),
        ("u5", "u6", "m1", "['L3', 'L4']"),
        ("u5", "u6", "m1", "['L9']"),
    ]
    text = "".join(mark.join(line) + "\n" for line in lines)
    (tmp_path / "movie_lines.txt").write_bytes(text.encode("cp1252"))
    path = write(tmp_path / "movie_conversations.txt", "".join(mark.join(talk) + "\n" for talk in talks[:2]))
    with pytest.raises(DataError, match=r"movie_lines.txt, row 2: .*byte 0xe9 .*--encoding cp1252"):
        said(tmp_path, bot="second")
    assert (find_file(path).format, find_file(tmp_path).format) == ("cornell", "cornell")
    for place in (tmp_path, path):
        assert rows_of(place, encoding="cp1252")[0] == [
            ("L1", "BIANCA", "They do not!"),
            ("L1", "CAMERON", "They do to, né!"),
            ("L3", "COP (u5)", "Stop"),
            ("L3", "COP (u6)", "Why?"),
        ]
    write(path, "".join(mark.join(talk) + "\n" for talk in talks))
    with pytest.raises(DataError, match=r"movie_conversations.txt, row 3: no line L9 in movie_lines.txt"):
        said(tmp_path, bot="second", encoding="cp1252")
    assert len(said(tmp_path, bot="second", encoding="cp1252", on_bad="skip")) == 2
    path.unlink()
    with pytest.raises(DataError, match=r"two files, movie_lines.txt and movie_conversations.txt; hint: put"):
        said(tmp_path / "movie_lines.txt")


# --- YAML


NLU = """\
version: "3.1"
nlu:
- intent: greet
  examples: |
    - hi
    - hello from [New York]{"entity": "city", "value": "NYC"} and [Bonn](city)
- intent: deny
  examples:
  - text: no
- synonym: NYC
  examples: |
    - the big apple
"""
STORIES = """\
version: "3.1"
stories:
- story: happy
  steps:
  - intent: greet
  - slot_was_set: [{name: ann}]
  - action: utter_greet
  - user: |
      I want [pizza](food)
    intent: order
  - action: action_order
  - bot: Sure
- story: unknown intent
  steps:
  - intent: nowhere
  - action: utter_greet
rules:
- rule: either
  steps:
  - or: [{intent: deny}, {intent: greet}]
  - action: utter_greet
"""
DOMAIN = 'intents: [greet]\nresponses:\n  utter_greet:\n  - text: "Hey!"\n  - text: "Hi!"\n'


def test_r3_rasa_nlu_is_labeled_text(tmp_path: Path) -> None:
    path = write(tmp_path / "nlu.yml", NLU)
    assert find_file(path).format == "rasa-nlu"
    assert rows_of(path) == (
        [("hi", "greet"), ("hello from New York and Bonn", "greet"), ("no", "deny")],
        {"entries under 'synonym', which label no text": 1},
    )
    report = nlpkit.check(path)
    assert report.parts["data"].labels == {"greet": 2, "deny": 1}
    (finding,) = [finding for finding in report.findings if finding.kind == "left out"]
    assert (finding.severity, finding.rows) == ("info", 1)
    with pytest.raises(DataError, match="labeled texts: `recipe: sentiment`"):
        said(path)


def test_r3_rasa_entries_that_are_none_are_counted(tmp_path: Path) -> None:
    stories = "stories:\n- 5\n- story: empty\n  steps: 4\n- story: s\n  steps:\n  - user: Hi\n  - bot: Ho\n"
    path = write(tmp_path / "stories.yml", stories)
    left = {"entries that are no story": 1, "stories and rules in which nobody speaks": 1}
    assert rows_of(path) == ([("2 s", "user", "Hi"), ("2 s", "assistant", "Ho")], left)
    path = write(tmp_path / "nlu.yml", "nlu:\n- greet\n- intent: deny\n  examples: |\n    - no\n")
    assert rows_of(path) == ([("no", "deny")], {"entries that are no intent": 1})


@pytest.mark.parametrize("layout", ["one file", "next to it", "one folder up"])
def test_r3_rasa_stories_say_the_first_example_and_the_first_response(tmp_path: Path, layout: str) -> None:
    (folder := tmp_path / "data").mkdir()
    parts = NLU.partition("\n")[2] + DOMAIN if layout == "one file" else ""
    path = write(folder / "stories.yml", STORIES + parts)
    if layout != "one file":
        write(folder / "nlu.yml", NLU)
        write((folder if layout == "next to it" else tmp_path) / "domain.yml", DOMAIN)
    left = {
        "steps in which nobody speaks": 1,
        "actions of which no response was found": 1,
        "stories and rules with an intent of which no example was found": 1,
        "further choices of an 'or'": 1,
    }
    if layout == "one file":
        left["intents with examples (--format rasa-nlu reads them)"] = 3
    assert rows_of(path, format="rasa-stories")[1] == left
    assert said(path, format="rasa-stories") == [
        [("u", "hi"), ("a", "Hey!"), ("u", "I want pizza"), ("a", "Sure")],
        [("u", "no"), ("a", "Hey!")],
    ]


def test_r3_chatterbot_texts_stay_as_they_are_written(tmp_path: Path) -> None:
    corpus = (
        "categories: [AI]\nconversations:\n- - What is 2 plus 2?\n  - 4.0\n- - Is it so?\n  - no\n  - Yes\n"
    )
    path = write(tmp_path / "ai.yml", corpus)
    assert find_file(path).format == "chatterbot"
    assert said(path) == [
        [("u", "What is 2 plus 2?"), ("a", "4.0")],
        [("u", "Is it so?"), ("a", "no"), ("u", "Yes")],
    ]
    write(path, f"{corpus}- just text\n")
    with pytest.raises(DataError, match="row 3: expected a list of statements"):
        said(path)
    write(path, f"{corpus}- []\n")
    assert len(said(path, on_bad="skip")) == 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("conversations: &a\n- - hi\n  - ho\n- *a\n", r"line 4: an alias \(\*a\); hint: write the value out"),
        ("conversations:\n- - " + "[" * 60 + "]" * 60, "nested deeper than 50 levels"),
        ("conversations:\n- - a: [\n", r"line 3: not valid YAML"),
        ("conversations: []\nconversations: []\n", "'conversations' stands there twice"),
        ("other: 1\n", "no list under 'conversations'"),
        ("- 1\n", "no list under 'conversations'"),
        (
            "conversations:\n- - !!python/object/apply:os.system [ls]\n  - b\n",
            "a turn that is not text|expected text",
        ),
    ],
)
def test_r3_yaml_that_is_damaged_or_a_bomb_is_refused(tmp_path: Path, text: str, reason: str) -> None:
    path = write(tmp_path / "a.yml", text)
    with pytest.raises(DataError, match=reason):
        said(path, format="chatterbot")


def test_r3_a_yaml_file_that_is_too_long_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlpkit.data.formats.yaml_text.MAX_CHARACTERS", 100)
    path = write(tmp_path / "a.yml", NLU)
    with pytest.raises(DataError, match=r"longer than 100 characters.*hint: split it"):
        list(read_records(path))


def test_r3_a_bad_row_in_a_turn_leaves_a_hole_and_is_never_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "Hi \0 . __eou__ Hello __eou__\n")
    bad: list[BadRow] = []
    assert len(list(read_records(path, on_bad=bad.append))) == 1
    assert "NUL" in bad[0].reason
    with pytest.raises(DataError, match=r"NUL.*would have a hole"):
        said(path, bot="second", on_bad="skip")
