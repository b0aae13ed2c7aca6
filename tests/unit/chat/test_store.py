from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from nlpkit.chat import schema
from nlpkit.chat.refusals import BusyError, LimitError, MissingError
from nlpkit.chat.sentiment import Sentiment
from nlpkit.chat.store import Store
from nlpkit.data.examples import Turn
from nlpkit.errors import DataError


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "chat.db") as opened:
        yield opened


def talk(store: Store, *texts: str, owner: str = "") -> str:
    """A conversation in which both sides speak in turn."""
    id = store.create(owner).id
    for place, text in enumerate(texts):
        store.append(id, owner, ("user", "assistant")[place % 2], text)
    return id


def said(store: Store, id: str, owner: str = "") -> list[str]:
    return [one.text for one in store.read(id, owner).messages]


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


# What is kept


def test_what_was_said_is_there_after_it_was_closed(tmp_path):
    sentiment = Sentiment(label="negative", score=-0.5, probabilities={"negative": 0.75, "positive": 0.25})
    with Store.open(tmp_path / "chat.db") as store:
        id = store.create("ann", title="Keys", system="Be kind.", run="runs/one", settings={"mood": True}).id
        first = store.append(id, "ann", "user", "I lost my keys 🔑 أين", sentiment=sentiment)
        store.append(id, "ann", "assistant", "Where?", chat_model="tiny", finish="stop")
    with Store.open(tmp_path / "chat.db") as store:
        chat = store.read(id, "ann")
    assert (chat.title, chat.system, chat.run, chat.settings) == (
        "Keys",
        "Be kind.",
        "runs/one",
        {"mood": True},
    )
    assert chat.messages[0] == first
    assert chat.messages[0].sentiment == sentiment
    assert [(one.role, one.text, one.chat_model, one.finish) for one in chat.messages] == [
        ("user", "I lost my keys 🔑 أين", "", ""),
        ("assistant", "Where?", "tiny", "stop"),
    ]
    assert chat.messages[1].parent == first.id


def test_the_title_is_made_of_the_first_words(store):
    id = talk(
        store,
        "  Please tell me\nall that there is to know about the migration of small birds in autumn",
        "Well.",
        "And?",
    )
    assert store.read(id, "").title == "Please tell me all that there is to know about"
    assert store.rename(id, "", "Birds").title == "Birds"


def test_one_long_word_makes_a_title_too(store):
    assert store.read(talk(store, "x" * 5000), "").title == "x" * 48


def test_conversations_are_listed_the_last_changed_first(store):
    one, two, three = (talk(store, text) for text in ("one", "two", "three"))
    assert [chat.id for chat in store.chats("")] == [three, two, one]
    store.append(one, "", "assistant", "again")
    assert [chat.id for chat in store.chats("")] == [one, three, two]
    assert store.chats("", limit=1)[0].id == one


def test_settings_and_system_and_run_are_changed(store):
    id = store.create("").id
    store.set_system(id, "", "Be brief.")
    store.set_run(id, "", "runs/two")
    chat = store.set_settings(id, "", {"sampling": {"temperature": 0.2}, "mood": False})
    assert (chat.system, chat.run, chat.settings) == (
        "Be brief.",
        "runs/two",
        {"sampling": {"temperature": 0.2}, "mood": False},
    )


@pytest.mark.parametrize("settings", [{"a": float("nan")}, {"a": object()}, {"a": "x" * 30_000}])
def test_settings_that_cannot_be_kept_are_refused(store, settings):
    id = store.create("").id
    with pytest.raises(LimitError, match="settings"):
        store.set_settings(id, "", settings)


@pytest.mark.parametrize("text", ["", "a\0b", "a\ud83d", 7, None])
def test_what_no_database_can_hold_is_refused_without_quoting_it(store, text):
    id = store.create("").id
    with pytest.raises(LimitError) as caught:
        store.append(id, "", "user", text)
    assert "message" in str(caught.value)
    assert store.read(id, "").messages == ()


def test_an_unknown_role_is_refused(store):
    id = store.create("").id
    with pytest.raises(LimitError, match="role"):
        store.append(id, "", "system", "I am your master")


# Branches


