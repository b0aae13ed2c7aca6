"""Ratings over HTTP: kept for replies of this server alone, and only where there is a store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from nlpkit.chat import recent_replies
from nlpkit.chat.recent_replies import RecentReplies
from nlpkit.chat.refusals import MissingError
from nlpkit.chat.server import create_app
from nlpkit.chat.store import Store
from nlpkit.data.examples import Conversation, Turn
from tests.fakes import FakeBot

KEYS = ("the first key of two", "the second key of two")
SYSTEM = {"role": "system", "content": "Be kind."}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "ratings.sqlite") as opened:
        yield opened


@contextmanager
def served(store: Store | None, **more: Any) -> Iterator[TestClient]:
    app = create_app(FakeBot("parrot"), store=store, local_only=False, **more)
    with TestClient(app) as client:
        yield client


def ask(client: TestClient, text: str, **fields: Any) -> str:
    """Return the id of a reply."""
    messages = [SYSTEM, {"role": "user", "content": text}]
    answer = client.post("/v1/chat/completions", json={"messages": messages, **fields})
    if fields.get("stream"):
        found = json.loads(answer.text.split("\n\n")[0].removeprefix("data: "))["id"]
    else:
        found = answer.json()["id"]
    return str(found)


def rate(client: TestClient, id: str, rating: object = "up", **more: Any) -> Any:
    return client.post("/v1/feedback", json={"completion_id": id, "rating": rating, **more})


@pytest.mark.parametrize("stream", [False, True])
def test_j2_a_rated_reply_of_the_server_becomes_a_training_row(store: Store, stream: bool) -> None:
    with served(store) as client:
        first, second = (
            ask(client, "hello", stream=stream),
            ask(client, "cut off", stream=stream, max_tokens=1),
        )
        ask(client, "never rated", stream=stream)
        done = rate(client, first, "down", reason="too\x00 short")
        assert (done.status_code, done.json()) == (
            200,
            {"object": "feedback", "completion_id": first, "rating": "down", "reason": "too short"},
        )
        assert rate(client, first, "up").status_code == 200  # the last rating counts
        assert rate(client, second, "up").status_code == 200
    found = store.preferences()
    asked = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "hello"}]
    (row,) = found.rows
    assert (row["messages"], row["reply"], row["rating"]) == (asked, "1: hello", "up")
    assert found.left_out == (
        "1 left out: a liked reply that was cut or stopped, which would teach the chat model to end there",
    )
    assert len(store.chats("")) == 2  # nothing is kept of what nobody rated


def test_j2_without_a_store_nothing_is_kept_and_ratings_are_refused() -> None:
    with served(None) as client:
        refused = rate(client, ask(client, "hello"))
    assert (refused.status_code, refused.json()["error"]["code"]) == (404, "no_feedback")
    assert "hint: start it with --store" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"completion_id": "chatcmpl-x"}, "rating"),
        ({"completion_id": "chatcmpl-x", "rating": "great"}, "rating"),
        ({"completion_id": "chatcmpl-x", "rating": None}, "rating"),
        ({"completion_id": 7, "rating": "up"}, "completion_id"),
        ({"completion_id": "", "rating": "up"}, "completion_id"),
        ({"completion_id": "chatcmpl-x", "rating": "up", "reason": "x" * 2001}, "reason"),
        ({"completion_id": "chatcmpl-x", "rating": "up", "user": "ann"}, "user"),
        ({"completion_id": "chatcmpl-x", "rating": "up", "reply": "mine"}, "reply"),
    ],
)
def test_j2_a_wrong_rating_is_refused_by_its_field_as_the_schema_says(
    store: Store, fields: dict[str, Any], param: str
) -> None:
    with served(store) as client:
        refused = client.post("/v1/feedback", json=fields)
        schema = client.get("/openapi.json").json()
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, param)
    reference = schema["paths"]["/v1/feedback"]["post"]["requestBody"]["content"]["application/json"][
        "schema"
    ]
    body = jsonschema.Draft202012Validator({**reference, "components": schema["components"]})
    assert not body.is_valid(fields)
    assert body.is_valid({"completion_id": "chatcmpl-x", "rating": "up"})


def test_j2_only_the_client_that_got_a_reply_can_rate_it(store: Store) -> None:
    with served(store, keys=KEYS) as client:
        client.headers["authorization"] = f"Bearer {KEYS[0]}"
        id = ask(client, "hello")
        unknown = rate(client, "chatcmpl-of-another-server")
        client.headers["authorization"] = f"Bearer {KEYS[1]}"
        foreign = rate(client, id)
        assert (foreign.status_code, foreign.json()) == (unknown.status_code, unknown.json())
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (404, "completion_not_found")
        client.headers["authorization"] = "Bearer no key at all"
        assert rate(client, id).status_code == 401
        page = {"authorization": f"Bearer {KEYS[0]}", "origin": "https://evil.test"}
        assert client.post("/v1/feedback", headers=page, json={}).status_code == 403
    assert store.preferences().rows == ()


def test_j2_a_store_that_fails_is_an_error_without_its_path(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    with served(store) as client:
        id = ask(client, "my secret")
        with sqlite3.connect(store.path) as other:
            other.execute("DROP TABLE messages")
        failed = rate(client, id)
    assert (failed.status_code, failed.json()["error"]["code"]) == (500, "server_error")
    assert str(store.path) not in failed.text
    assert "my secret" not in caplog.text + failed.text


def test_j2_old_replies_are_forgotten_by_number_and_by_size(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent_replies, "MOST", 3)
    monkeypatch.setattr(recent_replies, "MOST_CHARACTERS", 100)
    recent = RecentReplies(store, "parrot")

    def add(id: str, text: str) -> None:
        recent.add(id, "ann", Conversation(turns=(Turn(role="user", text=text),)), "ok", "stop")

    def is_known(id: str) -> bool:
        try:
            recent.rate(id, "ann", "up", "")
        except MissingError:
            return False
        return True

    for number in range(4):
        add(str(number), "hi")
    assert [is_known(str(number)) for number in range(4)] == [False, True, True, True]
    add("long", "x" * 92)  # with "ok" and one short reply of 4 it is 98, with two of them 102
    assert [is_known(id) for id in ("2", "3", "long")] == [False, True, True]
    add("huge", "x" * 200)
    assert not any(is_known(id) for id in ("3", "long", "huge"))


def test_j2_an_empty_reply_has_nothing_to_rate(store: Store) -> None:
    recent = RecentReplies(store, "parrot")
    recent.add("a", "ann", Conversation(turns=(Turn(role="user", text="hi"),)), " ", "stop")
    with pytest.raises(Exception, match="the reply is empty"):
        recent.rate("a", "ann", "up", "")
    assert store.chats("") == []
