from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from nlpkit.data.conversations import Reading, conversations_in, conversations_of
from nlpkit.data.examples import Conversation
from nlpkit.data.records import Record
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationSource
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.reading import read_examples

HI: list[dict[str, object]] = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]


def read(rows: Sequence[Mapping[str, object]], **kinds: Any) -> Reading:
    records = [Record(fields=fields, file="talk.jsonl", row=row) for row, fields in enumerate(rows, start=1)]
    return conversations_of(records, ConversationSource(source="talk", **kinds))


def one(rows: Sequence[Mapping[str, object]], **kinds: Any) -> Conversation:
    (conversation,) = read(rows, **kinds).conversations
    return conversation


def said(conversation: Conversation) -> list[tuple[str, str]]:
    return [(turn.role[0], turn.text) for turn in conversation.turns]


def refused(rows: Sequence[Mapping[str, object]], **kinds: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(rows, **kinds)
    return str(caught.value)


def lines(*turns: tuple[str, str], who: str = "role", what: str = "content") -> list[dict[str, object]]:
    return [{who: speaker, what: text} for speaker, text in turns]


def messages(*turns: tuple[str, str]) -> list[dict[str, object]]:
    return [{"messages": lines(*turns)}]


def named(*turns: tuple[str, str]) -> list[dict[str, object]]:
    return [{"messages": lines(*turns, who="sender", what="text")}]


def rows_of(*turns: tuple[object, object, object]) -> list[dict[str, object]]:
    return [{"conversation": key, "speaker": who, "text": what} for key, who, what in turns]


# --- shapes


@pytest.mark.parametrize("shape", ["auto", "messages"])
def test_messages_keep_their_order_and_their_place(shape: str) -> None:
    found = one(
        messages(("system", "Be kind."), ("user", "hi"), ("assistant", "hello"), ("user", "bye")), shape=shape
    )
    assert said(found) == [("u", "hi"), ("a", "hello"), ("u", "bye")]
    assert (found.system, found.where, found.id) == ("Be kind.", "talk.jsonl, row 1", "talk.jsonl, row 1")


@pytest.mark.parametrize("shape", ["auto", "sharegpt"])
def test_sharegpt_has_other_names(shape: str) -> None:
    talk = lines(("system", "Be brief."), ("human", "hi"), ("gpt", "hello"), who="from", what="value")
    found = one([{"id": "a7", "conversations": talk}], shape=shape)
    assert said(found) == [("u", "hi"), ("a", "hello")]
    assert (found.system, found.id) == ("Be brief.", "talk#a7")


@pytest.mark.parametrize("shape", ["auto", "alpaca"])
def test_alpaca_joins_instruction_and_input(shape: str) -> None:
    rows: list[dict[str, object]] = [
        {"instruction": "Translate.", "input": "Haus", "output": "house", "system": "You translate."},
        {"instruction": "Say hi.", "input": "", "output": "hi", "system": ""},
        {"instruction": "Say bye.", "input": None, "output": "bye", "system": None},
    ]
    found = read(rows, shape=shape).conversations
    assert [said(one) for one in found] == [
        [("u", "Translate.\n\nHaus"), ("a", "house")],
        [("u", "Say hi."), ("a", "hi")],
        [("u", "Say bye."), ("a", "bye")],
    ]
    assert [one.system for one in found] == ["You translate.", "", ""]


@pytest.mark.parametrize("shape", ["auto", "pairs"])
def test_pairs_are_read_from_the_columns_that_are_named(shape: str) -> None:
    found = one(
        [{"q": "how are you?", "a": "fine", "mood": "Be glad."}],
        shape=shape,
        prompt="q",
        reply="a",
        system="mood",
    )
    assert (said(found), found.system) == ([("u", "how are you?"), ("a", "fine")], "Be glad.")


@pytest.mark.parametrize("shape", ["auto", "turns"])
def test_rows_of_one_conversation_may_lie_apart(shape: str) -> None:
    rows = rows_of(
        (1, "ann", "hi"), (2, "ann", "you?"), (1, "bob", "hello"), (2, "bob", "yes"), (1, "ann", "bye")
    )
    found = read(rows, shape=shape, bot="bob").conversations
    assert [said(one) for one in found] == [
        [("u", "hi"), ("a", "hello"), ("u", "bye")],
        [("u", "you?"), ("a", "yes")],
    ]
    assert [one.id for one in found] == ["talk#1", "talk#2"]
    assert found[1].where == "talk.jsonl, conversation '2'"


def test_speakers_of_turns_may_be_roles_or_numbers() -> None:
    found = one(rows_of(("a", "system", "Be kind."), ("a", "user", "hi"), ("a", "assistant", "hello")))
    assert (said(found), found.system) == ([("u", "hi"), ("a", "hello")], "Be kind.")
    assert said(one(rows_of(("a", 0, "hi"), ("a", 1, "hello")), bot="1")) == [("u", "hi"), ("a", "hello")]


def test_r3_the_text_parts_of_a_message_are_joined() -> None:
    """R3: as `nlpkit serve` joins them, so that what is learned is what is asked."""
    talk = [
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "user", "content": [{"type": "text", "text": "A note:"}, {"type": "text", "text": "hi."}]},
        {"role": "assistant", "content": [{"type": "output_text", "text": "I see."}]},
    ]
    found = one([{"messages": talk}])
    assert (found.system, said(found)) == ("Be kind.", [("u", "A note:\nhi."), ("a", "I see.")])
    talk[1]["content"] = [{"type": "text", "text": "What is it?", "image_url": None}]  # as Parquet fills it
    assert said(one([{"messages": talk}]))[0] == ("u", "What is it?")


