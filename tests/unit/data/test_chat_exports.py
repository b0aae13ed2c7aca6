"""Chats that WhatsApp, Telegram, Slack and Discord export."""

from __future__ import annotations

import json
import logging
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import nlpkit
from nlpkit.data.conversations import conversations_in
from nlpkit.data.opened_file import find_file
from nlpkit.data.records import columns_of, read_records
from nlpkit.data.rows import BadRow, LeftOut
from nlpkit.errors import DataError
from nlpkit.settings.data import ConversationSource
from tests.conftest import train_toy

NO_TEXT, SERVICE = "messages without text, such as pictures", "service messages, such as calls"
DELETED, NOTICE = "deleted messages", "notices in place of a message, such as pictures or calls"


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def rows_of(path: Path, **options: Any) -> tuple[list[tuple[object, ...]], dict[str, int]]:
    """Return speaker and text of each row, and how often what was left out."""
    left: list[LeftOut] = []
    records = list(read_records(path, on_left_out=left.append, **options))
    counts = {kind: count for row in left for kind, count in row.counts.items()}
    return [(record.fields["speaker"], record.fields["text"]) for record in records], counts


def starts(path: Path) -> list[object]:
    """Return each conversation's id, in order."""
    return list(dict.fromkeys(record.fields["conversation"] for record in read_records(path)))


DASHES = """\
31/12/2023, 21:15 - Messages and calls are end-to-end encrypted. Only people in this chat can read them.
31/12/2023, 21:15 - Ann: Are you coming?

Or not?
31/12/2023, 21:16 - Bob: Yes: at ten
31/12/2023, 21:17 - Bob: <Media omitted>
31/12/2023, 21:18 - Ann: This message was deleted
31/12/2023, 21:18 - Ann changed the subject from "a: b" to "c: d"
01/01/2024, 00:10 - Ann: Happy new year <This message was edited>
02/01/2024, 09:00 - Bob: IMG-20240102-WA0001.jpg (file attached)
my cat
02/01/2024, 09:02 - Ann: How sweet
"""
BRACKETS = (
    "\u200e[12/31/23, 9:15:09\u202fPM] Fam: \u200eMessages and calls are end-to-end encrypted.\r\n"
    "[12/31/23, 9:16:00\u202fPM] Ann: Look \u200e<attached: 00012-PHOTO.jpg>\r\n"
    "\u200e[12/31/23, 9:16:01\u202fPM] Bob: \u200eimage omitted\r\n"
    "[1/1/24, 12:05:00\u202fAM] ~\u202fBob: Nice\r\n"
)


def test_r3_whatsapp_with_dashes_is_found_and_what_is_no_message_is_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "WhatsApp Chat with Bob.txt", DASHES)
    assert find_file(path).format == "whatsapp"
    rows, left = rows_of(path)
    assert rows == [
        ("Ann", "Are you coming?\n\nOr not?"),
        ("Bob", "Yes: at ten"),
        ("Ann", "Happy new year"),
        ("Bob", "my cat"),
        ("Ann", "How sweet"),
    ]
    assert left == {SERVICE: 2, NO_TEXT: 1, DELETED: 1}
    assert [record.row for record in read_records(path)] == [2, 5, 9, 10, 12]
    assert starts(path) == ["31/12/2023, 21:15", "02/01/2024, 09:00"]


def test_r3_whatsapp_with_brackets_marks_and_halves_of_the_day(tmp_path: Path) -> None:
    path = write(tmp_path / "_chat.txt", BRACKETS)
    rows, left = rows_of(path)
    assert rows == [("Ann", "Look"), ("Bob", "Nice")]
    assert left == {NOTICE: 1, NO_TEXT: 1}
    assert starts(path) == ["12/31/23, 9:16:00 PM"]  # 2 h 49 min later it is still the same


@pytest.mark.parametrize(
    ("first", "second", "conversations"),
    [
        ("[31.12.23, 23:50:00] ", "[01.01.24, 00:10:00] ", 1),
        ("12/31/23, 11:50 PM - ", "1/1/24, 12:10 AM - ", 1),
        ("2023-12-31 23:50 - ", "2024-01-01 00:10 - ", 1),
        ("31-12-2023 23.50 - ", "01-01-2024 05.51 - ", 2),
        ("31.12.2023 klo 23.50 - ", "1.1.2024 klo 0.10 - ", 1),
        ("2023/12/31 下午11:50 - ", "2024/1/1 上午12:10 - ", 1),
        ("31/12/23 11:50 p. m. - ", "1/1/24 12:10 a. m. - ", 1),
        ("3/4/24, 23:50 - ", "4/4/24, 00:10 - ", 1),  # day first, or else a month has passed
        ("3/4/24, 23:50 - ", "3/5/24, 00:10 - ", 1),  # month first
        ("31.12.17, 23:50:00: ", "01.01.18, 00:10:00: ", 1),
        ("\u200f31\u200f/12\u200f/2023، 11:50 م - ", "\u200f1\u200f/1\u200f/2024، 12:10 ص - ", 1),
    ],
)
def test_r3_whatsapp_dates_of_many_countries(
    tmp_path: Path, first: str, second: str, conversations: int
) -> None:
    path = write(tmp_path / "a.txt", f"{first}Ann: Hi\n{second}Bob: Hello\n")
    rows, left = rows_of(path)
    assert rows == [("Ann", "Hi"), ("Bob", "Hello")]
    assert left == {}
    assert len(starts(path)) == conversations