def test_an_edit_keeps_the_old_branch(store):
    id = talk(store, "a", "A", "b", "B")
    second = store.read(id, "").messages[2]
    edited = store.edit(id, "", second.id, "b2")
    assert said(store, id) == ["a", "A", "b2"]
    assert (edited.version, edited.versions) == (2, 2)
    assert [one.text for one in store.branches(id, "", edited.id)] == ["b", "b2"]
    store.switch(id, "", second.id)
    assert said(store, id) == ["a", "A", "b", "B"]
    assert store.read(id, "").messages[2].versions == 2


def test_the_first_message_can_be_edited(store):
    id = talk(store, "a", "A")
    store.edit(id, "", store.read(id, "").messages[0].id, "a2")
    assert said(store, id) == ["a2"]
    assert [one.text for one in store.branches(id, "", store.read(id, "").messages[0].id)] == ["a", "a2"]


def test_a_reply_cannot_be_edited(store):
    id = talk(store, "a", "A")
    with pytest.raises(LimitError, match="only messages of the user"):
        store.edit(id, "", store.read(id, "").messages[1].id, "x")


def test_a_reply_grows_and_a_message_of_the_user_does_not(store):
    id = store.create("").id
    asked, reply = (
        store.append(id, "", "user", "Tea?"),
        store.append(id, "", "assistant", "Ye", finish="interrupted"),
    )
    grown = store.set_reply(id, "", reply.id, "Yes, please.", "stop")
    assert (grown.id, grown.text, grown.finish) == (reply.id, "Yes, please.", "stop")
    assert said(store, id) == ["Tea?", "Yes, please."]
    with pytest.raises(LimitError, match="only replies grow"):
        store.set_reply(id, "", asked.id, "Coffee?", "stop")
    assert said(store, id) == ["Tea?", "Yes, please."]


def test_a_retry_makes_a_sibling_reply(store):
    id = talk(store, "a", "A", "b", "B")
    asked, shown = store.question(id, ""), store.read(id, "").messages[-1].id
    assert (asked.text, said(store, id)) == ("b", ["a", "A", "b", "B"])
    again = store.append(id, "", "assistant", "B2", after=asked.id, instead_of=shown)
    assert (again.version, again.versions) == (2, 2)
    assert said(store, id) == ["a", "A", "b", "B2"]
    earlier = store.read(id, "").messages[1]
    assert store.question(id, "", earlier.id).text == "a"
    assert [message.text for message in store.read(id, "", until=earlier.id).messages] == ["a", "A"]


def test_nothing_said_cannot_be_retried(store):
    with pytest.raises(LimitError):
        store.question(store.create("").id, "")


def test_undo_steps_back_before_the_users_turn(store):
    id = talk(store, "a", "A", "b", "B")
    assert [one.text for one in store.undo(id, "").messages] == ["a", "A"]
    assert store.undo(id, "").messages == ()
    assert store.undo(id, "").messages == ()
    assert store.append(id, "", "user", "c").parent == ""


def test_undo_takes_back_a_turn_without_a_reply(store):
    id = talk(store, "a", "A", "b")
    assert [one.text for one in store.undo(id, "").messages] == ["a", "A"]


def test_a_late_reply_becomes_a_branch(store):
    id = talk(store, "a")
    asked = store.read(id, "").messages[0]
    store.edit(id, "", asked.id, "a2")
    store.append(id, "", "assistant", "A", after=asked.id)
    assert said(store, id) == ["a2"]
    store.switch(id, "", asked.id)
    assert said(store, id) == ["a", "A"]


def test_messages_of_one_side_in_a_row_are_one_turn_for_the_bot(store):
    id = talk(store, "a", "A", "b")
    store.append(id, "", "user", "and c")
    assert store.read(id, "").conversation.turns == (
        Turn(role="user", text="a"), Turn(role="assistant", text="A"), Turn(role="user", text="b\nand c"),
    )  # fmt: skip


def test_a_thousand_messages_are_read_in_order(store):
    id = store.create("").id
    with store._database.writing():  # one commit, for speed
        for place in range(1000):
            store.append(id, "", ("user", "assistant")[place % 2], str(place))
    assert said(store, id) == [str(place) for place in range(1000)]