def test_a_csv_cell_holds_the_list_as_json(tmp_path: Path) -> None:
    path = tmp_path / "talk.csv"
    cell = json.dumps(HI).replace('"', '""')
    path.write_text(f'messages\n"{cell}"\n', encoding="utf-8")
    (found,) = conversations_in(path, ConversationSource(source="talk.csv")).conversations
    assert said(found) == [("u", "hi"), ("a", "hello")]


def test_parquet_fills_keys_that_a_message_does_not_use_with_null() -> None:
    talk = [
        {"role": None, "from": "human", "value": "hi", "content": None},
        {"role": None, "from": "gpt", "value": "hello", "content": None},
    ]
    assert said(one([{"messages": talk}])) == [("u", "hi"), ("a", "hello")]


def test_parquet_lists_are_read(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "talk.parquet"
    talk = lines(("x", "hi"), ("y", "hello"), who="sender", what="text")
    pq.write_table(pa.table({"id": ["c1"], "prompt": ["Topic"], "messages": [talk]}), path)
    (found,) = conversations_in(
        path, ConversationSource(source=str(path), bot="second", system="prompt")
    ).conversations
    assert (said(found), found.system) == ([("u", "hi"), ("a", "hello")], "Topic")


def test_auto_says_what_it_looked_for() -> None:
    message = refused([{"statement": "hi", "reply_text": "hello"}])
    assert message == (
        "talk.jsonl: no shape of conversations fits the columns statement, reply_text; looked for "
        "'messages' or 'conversations' "
        "(a list of messages), 'conversation', 'speaker' and 'text' (a row a turn), 'instruction' and "
        "'output' (alpaca), 'prompt' and "
        "'reply' (pairs); hint: for pairs, say `prompt: statement` and `reply: reply_text`"
    )


@pytest.mark.parametrize(
    ("kinds", "missing"),
    [
        ({"shape": "messages", "messages": "mesages"}, "no column 'mesages'; did you mean 'messages'?"),
        ({"shape": "pairs"}, "no column 'prompt'"),
        ({"shape": "turns"}, "no column 'conversation'"),
        ({"shape": "alpaca"}, "no column 'instruction'"),
        ({"system": "persona"}, "no column 'persona'"),
    ],
)
def test_a_column_that_is_not_there_ends_the_reading_whatever_on_bad_says(
    kinds: dict[str, Any], missing: str
) -> None:
    assert f"talk.jsonl: {missing}" in refused([{"messages": HI}], on_bad="skip", **kinds)


# --- turns and the system prompt


def test_turns_of_one_speaker_in_a_row_merge() -> None:
    found = one(
        messages(
            ("user", "hi"), ("human", "there"), ("assistant", "hello"), ("system", "x"), ("gpt", " you ")
        )
    )
    assert said(found) == [("u", "hi\nthere"), ("a", "hello\n you ")]


def test_what_is_told_beforehand_is_joined_and_said_once() -> None:
    talk = lines(
        ("system", "Be kind."),
        ("user", "hi"),
        ("developer", "Be brief."),
        ("assistant", "hello"),
        ("system", ""),
    )
    found = one([{"messages": talk, "persona": ["I like dogs.", "Be kind."]}], system="persona")
    assert found.system == "I like dogs.\n\nBe kind.\n\nBe brief."


def test_a_persona_that_stands_in_every_row_is_told_once() -> None:
    rows = [
        {**row, "persona": persona}
        for row, persona in zip(rows_of((1, "a", "x"), (1, "b", "y")), ("Sad.", "Sad."), strict=True)
    ]
    assert one(rows, system="persona", bot="second").system == "Sad."


def test_the_bot_may_begin() -> None:
    assert said(one(messages(("assistant", "hello"), ("user", "hi"), ("assistant", "how are you?")))) == [
        ("a", "hello"),
        ("u", "hi"),
        ("a", "how are you?"),
    ]


# --- whom the bot learns to be

ANN_AND_BOB = named(("ann", "hi"), ("bob", "hello"), ("ann", "bye"))


@pytest.mark.parametrize(
    ("bot", "roles"), [("ann", "aua"), ("Bob", "uau"), ("first", "aua"), ("second", "uau")]
)
def test_the_bot_is_whom_the_config_says(bot: str, roles: str) -> None:
    assert "".join(role for role, _ in said(one(ANN_AND_BOB, bot=bot))) == roles


def test_each_makes_two_views_with_one_id() -> None:
    found = read(ANN_AND_BOB, bot="each").conversations
    assert [[role for role, _ in said(view)] for view in found] == [["a", "u", "a"], ["u", "a", "u"]]
    assert [[text for _, text in said(view)] for view in found] == [["hi", "hello", "bye"]] * 2
    assert len({view.id for view in found}) == 1


def test_each_leaves_out_a_side_that_answers_nothing_and_says_so() -> None:
    found = read(named(("ann", "hi"), ("bob", "hello")), bot="each")
    assert [said(view) for view in found.conversations] == [[("u", "hi"), ("a", "hello")]]
    assert found.skipped == ("1 conversations stand there from one side only: the other answers nothing",)


@pytest.mark.parametrize("name", ["assistant", "bot", "GPT", "model", "chatbot", "Ai"])
@pytest.mark.parametrize("who", ["role", "sender"])
def test_the_assistant_has_other_names(name: str, who: str) -> None:
    assert said(one([{"messages": lines(("user", "hi"), (name, "hello"), who=who)}])) == [
        ("u", "hi"),
        ("a", "hello"),
    ]


def test_the_bot_may_be_the_user() -> None:
    talk = messages(("assistant", "hello"), ("human", "hi"))
    assert said(one(talk, bot="user")) == said(one(talk, bot="human")) == [("u", "hello"), ("a", "hi")]


def test_roles_are_free_where_the_config_names_one_of_its_own() -> None:
    talk = messages(("customer", "hi"), ("agent", "hello"))
    assert said(one(talk, bot="agent")) == [("u", "hi"), ("a", "hello")]
    assert "turn 1: the role 'customer' is not allowed" in refused(talk)


def test_no_speaker_of_the_name_lists_those_found() -> None:
    assert refused(ANN_AND_BOB) == (
        "talk.jsonl, row 1: no turn of the bot: looked for 'assistant' (or bot, chatbot, gpt, chatgpt, "
        "model, ai), found the speakers "
        "'ann' and 'bob'; hint: say which side the model learns: `bot: second`, or a speaker's name"
    )
    assert "looked for 'anne', found the speakers 'ann' and 'bob'; did you mean 'ann'?" in refused(
        ANN_AND_BOB, bot="anne"
    )


def test_two_speakers_that_may_be_the_bot_are_not_chosen_between() -> None:
    talk = named(("ai", "hi"), ("bot", "hello"))
    assert "both speakers, 'ai' and 'bot', may be the bot; hint: say the name, `bot: bot`" in refused(talk)
    assert said(one(talk, bot="bot")) == [("u", "hi"), ("a", "hello")]


PARTY = named(("ann", "hi"), ("bob", "hello"), ("cy", "hey"), ("ann", "so?"), ("cy", "well"), ("cy", "bye"))


@pytest.mark.parametrize(
    ("bot", "turns"),
    [
        ("cy", [("u", "hi\nhello"), ("a", "hey"), ("u", "so?"), ("a", "well\nbye")]),
        ("Bob", [("u", "hi"), ("a", "hello"), ("u", "hey\nso?\nwell\nbye")]),
        ("ann", [("a", "hi"), ("u", "hello\nhey"), ("a", "so?"), ("u", "well\nbye")]),
    ],
)
def test_r6_of_three_speakers_one_is_learned_and_the_others_are_the_user(
    bot: str, turns: list[tuple[str, str]]
) -> None:
    """R6: `bot: NAME`."""
    assert said(one(PARTY, bot=bot)) == turns


def test_r6_three_speakers_or_roles_in_rows() -> None:
    """R6: in each shape that names speakers; roles that the config frees, too."""
    rows = rows_of((1, "ann", "hi"), (1, "assistant", "hello"), (1, "bob", "hey"))
    assert said(one(rows)) == [("u", "hi"), ("a", "hello"), ("u", "hey")]
    talk = messages(("customer", "hi"), ("boss", "help her"), ("agent", "hello"))
    assert said(one(talk, bot="agent")) == [("u", "hi\nhelp her"), ("a", "hello")]


def test_r6_without_a_name_the_hint_gives_one_that_works() -> None:
    """R6: the hint of three speakers names one of them."""
    message = refused(PARTY)
    assert message.endswith(
        "found the speakers 'ann' and 'bob' and 'cy'; hint: say whom the model learns to be: `bot: bob`, "
        "or another name"
    )
    assert refused(PARTY, bot="bobby").count("did you mean 'bob'?") == 1


def test_r6_the_hint_quotes_a_name_that_yaml_would_not_read_as_text() -> None:
    """R6: speakers may be numbers."""
    rows = rows_of((1, 0, "hi"), (1, 1, "hello"), (1, 2, "hey"))
    assert refused(rows).endswith('learns to be: `bot: "1"`, or another name')


def test_r6_a_tool_is_no_user() -> None:
    """R6: whatever the key is called that names the speaker."""
    talk = named(("ann", "hi"), ("tool", "42"), ("bob", "hello"))
    assert "turn 2: the role 'tool' is not allowed" in refused(talk, bot="bob")


# --- what is refused


@pytest.mark.parametrize(
    ("talk", "expected"),
    [
        ([*HI, {"content": "x"}], "turn 3: no 'role'"),
        ([*HI, {"rol": "user", "content": "x"}], "turn 3: no 'role'; did you mean 'rol'?"),
        ([{"content": "x"}], "turn 1: no 'role'"),
        ([*HI, {"role": None, "content": "x"}], "turn 3: expected who speaks, as text, found null"),
        ([*HI, {"role": 7, "content": "x"}], "turn 3: expected who speaks, as text, found the number 7"),
        ([*HI, {"role": " ", "content": "x"}], "turn 3: nobody speaks"),
        ([*HI, {"role": "user"}], "turn 3: no 'content'"),
        ([*HI, {"role": "user", "content": None}], "turn 3: expected text, found null"),
        ([*HI, {"role": "user", "content": 4}], "turn 3: expected text, found the number 4"),
        (
            [*HI, {"role": "user", "content": ["x"]}],
            "turn 3: expected text, found a list",
        ),
        (
            [*HI, {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a.png"}}]}],
            "turn 3: expected parts of text, found a part of the type 'image_url'; hint: remove the "
            "conversation, or leave it out with `on_bad: skip`",
        ),
        (
            [*HI, {"role": "user", "content": [{"type": ["text"], "text": "x"}]}],
            "turn 3: expected parts of text, found a part of the type \"['text']\"; hint: ",
        ),
        (
            [*HI, {"role": "user", "content": [{"type": "text", "text": None}]}],
            "turn 3: expected parts of text, found a part of the type 'text' without text; hint: ",
        ),
        ([*HI, {"role": "user", "content": " \n"}], "turn 3: the turn is empty"),
        ([*HI, {"role": "user", "content": "a\0b"}], "turn 3: a NUL character"),
        ([*HI, {"role": "system", "content": "a\0b"}], "turn 3: a NUL character"),
        ([*HI, {"role": "user", "content": "a\ud800"}], "turn 3: half a character"),
        (
            [*HI, {"role": "tool", "content": "42"}],
            "turn 3: the role 'tool' is not allowed; known: system, developer, user",
        ),
        (
            [*HI, {"role": "asistant", "content": "x"}],
            "turn 3: the role 'asistant' is not allowed; did you mean 'assistant'?",
        ),
        ([*HI, {"role": "assistant", "content": "x", "tool_calls": [{}]}], "turn 3: calls a tool"),
        ([*HI, "bye"], "turn 3: expected an object such as {'role': ..., 'content': ...}, found text"),
        ([*HI, None], "turn 3: expected an object such as {'role': ..., 'content': ...}, found null"),
        ([], "no turn; expected two speakers"),
        ([{"role": "system", "content": "x"}], "no turn; expected two speakers"),
        (HI[:1], "one turn only (of 'user')"),
        ([HI[0], HI[0]], "one turn only (2 messages, all of 'user')"),
        (HI[::-1], "no reply of the bot, 'assistant': it opens the conversation and answers nothing"),
    ],
)
def test_a_bad_conversation_is_named_with_its_turn(talk: list[Any], expected: str) -> None:
    message = refused([{"messages": HI}, {"messages": talk}])
    assert message.startswith(f"talk.jsonl, row 2{'' if expected.startswith('turn') else ':'}")
    assert expected in message


@pytest.mark.parametrize(
    "value", [None, 3, "text", {"role": ["user"]}, "[{'role': 'user'}]", '{"role": "user"}', ""]
)
def test_what_is_no_list_of_messages_is_named(value: object) -> None:
    message = refused([{"messages": HI}, {"messages": value}])
    assert message.startswith("talk.jsonl, row 2, column 'messages': expected a list of messages")


def test_a_third_speaker_is_named_with_the_turn() -> None:
    talk = named(("ann", "hi"), ("bob", "hello"), ("ann", "so"), ("cy", "hey"))
    for bot in ("first", "second", "each"):
        assert refused(talk, bot=bot) == (
            "talk.jsonl, row 1, turn 4: expected two speakers, found a third, 'cy', after 'ann' and 'bob'; "
            "hint: say whom the model learns to be, such as `bot: cy`"
        )


def test_a_tool_is_refused_also_where_roles_are_free() -> None:
    assert "turn 3: the role 'tool' is not allowed" in refused(
        messages(("customer", "a"), ("agent", "b"), ("tool", "c")), bot="agent"
    )


def test_turns_name_the_conversation_the_turn_and_the_row() -> None:
    rows = rows_of((1, "ann", "hi"), (2, "ann", "you?"), (1, "bob", " "))
    assert refused(rows, bot="bob").startswith(
        "talk.jsonl, conversation '1', turn 2 (row 3): the turn is empty"
    )


@pytest.mark.parametrize("key", [None, "", " ", True, 1.5, ["x"]])
def test_a_row_that_belongs_to_no_conversation_ends_the_reading_whatever_on_bad_says(key: object) -> None:
    rows = rows_of((1, "ann", "hi"), (key, "bob", "lost"), (1, "bob", "hello"))
    message = refused(rows, bot="bob", on_bad="skip")
    assert message.startswith("talk.jsonl, row 2, column 'conversation': expected the conversation's id")


def test_a_row_that_cannot_be_read_leaves_no_hole_in_a_conversation(tmp_path: Path) -> None:
    path = tmp_path / "talk.csv"
    path.write_text(
        "conversation,speaker,text\n1,user,hi\n1,assistant,a\0b\n1,user,so\n1,assistant,well\n",
        encoding="utf-8",
    )
    with pytest.raises(DataError, match=r"row 2: line 3, column 'text': a NUL .* would have a hole"):
        conversations_in(path, ConversationSource(source="talk.csv", on_bad="skip"))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"instruction": " ", "input": "", "output": "x"}, "turn 1, column 'instruction': the turn is empty"),
        ({"instruction": "x", "input": "", "output": ""}, "turn 2, column 'output': the turn is empty"),
        (
            {"instruction": "x", "input": 3, "output": "y"},
            "turn 1, column 'input': expected text, found the number 3",
        ),
        (
            {"instruction": "x", "input": "", "output": "y", "history": [["a", "b"]]},
            "column 'history': earlier turns, which",
        ),
    ],
)
def test_bad_alpaca_rows_are_named(row: dict[str, object], expected: str) -> None:
    assert f"talk.jsonl, row 1, {expected}" in refused([row])