def test_r3_a_chat_line_before_the_first_date_and_an_impossible_date_are_bad_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "Our chat\n32/13/2023, 21:15 - Ann: Hi\n1/2/2023, 21:15 - Bob: Hello\n")
    bad: list[BadRow] = []
    (record,) = read_records(path, format="whatsapp", on_bad=bad.append)
    assert record.fields["text"] == "Hello"
    assert [(row.row, row.reason.split(";")[0]) for row in bad] == [
        (1, "no date and time"),
        (2, "no such date or time: 32/13/2023, 21:15"),
    ]


def test_r3_what_is_left_out_is_in_the_preflight_and_else_on_the_terminal(
    tmp_path: Path, chat_config: Path, caplog: pytest.LogCaptureFixture
) -> None:
    day = "{0:02}/02/2024, 10:00 - Ann: think of {0}\n{0:02}/02/2024, 10:01 - Bob: {0} it is\n"
    path = write(tmp_path / "chat.txt", DASHES + "".join(day.format(number) for number in range(1, 21)))
    said: list[str] = []
    source = (f"data.train.0.source={path}", "data.train.0.bot=Bob", "data.train.0.on_bad=skip")
    train_toy(chat_config, *source, f"output={tmp_path / 'runs'}", check=True, said=said)
    whole = "\n".join(said)
    # 21 conversations, a fifth of them to choose on and another to report on; in one more Bob answers nothing
    assert "rows       13 conversations to train on, 4 to choose on, 4 to report on" in whole
    assert f"left out: {path}: {SERVICE}: 2; {NO_TEXT}: 1; {DELETED}: 1" in whole
    assert f"left out: {path}: 1 left out: no reply of the bot; the first: " in whole
    with caplog.at_level(logging.WARNING, "nlpkit"):
        assert len(list(read_records(path))) == 45
    assert f"{path}: left out {SERVICE}: 2; {NO_TEXT}: 1; {DELETED}: 1" in caplog.text


def test_r3_a_conversation_without_an_answer_says_how_to_leave_it_out(tmp_path: Path) -> None:
    asked, opened = (
        "5/1/2024, 10:00 - Ann: Hello?\n",
        "6/1/2024, 10:00 - Bob: Hi\n6/1/2024, 10:01 - Ann: Ho\n",
    )
    for text, reason in ((asked, "one turn only"), (opened, "no reply of the bot, 'Bob'")):
        path = write(tmp_path / "a.txt", text)
        with pytest.raises(DataError, match=rf"{reason}.*; hint: .*`on_bad: skip`"):
            conversations_in(path, ConversationSource(source="chat", bot="Bob"))
    path = write(tmp_path / "a.txt", DASHES + asked + opened)
    reading = conversations_in(path, ConversationSource(source="chat", bot="Bob", on_bad="skip"))
    assert (len(reading.conversations), reading.left_out) == (1, 3)
    assert [reason.split(";")[0] for reason in reading.skipped] == [
        f"{SERVICE}: 2",
        "2 left out: no reply of the bot",
        "1 left out: one turn only",
    ]


def telegram(id: int, sent: str, who: str | None, text: object, **more: object) -> dict[str, object]:
    return {
        "id": id,
        "type": "message",
        "date": sent,
        "from": who,
        "from_id": f"u{who}",
        "text": text,
        **more,
    }


CHAT = {
    "name": "Bob",
    "type": "personal_chat",
    "id": 5,
    "messages": [
        {"id": 1, "type": "service", "date": "2024-01-01T10:00:00", "actor": "Ann", "text": ""},
        telegram(2, "2024-01-01T10:00:00", "Ann", "Hi"),
        telegram(3, "2024-01-01T10:01:00", "Bob", ["see ", {"type": "link", "text": "https://a.b"}, "!"]),
        telegram(4, "2024-01-01T10:02:00", "Bob", "", photo="x.jpg"),
        telegram(5, "2024-01-01T16:01:00", "Ann", "Thanks", photo="y.jpg"),  # 6 hours later, not more
        telegram(6, "2024-01-02T10:00:00", None, "Gone"),
    ],
}


