"""Rows of the list of conversations: order, pins, the line of a message, and what a search finds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nlpkit.chat import schema
from nlpkit.chat.search import search_of
from nlpkit.chat.store import Store
from nlpkit.chat.summaries import MAX_LINE, line_of


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "chat.db") as opened:
        yield opened


def talk(store: Store, *texts: str, owner: str = "") -> str:
    id = store.create(owner).id
    for number, text in enumerate(texts):
        store.append(id, owner, "assistant" if number % 2 else "user", text)
    return id


def test_d10_pinned_conversations_come_first_and_pinning_changes_nothing_else(store: Store) -> None:
    one, two, three = (talk(store, text) for text in ("one", "two", "three"))
    before = store.read(one, "")
    store.pin(one, "")
    assert [summary.id for summary in store.summaries("")] == [one, three, two]
    assert [summary.is_pinned for summary in store.summaries("")] == [True, False, False]
    assert store.read(one, "") == before
    store.pin(two, "")
    assert [summary.id for summary in store.summaries("")] == [two, one, three]
    store.pin(one, "", False)
    assert [summary.id for summary in store.summaries("", limit=2)] == [two, three]
    # all others list by time alone, as before
    assert [chat.id for chat in store.chats("")] == [three, two, one]


def test_d10_a_pin_is_kept_when_the_store_is_opened_again(store: Store) -> None:
    id = talk(store, "kept")
    store.pin(id, "")
    with Store.open(store.path) as again:
        assert again.summaries("")[0].is_pinned


def test_d10_the_line_is_of_the_last_shown_message(store: Store) -> None:
    id = talk(store, "first", "A reply\n\n  with   spaces", "second", "the last")
    assert store.summaries("")[0].line == "the last"
    store.undo(id, "")
    assert store.summaries("")[0].line == "A reply with spaces"
    empty = store.create("").id
    assert store.summaries("")[0] == store.summaries("", limit=1)[0]
    assert (store.summaries("")[0].id, store.summaries("")[0].line) == (empty, "")


def test_d10_a_search_shows_the_newest_message_with_the_words(store: Store) -> None:
    long = "nothing " * 30
    id = talk(store, f"{long} the Lamp was blue {long}", "No lampshade?", "no", "Well.")
    other = talk(store, "a chair")
    store.rename(other, "", "lamp shop")
    store.pin(other, "")
    assert [(summary.id, summary.line) for summary in store.summaries("", "lamp")] == [
        (other, "a chair"),  # the words are in its title
        (id, "No lampshade?"),
    ]
    (found,) = store.summaries("", "the lamp blu")
    assert found.line.startswith("…nothing nothing nothing the Lamp was blue")
    assert store.summaries("", "amp blue") == []
    assert [summary.id for summary in store.summaries("", "amp")] == [other]  # a title, as it always was
    assert store.summaries("eve", "lamp") == store.summaries("eve") == []


def test_d10_the_messages_of_a_conversation_that_match(store: Store) -> None:
    id = talk(store, "a lamp", "which lamp?", "the 🔑", "东京都")
    ids = [message.id for message in store.read(id, "").messages]
    assert store.matches(id, "", "lamp") == ids[:2]
    assert store.matches(id, "", "🔑") == [ids[2]]
    assert store.matches(id, "", "京") == [ids[3]]
    assert store.matches(id, "", "  ") == store.matches(id, "", "sofa") == []
    # an earlier version of a message is found too
    edited = store.edit(id, "", ids[0], "a sofa").id
    assert store.matches(id, "", "lamp") == ids[:2]
    assert store.matches(id, "", "sofa") == [edited]


@pytest.mark.parametrize(
    "query", ["x" * 9000, "a\0b", "a OR b", '"', "NEAR(a b)", "text:a", "*", "'", ";", "%"]
)
def test_no_query_is_an_error(store: Store, query: str) -> None:
    id = talk(store, "nothing of this kind")
    assert store.summaries("", query) == []
    assert store.matches(id, "", query) == []


@pytest.mark.parametrize(
    ("text", "query", "line"),
    [
        ("one\n two", "", "one two"),
        ("x" * 500, "", "x" * MAX_LINE),
        ("start art", "art", "start art"),
        ("0123456789 " * 5 + "here", "here", "…0123456789 0123456789 here"),
        ("x" * 50 + "🔑", "🔑", "…" + "x" * 30 + "🔑"),
        ("no such word", "else", "no such word"),
    ],
)
def test_a_line_of_a_message(text: str, query: str, line: str) -> None:
    search = search_of(query)
    assert line_of(text, search.pattern if search else None) == line


def test_d10_a_store_without_pins_gains_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "old.db"
    with monkeypatch.context() as patch:
        patch.setattr(schema, "MIGRATIONS", schema.MIGRATIONS[:1])
        with Store.open(path) as store:
            id = talk(store, "an old lamp", "yes")
    with Store.open(path) as store:
        assert [(summary.id, summary.is_pinned) for summary in store.summaries("", "lamp")] == [(id, False)]
        store.pin(id, "")
        assert store.summaries("")[0].is_pinned


def test_d10_a_list_is_read_from_an_index(store: Store) -> None:
    """The time of a list does not grow with the conversations: SQLite sorts and scans none."""
    plan = store._database.rows(
        "EXPLAIN QUERY PLAN SELECT * FROM chats WHERE owner = '' "
        "ORDER BY pinned DESC, updated DESC, number DESC LIMIT 51"
    )
    assert [row["detail"] for row in plan] == ["SEARCH chats USING INDEX chats_listed (owner=?)"]