def test_a_persona_that_is_not_text_is_named() -> None:
    assert refused([{"messages": HI, "persona": 3}], system="persona").startswith(
        "talk.jsonl, row 1, system: expected text, found the number 3"
    )


# --- other columns


@pytest.mark.parametrize(
    ("row", "kinds"),
    [
        ({"instruction": "When?", "context": "From 7.", "response": "At 7."}, {}),
        (
            {"instruction": "When?", "context": "From 7.", "response": "At 7."},
            {"prompt": "instruction", "reply": "response"},
        ),
        ({"prompt": "When?", "reply": "At 7.", "context": "From 7."}, {}),
        ({"q": "When?", "a": "At 7.", "input": "From 7."}, {"prompt": "q", "reply": "a"}),
    ],
)
def test_s2_what_a_question_is_about_is_read_after_it(row: dict[str, object], kinds: dict[str, Any]) -> None:
    """S2: Dolly's context and Alpaca's input, under each shape that can hold them."""
    found = read([row], **kinds)
    assert said(found.conversations[0]) == [("u", "When?\n\nFrom 7."), ("a", "At 7.")]
    assert found.unused == ()


def test_s2_columns_that_the_config_names_win_over_those_of_a_known_shape() -> None:
    """S2: `response` is Dolly's, but the config asks for another column."""
    row = {"instruction": "When?", "response": "?", "corrected": "At 7."}
    found = read([row], prompt="instruction", reply="corrected")
    assert said(found.conversations[0]) == [("u", "When?"), ("a", "At 7.")]
    assert found.unused == ("response",)