def test_r3_telegram_one_chat_or_all(tmp_path: Path) -> None:
    path = write(tmp_path / "result.json", CHAT)
    assert find_file(path).format == "telegram"
    rows, left = rows_of(path)
    assert rows == [
        ("Ann", "Hi"),
        ("Bob", "see https://a.b!"),
        ("Ann", "Thanks"),
        ("Deleted account", "Gone"),
    ]
    assert left == {SERVICE: 1, NO_TEXT: 1}
    assert starts(path) == ["Bob, 2024-01-01T10:00:00", "Bob, 2024-01-02T10:00:00"]
    contacts = {"about": "", "list": [{"user_id": 1, "messages": [1]}]}
    account = {"about": "Here", "personal_information": {"user_id": 1}, "contacts": contacts}
    everything = account | {"chats": {"about": "", "list": [CHAT, CHAT | {"name": None}, CHAT]}}
    path = write(tmp_path / "all.json", everything)
    rows, left = rows_of(path)
    assert (len(rows), left) == (12, {SERVICE: 3, NO_TEXT: 3})
    assert [id for id in starts(path) if str(id).endswith("01T10:00:00")] == [
        "Bob, 2024-01-01T10:00:00",
        "chat 2, 2024-01-01T10:00:00",
        "Bob (3), 2024-01-01T10:00:00",
    ]


def test_r3_two_people_of_one_name_stay_two_speakers(tmp_path: Path) -> None:
    messages = [telegram(1, "2024-01-01T10:00:00", "Ann", "Hi", from_id=f"user{id}") for id in (1, 2, 1)]
    rows, _ = rows_of(write(tmp_path / "a.json", CHAT | {"messages": messages}))
    assert [speaker for speaker, _ in rows] == ["Ann", "Ann (user2)", "Ann"]