# Whose it is


CALLS = {
    "read": lambda store, id, one: store.read(id, "eve"),
    "append": lambda store, id, one: store.append(id, "eve", "user", "x"),
    "edit": lambda store, id, one: store.edit(id, "eve", one[0], "x"),
    "question": lambda store, id, one: store.question(id, "eve"),
    "reply": lambda store, id, one: store.set_reply(id, "eve", one[1], "x", "stop"),
    "undo": lambda store, id, one: store.undo(id, "eve"),
    "end_at": lambda store, id, one: store.end_at(id, "eve", ""),
    "branches": lambda store, id, one: store.branches(id, "eve", one[0]),
    "switch": lambda store, id, one: store.switch(id, "eve", one[0]),
    "rename": lambda store, id, one: store.rename(id, "eve", "x"),
    "pin": lambda store, id, one: store.pin(id, "eve"),
    "matches": lambda store, id, one: store.matches(id, "eve", "a"),
    "system": lambda store, id, one: store.set_system(id, "eve", "x"),
    "run": lambda store, id, one: store.set_run(id, "eve", "x"),
    "settings": lambda store, id, one: store.set_settings(id, "eve", {}),
    "rate": lambda store, id, one: store.rate(id, "eve", one[1], "up"),
    "choose": lambda store, id, one: store.choose(id, "eve", one[1], one[1]),
    "delete": lambda store, id, one: store.delete(id, "eve"),
    "markdown": lambda store, id, one: store.export_markdown(id, "eve"),
    "jsonl": lambda store, id, one: store.export_jsonl(id, "eve"),
    "hold": lambda store, id, one: store.hold(id, "eve"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_what_is_somebody_elses_is_as_missing_as_what_never_was(store, call):
    id = talk(store, "a", "A", owner="ann")
    before = store.read(id, "ann")
    messages = [one.id for one in before.messages]
    found = []
    for wanted in (id, "0" * 24, "", "../../etc/passwd", "' OR 1=1 --", "\ud800", None, 7):
        with pytest.raises(MissingError) as caught:
            call(store, wanted, messages)
        found.append(str(caught.value))
    assert set(found) == {"there is no such conversation"}
    assert store.read(id, "ann") == before


def test_every_public_method_that_takes_a_conversation_is_tried_above():
    import inspect

    methods = {
        name
        for name, one in inspect.getmembers(Store, inspect.isfunction)
        if "id" in inspect.signature(one).parameters
    }
    public = {name for name in methods if not name.startswith("_")}
    assert {name.replace("export_", "").replace("set_", "") for name in public} == set(CALLS)


def test_a_message_of_another_conversation_is_missing(store):
    one, other = talk(store, "a", "A", owner="ann"), talk(store, "b", "B", owner="ann")
    foreign = store.read(other, "ann").messages
    for call in (
        lambda: store.edit(one, "ann", foreign[0].id, "x"),
        lambda: store.append(one, "ann", "user", "x", after=foreign[1].id),
        lambda: store.rate(one, "ann", foreign[1].id, "up"),
        lambda: store.switch(one, "ann", foreign[0].id),
        lambda: store.choose(one, "ann", foreign[1].id, store.read(one, "ann").messages[1].id),
        lambda: store.rate(one, "ann", "no id", "up"),
    ):
        with pytest.raises(MissingError, match="no such message"):
            call()
    assert said(store, one, "ann") == ["a", "A"]


def test_lists_and_searches_show_the_owners_own_only(store):
    talk(store, "the secret garden", owner="ann")
    assert store.chats("eve") == store.chats("eve", "secret") == store.chats("") == []
    assert len(store.chats("ann", "secret")) == 1


# Search


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("garden", {"g"}),
        ("GARD", {"g"}),
        ("cafe", {"g"}),
        ("secret café", {"g"}),
        ("secret tram", set()),
        ("  ", {"g", "t"}),
        ("\ud800\0", {"g", "t"}),
        ("tram", {"t"}),
        ("Fahrplan", {"t"}),
        ("东京", {"t"}),
        ("🚋", {"t"}),
        ("100%", {"t"}),
        ("%", {"t"}),
        ("50%", set()),
        ("_", set()),
    ],
)
def test_words_and_their_beginnings_are_found(store, query, found):
    ids = {
        talk(store, "the secret garden of a Café"): "g",
        (tram := talk(store, "a tram 🚋 in 东京都", "at 100% power")): "t",
    }
    store.rename(tram, "", "Fahrplan")
    assert {ids[chat.id] for chat in store.chats("", query)} == found