def test_s2_a_context_that_is_the_system_prompt_is_read_once() -> None:
    """S2: a column is used once."""
    found = one([{"prompt": "When?", "reply": "At 7.", "context": "From 7."}], system="context")
    assert (found.system, found.turns[0].text) == ("From 7.", "When?")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"messages": HI, "label": False},
            "column 'label': a rating, but this recipe learns every reply, good or bad; hint: use "
            "`recipe: preference` with `reply: messages` and `rating: label` in its data.train, "
            "or remove the column",
        ),
        (
            {"prompt": "hi", "reply": "hello", "label": "1"},
            "column 'label': a rating, but this recipe learns every reply, good or bad; hint: use "
            "`recipe: preference` with `rating: label` and `ratings: {1: up, 0: down}` in its data.train, "
            "or remove the column",
        ),
        (
            {"messages": HI, "reply": "hello", "rating": "down"},
            "column 'rating': a rating, but this recipe learns every reply, good or bad; hint: use "
            "`recipe: preference`, or remove the column",
        ),
        (
            {"prompt": "hi", "reply": "hello", "images": ["a.png"]},
            "column 'images': pictures, films or sound, which cannot be read here; hint: remove the "
            "conversation, or leave it out with `on_bad: skip` (nlpkit evaluate --on-error skip)",
        ),
        (
            {"messages": HI, "tools": [{"name": "search"}]},
            "column 'tools': tools for the model, which cannot be learned here; hint: remove the "
            "conversation, or leave it out with `on_bad: skip` (nlpkit evaluate --on-error skip)",
        ),
        (
            {"messages": [HI[0], {**HI[1], "weight": 0}]},
            "turn 2: a message of weight 0, which is not to be learned; hint: remove the conversation, "
            "or leave it out with `on_bad: skip` (nlpkit evaluate --on-error skip)",
        ),
        (
            {"messages": [{**HI[0], "images": ["a.png"]}, HI[1]]},
            "turn 1, key 'images': pictures, films or sound, which cannot be read here; hint: remove the "
            "conversation, or leave it out with `on_bad: skip` (nlpkit evaluate --on-error skip)",
        ),
        (
            {"conversation": 1, "speaker": "a", "text": "hi", "rating": 1},
            "column 'rating': a rating, but this recipe learns every reply, good or bad; hint: remove the "
            "column",
        ),
    ],
)
def test_s2_a_column_that_changes_the_meaning_is_refused(row: dict[str, object], message: str) -> None:
    """S2: each kind of it, with what to do."""
    comma = "," if message.startswith(("column", "turn")) else ":"
    assert refused([row]) == f"talk.jsonl, row 1{comma} {message}"