def test_r3_an_export_larger_than_memory_is_streamed(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    message = json.dumps(telegram(2, "2024-01-01T10:00:00", "Ann", "x" * 2000))
    path.write_text(json.dumps(CHAT | {"messages": []})[:-2] + ",".join([message] * 4000) + "]}")
    assert path.stat().st_size > 8_000_000
    tracemalloc.start()
    assert sum(1 for _ in read_records(path)) == 4000
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()


def discord(sent: str, kind: str, who: str, text: str) -> dict[str, object]:
    author = {"id": f"id-{who}", "name": who, "nickname": "Nick", "isBot": who == "helper"}
    return {"id": "1", "type": kind, "timestamp": sent, "content": text, "author": author, "attachments": []}


def test_r3_discord(tmp_path: Path) -> None:
    messages = [
        discord("2024-01-01T10:00:00.1+00:00", "Default", "ann", "How?"),
        discord("2024-01-01T12:00:00+02:00", "Reply", "helper", "So."),
        discord("2024-01-01T10:02:00+00:00", "ChannelPinnedMessage", "ann", "Pinned a message."),
        discord("2024-01-01T10:03:00+00:00", "Default", "ann", ""),
        discord("2024-01-03T10:03:00+00:00", "Default", "ann", "Again"),
    ]
    channel = {"id": "2", "type": "GuildTextChat", "category": "c", "name": "help", "topic": None}
    document = {"guild": {"id": "1", "name": "G"}, "channel": channel, "messages": messages}
    path = write(tmp_path / "G - help.json", document)
    assert find_file(path).format == "discord"
    rows, left = rows_of(path)
    assert rows == [("ann", "How?"), ("helper", "So."), ("ann", "Again")]
    assert left == {SERVICE: 1, NO_TEXT: 1}
    assert starts(path) == ["#help, 2024-01-01T10:00:00.1+00:00", "#help, 2024-01-03T10:03:00+00:00"]


def slack(second: int, who: str | None, text: str, **more: object) -> dict[str, object]:
    return {"type": "message", "ts": f"17041032{second:02}.000100", "user": who, "text": text, **more}


@pytest.fixture
def slack_export(tmp_path: Path) -> Path:
    folder = tmp_path / "export"
    ann = {"id": "U1", "name": "ann", "real_name": "Ann A", "profile": {"display_name": "Ann"}}
    write(folder / "users.json", [ann, {"id": "U2", "name": "bob", "profile": {"display_name": ""}}])
    write(folder / "channels.json", [{"id": "C1", "name": "general"}, {"id": "C2", "name": "random"}])
    thread = {"thread_ts": "1704103201.000100"}
    first = [
        slack(0, "U1", "<@U1> has joined the channel", subtype="channel_join"),
        slack(1, "U1", "<@U2> see <https://a.b|this> &amp; <#C1|general> &lt;now&gt; <!here>", **thread),
        slack(2, "U2", "Good morning <https://c.d>"),
        slack(3, "U2", "Done", **thread),
        slack(4, None, "beep", subtype="bot_message", bot_id="B1", username="robot"),
        slack(5, "U1", "", files=[{"id": "F1"}]),
        slack(6, "U1", "gone", subtype="tombstone"),
    ]
    write(folder / "general" / "2024-01-01.json", first)
    write(folder / "general" / "2024-01-02.json", [slack(7, "U2", "Late", **thread)])
    write(folder / "random" / "2024-01-01.json", [slack(8, "U1", "Other")])
    return folder


def test_r3_slack_channels_threads_bots_and_names(slack_export: Path) -> None:
    assert find_file(slack_export).format == "slack"
    assert columns_of(slack_export) == ["conversation", "speaker", "time", "text"]
    rows, left = rows_of(slack_export)
    assert rows == [
        ("Ann", "@bob see this & #general <now> @here"),
        ("bob", "Good morning https://c.d"),
        ("bob", "Done"),
        ("robot", "beep"),
        ("bob", "Late"),
        ("Ann", "Other"),
    ]
    assert left == {SERVICE: 1, NO_TEXT: 1, DELETED: 1}
    source = ConversationSource(source="slack", bot="bob", on_bad="skip")
    (thread,) = conversations_in(slack_export, source).conversations
    assert [turn.text for turn in thread.turns] == ["@bob see this & #general <now> @here", "Done\nLate"]


def test_r3_one_day_of_a_slack_channel_knows_the_names_of_its_export(slack_export: Path) -> None:
    path = slack_export / "general" / "2024-01-01.json"
    assert find_file(path).format == "slack"
    assert len(rows_of(path)[0]) == 4
    assert rows_of(path)[0][0][1] == "@bob see this & #general <now> @here"
    assert starts(path) == ["#general, thread 1704103201.000100", "#general, 2024-01-01T10:00:02+00:00"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("a.json", [{"text": "type: message", "label": "x"}]),
        ("a.json", {"messages": [{"role": "user", "content": "hi"}], "type": "chat"}),
        ("a.json", {"guild": "x", "data": [{"text": "a"}]}),
        ("a.jsonl", '{"messages": [{"role": "user", "content": "hi"}]}\n'),
    ],
)
def test_r3_other_json_is_no_export(tmp_path: Path, name: str, value: object) -> None:
    assert find_file(write(tmp_path / name, value)).format == name.partition(".")[2]


def test_r3_the_start_of_a_hostile_file_is_examined_in_no_time(tmp_path: Path) -> None:
    for start in ('{"guild": {', '{"about": ', '{"a": {', '[{"turns": '):
        path = write(tmp_path / "a.json", start + '"channel": {"log": [{"chats": "type": "message" ' * 2000)
        began = time.process_time()
        assert find_file(path).format in ("json", "multiwoz")
        assert time.process_time() - began < 1


def test_r3_a_chat_has_no_labels_and_the_message_says_what_to_do(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", DASHES)
    with pytest.raises(
        DataError, match=r"no column 'label'; whatsapp has the columns .*, time, text, and no lab"
    ):
        nlpkit.check(path)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("WhatsApp Chat.zip", "PK", "is an archive; hint: unpack it"),
        ("messages.html", "<html>", "is a web page; hint: export the chat as JSON"),
        ("domain.yml", "intents:\n- greet\n", "is a Rasa domain, .*; hint: name the file with the nlu"),
    ],
)
def test_r3_a_known_file_that_is_not_read_says_what_it_is(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        list(read_records(write(tmp_path / name, content)))


@pytest.mark.parametrize("format", ["whatsapp", "telegram", "slack", "discord"])
def test_r3_no_message_at_all_is_an_error_that_says_what_there_was(tmp_path: Path, format: str) -> None:
    empty: dict[str, object] = {
        "whatsapp": "1/2/2023, 21:15 - Ann left\n",
        "telegram": CHAT | {"messages": CHAT["messages"][:1]},  # type: ignore[index]
        "slack": [slack(0, "U1", "joined", subtype="channel_join")],
        "discord": {"messages": [discord("2024-01-01T10:00:00+00:00", "Call", "ann", "Started a call.")]},
    }
    path = write(tmp_path / "a", empty[format])
    with pytest.raises(DataError, match=r"holds no rows besides what is left out: service .*: 1$"):
        list(read_records(path, format=format, on_left_out=lambda row: None))