QUERIES = [
    "x" * 9000,
    "a\0b",
    "a OR b",
    "a AND",
    *('"', '""', "NEAR(a b)", "text:secret", "a*", "*", "-a", "^a", "(", ")", "{a b}", "'", ";", "\\"),
]


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_is_an_error(store, query):
    talk(store, "nothing of this kind")
    assert store.chats("", query) == []


# Ratings


def test_a_rating_is_kept_changed_and_taken_back(store):
    id = talk(store, "a", "A")
    reply = store.read(id, "").messages[1].id
    assert store.rate(id, "", reply, "up", "kind").reason == "kind"
    assert store.rate(id, "", reply, "down").rating == "down"
    assert (store.read(id, "").messages[1].rating, store.read(id, "").messages[1].reason) == ("down", "")
    assert store.rate(id, "", reply, None, "no matter").reason == ""
    with pytest.raises(LimitError, match="rating"):
        store.rate(id, "", reply, "sideways")
    with pytest.raises(LimitError, match="only replies"):
        store.rate(id, "", store.read(id, "").messages[0].id, "up")


def test_a_choice_makes_the_chosen_reply_the_one_that_is_seen(store):
    id = talk(store, "a", "A")
    asked, one = store.read(id, "").messages
    other = store.append(id, "", "assistant", "A2", after=asked.id)
    assert said(store, id) == ["a", "A"]  # the conversation went on from the first one
    store.choose(id, "", other.id, one.id)
    assert said(store, id) == ["a", "A2"]
    for wrong in ((one.id, one.id), (one.id, asked.id)):
        with pytest.raises(LimitError, match="two different replies"):
            store.choose(id, "", *wrong)


# Deleted for good