def test_s2_preference_pairs_are_sent_to_their_recipe() -> None:
    """S2: DPO's columns."""
    row = {"prompt": "hi", "chosen": "hello", "rejected": "no"}
    assert refused([row]).endswith("; hint: `recipe: preference` learns from pairs of replies")


def test_s2_columns_and_keys_that_hold_something_unused_are_listed() -> None:
    """S2: also those that stand in a later row only; empty ones are not listed, and a topic is no rating."""
    rows: list[dict[str, object]] = [
        {"id": 1, "messages": HI, "label": "greeting", "images": [], "tools": "[]", "rating": None},
        {"id": 2, "messages": [{**HI[0], "time": "10:00", "name": None}, HI[1]], "score": 0},
    ]
    assert read(rows).unused == ("label", "score", "messages.time")


def test_s2_each_source_says_what_it_does_not_use(tmp_path: Path) -> None:
    """S2: as the preflight shows it."""
    first, second = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    first.write_text(json.dumps({"messages": HI, "topic": "x", "lang": "en"}) + "\n", encoding="utf-8")
    second.write_text(json.dumps({"messages": HI}) + "\n", encoding="utf-8")
    sources = [ConversationSource(source=str(path)) for path in (first, second)]
    assert read_examples(Dialogue(), sources, seed=0).unused == (f"topic, lang in {first}",)


