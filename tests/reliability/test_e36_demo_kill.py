"""The demo is killed in the middle of turns: what a client saw as saved is there, in order and complete."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nlpkit.chat.store import Store
from tests.browser.conftest import Server
from tests.reliability.record import Tally
from tests.tries import tries

pytestmark = pytest.mark.integration

KILLS, CLIENTS = tries(50, 3), 3

DRAWN = ("", 0.7, 0.9, 0, 1.1, 256, "")
"""Gradio wants all that /chat takes, the defaults too: which bot, and how it draws."""


def said(address: str, text: str, chat: str) -> Iterator[tuple[str, Any]]:
    """The events of one message over Gradio's HTTP API."""
    with httpx2.Client(base_url=f"{address}/gradio_api/call", timeout=60) as client:
        event = (
            client.post("/chat", json={"data": [text, chat, *DRAWN]}).raise_for_status().json()["event_id"]
        )
        with client.stream("GET", f"/chat/{event}") as answer:
            name = ""
            for line in answer.iter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "data":
                    yield name, json.loads(value)


class Talker(threading.Thread):
    """Send messages until the server is gone, and record which the client saw as saved."""

    def __init__(self, address: str, name: str, first: threading.Event) -> None:
        super().__init__()
        self.address, self.name, self.first = address, name, first
        self.chat = ""
        self.saved: list[tuple[str, str]] = []

    def run(self) -> None:
        try:
            for turn in range(1000):
                self.turn(f"{self.name} turn {turn} " + "and so on " * 12 + "the end")
        except (httpx2.HTTPError, httpx2.StreamError):
            return

    def turn(self, text: str) -> None:
        """A reply that begins shows that the turn is saved; one that has ended is saved itself."""
        shown = False
        for name, data in said(self.address, text, self.chat):
            if name == "error":
                raise AssertionError(f"the server refused: {data}")
            if name in ("generating", "complete") and not shown:
                shown, self.chat = True, data[0]["conversation"]
                self.saved.append(("user", text))
                self.first.set()
            if name == "complete":
                self.saved.append(("assistant", data[0]["reply"]))


def test_what_a_client_saw_as_saved_survives_kills_of_the_server(tmp_path: Path, tally: Tally) -> None:
    moments = random.Random(7)
    talkers: list[Talker] = []
    server = Server(tmp_path)
    try:
        for kill in range(KILLS):
            server.start()
            first = threading.Event()
            now = [Talker(server.address, f"client {kill}-{number}", first) for number in range(CLIENTS)]
            # One of them goes on with a conversation that was cut off, half a turn or not
            now[0].chat = talkers[-CLIENTS].chat if talkers else ""
            for one in now:
                one.start()
            assert first.wait(120), server.log()
            threading.Event().wait(moments.uniform(0.05, 1.5))
            server.kill()
            for one in now:
                one.join(120)
                assert not one.is_alive()
            talkers += now
            check(server.store, talkers)
    finally:
        server.kill()
    assert sum(role == "assistant" for one in talkers for role, _ in one.saved) > KILLS
    # Some turns were under way when the server was killed: said and seen as saved, and never answered
    assert any(one.saved and one.saved[-1][0] == "user" for one in talkers)
    tally(KILLS, "kills")


def check(path: Path, talkers: list[Talker]) -> None:
    with Store.open(path) as store:
        assert store._database.rows("PRAGMA integrity_check")[0][0] == "ok"
        for chat in dict.fromkeys(one.chat for one in talkers if one.chat):
            messages = store.read(chat, "").messages
            held = iter([(one.role, one.text) for one in messages])
            # In order: each is looked for behind the one before it
            lost = [
                one for talker in talkers if talker.chat == chat for one in talker.saved if one not in held
            ]
            assert lost == []
            for before, one in pairwise(messages):
                # The bot says back what it heard: whole, unless it was killed
                assert one.role == "user" or one.finish == "interrupted" or one.text.endswith(before.text)