def test_nothing_of_a_deleted_conversation_is_in_any_file(tmp_path):
    import random

    draw = random.Random(3)
    gone, kept = [], []
    with Store.open(tmp_path / "chat.db") as store:
        ids = []
        with store._database.writing():
            for number in range(16):
                mine = gone if number % 4 else kept
                words = [
                    "zq" + "".join(draw.choices("bcdfghjklmnpqrstvwx", k=12))
                    for _ in range(draw.choice((1, 5, 40, 700)))
                ]
                mine += words
                id = store.create("", title=f"ti{words[0]}", system=f"sy{words[0]}").id
                for place in range(0, len(words), 20):
                    store.append(
                        id, "", ("user", "assistant")[place // 20 % 2], " ".join(words[place : place + 20])
                    )
                ids += [id] if mine is gone else []
        for id in ids:
            store.rename(id, "", "another title")
        before = bytes_of(tmp_path)
        assert all(word.encode() in before for word in gone)
        for id in ids:
            store.delete(id, "")
        for moment in ("open", "closed"):
            after = bytes_of(tmp_path)
            # Inner parts too: an index writes only what a word does not share with the one before it
            assert [word for word in gone if word.encode() in after or word[5:].encode() in after] == [], (
                moment
            )
            assert all(word.encode() in after for word in kept), moment
            if moment == "open":
                assert len(store.chats("")) == 4
                assert store.chats("", gone[0]) == []
                assert len(store.chats("", kept[0])) == 1
                assert store.forget("nobody") == 0
                store.close()


def test_everything_of_an_owner_is_forgotten(store):
    talk(store, "mine alone", "yes", owner="ann")
    talk(store, "also mine", "yes", owner="ann")
    other = talk(store, "somebody else's", "yes", owner="eve")
    assert store.forget("ann") == 2
    assert store.chats("ann") == []
    assert said(store, other, "eve") == ["somebody else's", "yes"]
    found = bytes_of(store.path.parent)
    assert b"mine alone" not in found
    assert b"somebody else" in found


def test_ratings_and_choices_go_with_their_conversation(store):
    id = talk(store, "a", "A")
    asked, one = store.read(id, "").messages
    other = store.append(id, "", "assistant", "A2", after=asked.id)
    store.rate(id, "", one.id, "down", "an unfriendly reason")
    store.choose(id, "", other.id, one.id, "a friendlier reason")
    store.delete(id, "")
    with store._database.reading():
        assert [
            store._database.rows(f"SELECT 1 FROM {table}")  # noqa: S608
            for table in ("chats", "messages", "choices", "pending")  # noqa: RUF100, S608
        ] == [[]] * 4
    assert b"friendl" not in bytes_of(store.path.parent)


def test_a_deletion_that_was_cut_off_is_carried_out_when_it_is_opened(store, monkeypatch):
    from nlpkit.chat.database import Database

    id = talk(store, "unforgettable words")
    with monkeypatch.context() as patch:
        patch.setattr(Database, "_wipe", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            store.delete(id, "")
    assert b"unforgettable" in bytes_of(store.path.parent)
    Store.open(store.path).close()
    assert b"unforgettable" not in bytes_of(store.path.parent)


def test_a_reader_that_holds_back_a_deletion_is_named_and_the_rest_comes_later(tmp_path):
    with Store.open(tmp_path / "chat.db", timeout=0.1) as store:
        id = talk(store, "unforgettable words")
        reader = sqlite3.connect(store.path)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM messages").fetchall()
        with pytest.raises(DataError, match="deleted, but another program"):
            store.delete(id, "")
        assert store.chats("") == []
        reader.close()
    Store.open(tmp_path / "chat.db").close()
    assert b"unforgettable" not in bytes_of(tmp_path)


# The file


def test_only_its_user_can_read_the_files(tmp_path):
    old = os.umask(0)
    try:
        with Store.open(tmp_path / "deep" / "chat.db") as store:
            id = talk(store, "a")
            hold = store.hold(id, "")
            files = list((tmp_path / "deep").rglob("*"))
            assert {path.name for path in files} >= {"chat.db", "chat.db-wal", "chat.db.lock"}
            assert [path.name for path in files if stat.S_IMODE(path.stat().st_mode) & 0o077] == []
            hold.release()
    finally:
        os.umask(old)


def test_a_file_that_others_can_read_is_closed_to_them(tmp_path):
    path = tmp_path / "chat.db"
    Store.open(path).close()
    path.chmod(0o644)
    Store.open(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("through", ["its name", "a link"])
def test_s13_a_file_that_is_no_store_keeps_its_mode(tmp_path, through):
    text, foreign = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("milk, bread")
    with sqlite3.connect(foreign) as database:
        database.execute("CREATE TABLE things (name TEXT)")
    database.close()
    for file in (text, foreign):
        file.chmod(0o644)
        path = file
        if through == "a link":
            path = tmp_path / f"link-to-{file.name}"
            path.symlink_to(file)
        with pytest.raises(DataError, match=r"no SQLite file|another program"):
            Store.open(path)
        assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_s13_an_empty_file_becomes_a_store_that_only_its_owner_reads(tmp_path):
    path, link = tmp_path / "chat.db", tmp_path / "link.db"
    path.touch(0o644)
    link.symlink_to(path)
    with Store.open(link) as store:
        talk(store, "a")
        files = [file for file in tmp_path.iterdir() if not file.is_symlink()]
        assert [file.name for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077] == []


def test_settings_of_the_connection_hold(store):
    wanted = {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "secure_delete": 1,
        "user_version": len(schema.MIGRATIONS),
    }
    assert {name: store._database.rows(f"PRAGMA {name}")[0][0] for name in wanted} == wanted


def refused(path: Path, match: str, **more: float) -> None:
    """Check that it is refused with the path and a hint, and unchanged."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(DataError, match=match) as caught:
        Store.open(path, **more)
    assert str(path) in str(caught.value)
    assert "hint: " in str(caught.value)
    assert (path.read_bytes() if path.is_file() else None) == before


def test_what_is_no_store_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("dear diary, " * 500)
    (tmp_path / "short.txt").write_text("hi")
    refused(tmp_path / "notes.txt", "no SQLite file")
    refused(tmp_path / "short.txt", "no SQLite file")
    refused(tmp_path, "a folder")
    refused(tmp_path / "notes.txt" / "chat.db", "cannot be opened as a store")


def test_a_database_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE bookmarks (url)")
    other.close()
    refused(path, "another program")


def test_a_store_of_a_newer_version_is_refused(tmp_path):
    path = tmp_path / "chat.db"
    Store.open(path).close()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {len(schema.MIGRATIONS) + 1}")
    newer.close()
    refused(path, "newer nlpkit")


@pytest.mark.parametrize("where", [100, 4096, 5 * 4096, -4096])
def test_a_damaged_store_is_refused(tmp_path, where):
    path = tmp_path / "chat.db"
    with Store.open(path) as store, store._database.writing():
        for number in range(50):
            talk(store, f"some words {number} " * 20)
    data = bytearray(path.read_bytes())
    at = where % len(data)
    data[at : at + 3996] = bytes(range(7, 255)) * 16 + bytes(28)
    path.write_bytes(data)
    refused(path, "damaged")


def test_a_truncated_store_is_refused(tmp_path):
    path = tmp_path / "chat.db"
    with Store.open(path) as store:
        talk(store, "some words " * 2000)
    path.write_bytes(path.read_bytes()[:-8192])
    refused(path, "damaged")


def test_a_store_that_another_program_locks_is_refused(tmp_path):
    path = tmp_path / "chat.db"
    Store.open(path).close()
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    refused(path, "locked", timeout=0.1)
    other.close()
    Store.open(path).close()


def test_a_store_that_is_being_written_is_refused_in_time(tmp_path):
    import filelock

    path = tmp_path / "chat.db"
    with Store.open(path, timeout=0.1) as store:
        id = talk(store, "a")
        with filelock.FileLock(tmp_path / "chat.db.lock"):
            with pytest.raises(DataError, match="writing to this store; hint"):
                store.append(id, "", "user", "b")
            assert said(store, id) == ["a"]  # reading goes on
        store.append(id, "", "user", "b")


def test_a_full_disk_loses_nothing_that_was_saved(store):
    id = talk(store, "a")
    store._database.rows("PRAGMA max_page_count = 1")
    with pytest.raises(DataError, match="disk is full") as caught:
        store.append(id, "", "user", "word " * 20_000)
    assert "word" not in str(caught.value)
    store._database.rows("PRAGMA max_page_count = 1000000")
    store.append(id, "", "user", "b")
    assert said(store, id) == ["a", "b"]


@pytest.fixture
def nobody():
    """Somebody who may not write everything: root becomes another for a while."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder():
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Store.open(folder / "chat.db").close()
        (folder / "chat.db.lock").unlink()
        yield folder


@pytest.fixture
def shut_file(open_folder):
    open_folder.chmod(0o777)
    (open_folder / "chat.db").chmod(0o444)
    return open_folder / "chat.db"


@pytest.fixture
def shut_folder(open_folder):
    (open_folder / "chat.db").chmod(0o666)
    open_folder.chmod(0o555)
    return open_folder / "chat.db"


@pytest.mark.parametrize("shut", ["shut_file", "shut_folder"])
def test_a_store_that_may_not_be_written_is_refused(request, shut):
    path = request.getfixturevalue(shut)
    request.getfixturevalue("nobody")
    refused(path, "hint: make the (file|folder)")


def test_an_older_store_is_brought_up_to_date(tmp_path, monkeypatch):
    path = tmp_path / "chat.db"
    with Store.open(path) as store:
        id = talk(store, "a", "A")
    monkeypatch.setattr(
        schema,
        "MIGRATIONS",
        (*schema.MIGRATIONS, ("ALTER TABLE chats ADD COLUMN color INTEGER NOT NULL DEFAULT 0",)),
    )
    with Store.open(path) as store:
        assert said(store, id) == ["a", "A"]
        assert store._database.rows("SELECT color FROM chats")[0][0] == 0
        assert store._database.rows("PRAGMA user_version")[0][0] == len(schema.MIGRATIONS)


def test_a_migration_that_fails_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "chat.db"
    with Store.open(path) as store:
        id = talk(store, "a")
    with monkeypatch.context() as patch:
        wrong = ("ALTER TABLE chats ADD COLUMN color INTEGER", "ALTER TABLE nowhere ADD COLUMN x")
        patch.setattr(schema, "MIGRATIONS", (*schema.MIGRATIONS, wrong))
        with pytest.raises(DataError, match="no such table: nowhere"):
            Store.open(path)
    with Store.open(path) as store:
        assert said(store, id) == ["a"]
        assert "color" not in [row["name"] for row in store._database.rows("PRAGMA table_info(chats)")]


# Several at once


def test_threads_write_at_once_and_nothing_is_lost(store):
    ids = [store.create("").id for _ in range(4)]
    failed = []

    def write(number: int) -> None:
        try:
            for place in range(15):
                store.append(ids[number % 4], "", "user", f"{number}-{place}")
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    [one.start() for one in threads]
    [one.join() for one in threads]
    assert failed == []
    for number in range(8):
        mine = [text for text in said(store, ids[number % 4]) if text.startswith(f"{number}-")]
        assert mine == [f"{number}-{place}" for place in range(15)]


WRITER = """
import sys
from nlpkit.chat.store import Store
store = Store.open(sys.argv[1], timeout=60)
for place in range(int(sys.argv[4])):
    store.append(sys.argv[2], "", "user", f"{sys.argv[3]}-{place}")
"""


def test_processes_write_at_once_and_nothing_is_lost(store):
    id = store.create("").id
    children = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(store.path), id, str(number), "15"])
        for number in range(3)
    ]
    for place in range(15):
        store.append(id, "", "user", f"3-{place}")
    assert [child.wait(timeout=120) for child in children] == [0, 0, 0]
    found = said(store, id)
    assert len(found) == 60
    for number in range(4):
        assert [text for text in found if text.startswith(f"{number}-")] == [
            f"{number}-{place}" for place in range(15)
        ]
    assert store._database.rows("PRAGMA integrity_check")[0][0] == "ok"