@pytest.mark.parametrize("shape", [{"messages": HI}, {"prompt": "hi", "reply": "hello"}])
def test_s2_a_column_system_is_the_system_prompt_in_every_shape(shape: dict[str, object]) -> None:
    """S2: as in ShareGPT files of other tools."""
    assert one([{**shape, "system": "Be kind."}]).system == "Be kind."


# --- leaving out


def test_skip_leaves_out_and_counts_by_reason() -> None:
    tool = {"role": "tool", "content": "x"}
    rows: list[dict[str, object]] = [
        {"messages": [*HI, tool]},
        {"messages": HI},
        {"messages": [tool]},
        {"messages": HI[:1]},
    ]
    found = read(rows, on_bad="skip")
    assert [one.where for one in found.conversations] == ["talk.jsonl, row 2"]
    assert [one.partition("; the first: ")[::2] for one in found.skipped] == [
        (
            "2 left out: the role 'tool'",
            "talk.jsonl, row 1, turn 3: the role 'tool' is not allowed; known: system, developer, "
            "user, human, prompter, person, "
            "assistant, bot, chatbot, gpt, chatgpt, model, ...",
        ),
        (
            "1 left out: one turn only",
            "talk.jsonl, row 4: one turn only (of 'user'); expected one that is answered",
        ),
    ]