def test_a_conversation_is_held_by_one_at_a_time(store):
    one, other = talk(store, "a"), talk(store, "b")
    hold = store.hold(one, "")
    with pytest.raises(BusyError, match="a reply is being written"):
        store.hold(one, "")
    store.hold(other, "").release()
    hold.release()
    hold.release()
    store.hold(one, "").release()
    assert list(store.path.with_name("chat.db.holds").iterdir()) == []


def test_a_hold_that_cannot_be_written_is_refused(store):
    id = talk(store, "a")
    store.path.with_name("chat.db.holds").write_text("in the way")
    with pytest.raises(DataError, match="no lock file can be created here"):
        store.hold(id, "")


HOLDER = """
import sys
from nlpkit.chat.store import Store
hold = Store.open(sys.argv[1]).hold(sys.argv[2], "")
print("held", flush=True)
sys.stdin.read()
"""


def test_a_conversation_held_by_another_process_is_busy_until_that_is_killed(store):
    id = talk(store, "a")
    child = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(store.path), id], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert child.stdout.readline() == b"held\n"
        with pytest.raises(BusyError):
            store.hold(id, "")
    finally:
        child.kill()
        child.communicate()
    store.hold(id, "").release()


def test_d10_a_version_is_shown_with_what_followed_it_last(store: Store) -> None:
    chat = store.create("ann").id
    question = store.append(chat, "ann", "user", "one")
    first = store.append(chat, "ann", "assistant", "a", after=question.id)
    store.append(chat, "ann", "assistant", "b", after=question.id, instead_of=first.id)
    store.switch(chat, "ann", first.id)
    store.append(chat, "ann", "user", "two")
    edited = store.edit(chat, "ann", question.id, "other")
    assert [message.text for message in store.read(chat, "ann").messages] == ["other"]
    # back to where the conversation went on, though another reply is newer than the one that it followed
    shown = store.switch(chat, "ann", question.id)
    assert [message.text for message in shown.messages] == ["one", "a", "two"]
    assert [version.id for version in store.branches(chat, "ann", edited.id)] == [question.id, edited.id]