def test_nothing_left_is_an_error_that_says_why() -> None:
    assert refused([{"messages": HI[:1]}], on_bad="skip").startswith(
        "talk: no conversations; 1 left out: one turn only; the first: talk"
    )


def test_rows_that_cannot_be_read_are_counted_too(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text("{bad\n" + json.dumps({"messages": HI}) + "\n", encoding="utf-8")
    found = conversations_in(path, ConversationSource(source="talk.jsonl", on_bad="skip"))
    assert (len(found.conversations), len(found.skipped)) == (1, 1)
    assert found.skipped[0].startswith(
        f"1 left out: a row that cannot be read; the first: {path}, row 1: column 2: not JSON"
    )
    with pytest.raises(DataError, match="row 1: column 2: not JSON"):
        conversations_in(path, ConversationSource(source="talk.jsonl"))


def test_a_file_of_bad_rows_only_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "talk.jsonl"
    path.write_text("{bad\n", encoding="utf-8")
    with pytest.raises(
        DataError,
        match=r"^talk.jsonl: no row that can be read; the first: .*talk.jsonl, row 1: column 2: not JSON",
    ):
        conversations_in(path, ConversationSource(source="talk.jsonl", on_bad="skip"))


# --- sources


def write_talk(path: Path, count: int) -> ConversationSource:
    rows = [
        {"messages": lines(("ann", f"hi {place}"), ("bob", "hello"), ("ann", "bye"), who="speaker")}
        for place in range(count)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return ConversationSource(source=str(path), bot="each")


def test_a_limit_is_chosen_by_the_seed_and_takes_both_views(tmp_path: Path) -> None:
    source = write_talk(tmp_path / "a.jsonl", 30).model_copy(update={"limit": 5})
    found = read_examples(Dialogue(), [source], seed=1)
    assert len(found.examples) == 10
    assert len({one.id for one in found.examples}) == 5
    places = [int(one.where.rpartition(" ")[2]) for one in found.examples]
    assert places == sorted(places) != list(range(1, 6))
    assert read_examples(Dialogue(), [source], seed=1) == found
    assert read_examples(Dialogue(), [source], seed=2) != found


def test_s2_leaving_all_out_still_names_the_recipe_for_such_rows(tmp_path: Path) -> None:
    path = tmp_path / "rated.jsonl"
    said = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "go away"}]
    path.write_text(json.dumps({"messages": said, "label": False}) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 left out: a rating in 'label'.*hint: use `recipe: preference`"):
        conversations_in(path, ConversationSource(source=str(path), on_bad="skip"))


def test_sources_follow_one_another_and_say_what_each_left_out(tmp_path: Path) -> None:
    first, second = write_talk(tmp_path / "a.jsonl", 2), tmp_path / "b.jsonl"
    second.write_text(
        json.dumps({"messages": HI}) + "\n" + json.dumps({"messages": []}) + "\n", encoding="utf-8"
    )
    found = read_examples(Dialogue(), [first, ConversationSource(source=str(second), on_bad="skip")], seed=0)
    assert [len(one.turns) for one in found.examples] == [3, 3, 3, 3, 2]
    assert found.skipped == (
        f"{second}: 1 left out: no turn; the first: {second}, row 2: no turn; expected two speakers",
    )


# --- what the guide shows

GUIDE = (Path(__file__).parents[3] / "docs" / "conversations.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("ending", "block"), re.findall(r"^```(jsonl|csv)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
)
def test_every_example_of_the_guide_is_read(ending: str, block: str, tmp_path: Path) -> None:
    path = tmp_path / f"talk.{ending}"
    path.write_text(block, encoding="utf-8")
    found = conversations_in(path, ConversationSource(source="talk", bot="second")).conversations
    assert {turn.text for one in found for turn in one.turns if turn.role == "assistant"} <= {
        "Until six.",
        "Good morning!",
        "bread",
    }


def test_every_source_of_the_guide_is_valid() -> None:
    (block,) = re.findall(r"^```yaml title=.*?\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
    assert [ConversationSource(**tree).source for tree in YAML(typ="safe").load(block)] == [
        "talks.jsonl",
        "log.csv",
        "chitchat",
        "movie-dialog",
    ]
