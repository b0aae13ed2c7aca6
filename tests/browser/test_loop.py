"""Fifty ratings, some by clicks, become a new run that is compared, promoted, and used in the chat."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nlpkit.chat.messages import Rating
from nlpkit.chat.session import Session
from nlpkit.chat.store import Store
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.sampling import Sampling
from nlpkit.run import Run
from tests.browser.conftest import ROOT, Server, Visit
from tests.toy_bot import train_bot

RATING_MARKS, CLICKED = 50, 12

LIKED = """
recipe: preference
name: liked
run: {runs}/toy
data:
  train: [{{source: {ratings}, conversation: conversation}}]
  held_out: 0.2
  near_duplicates: 1.0
training: {{epochs: 4, lr: 0.005, batch_size: 8}}
output: {runs}
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, toy_run: Path) -> Iterator[Server]:
    """The demo as its users start it, with a trained bot and a trained classifier."""
    folder = tmp_path_factory.mktemp("loop")
    run = train_bot(folder)
    made = Server(folder, "demo/app.py", str(run), "--classifier", str(toy_run), "--rate", "1000")
    try:
        yield made.start()
    finally:
        made.kill()


def nlpkit(*words: str) -> str:
    """What the command said."""
    done = subprocess.run(
        [sys.executable, "-m", "nlpkit", *words], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def begin(visit: Visit) -> None:
    visit.page.click("#new-chat")
    visit.page.wait_for_function("() => document.querySelectorAll('#chatbot .message').length == 0")


def ask(visit: Visit, number: int) -> str:
    """Return the reply in a new conversation, sampled with a fixed seed."""
    visit.page.get_by_label("number input for Temperature").fill("0.3")
    visit.page.get_by_label("number input for Repetition penalty").fill("1")
    visit.page.get_by_label("Seed").fill(str(number))
    return visit.say(f"hello {number}")


def rate(visit: Visit, label: str) -> None:
    visit.page.locator(f'#chatbot button[aria-label="{label}"]').last.click()
    visit.until("#status", f"You rated it {'good' if label == 'Like' else 'bad'}")


def rate_without_the_page(store: Path, run: Path, numbers: range) -> list[str]:
    """Return the replies in new conversations of the demo's store, rated as in the browser."""
    replies = []
    with Store.open(store) as opened:
        session = Session(opened, Chatbot.load(Run(run)))
        for number in numbers:
            chat = session.start("", run=run.name).id
            sampling = Sampling(temperature=0.3, repetition_penalty=1, seed=number)
            with session.say(chat, "", f"hello {number}", sampling) as reply:
                replies.append("".join(reply))
            rating: Rating = "up" if replies[-1].startswith("thanks") else "down"
            session.rate(chat, "", opened.read(chat, "").messages[-1].id, rating)
    return replies


def choose(visit: Visit, field: str, name: str) -> None:
    visit.page.locator(f"{field} input").click()
    visit.page.get_by_role("option", name=name, exact=True).click()


def test_fifty_thumbs_become_a_run_that_is_compared_promoted_and_served(
    visit: Visit, server: Server, tmp_path: Path
) -> None:
    visit.page.click("#sampling button")
    before = []
    for number in range(CLICKED):
        if number:
            begin(visit)
        before.append(ask(visit, number))
        # who sits here likes to be thanked
        rate(visit, "Like" if before[-1].startswith("thanks") else "Dislike")
    before += rate_without_the_page(server.store, server.runs / "toy", range(CLICKED, RATING_MARKS))
    thanked = sum(one == "thanks" for one in before)
    assert 5 <= thanked <= RATING_MARKS - 5  # else there would be nothing to learn

    ratings = tmp_path / "ratings.jsonl"
    assert f"{RATING_MARKS} rows" in nlpkit("feedback", str(server.store), "-o", str(ratings))
    rows = [json.loads(line) for line in ratings.read_text(encoding="utf-8").splitlines()]
    assert [row["reply"] for row in rows] == before
    assert sum(row["rating"] == "up" for row in rows) == sum(one.startswith("thanks") for one in before)

    config = tmp_path / "liked.yaml"
    config.write_text(LIKED.format(runs=server.runs, ratings=ratings), encoding="utf-8")
    said = nlpkit("train", str(config))
    assert "promoted: " in said
    found: dict[str, Any] = Run(server.runs / "liked").read().data["comparison"]
    assert (found["verdict"], found["measure"], found["held_out"]) == ("promoted", "auroc", RATING_MARKS // 5)
    assert found["preference"]["new"]["value"] > found["preference"]["old"]["value"]
    assert json.loads((server.runs / "promoted.json").read_text(encoding="utf-8")) == {"run": "liked"}

    # the demo that has been running all the while has it now
    visit.page.reload()
    visit.page.wait_for_selector("#context h2")
    visit.page.click("#persona button")
    visit.page.click("#sampling button")
    after = []
    for number in range(RATING_MARKS, RATING_MARKS + 6):
        begin(visit)
        choose(visit, "#run", "promoted")
        visit.until("#context", "promoted")
        after.append(ask(visit, number))
    with Store.open(server.store) as store:
        assert {store.read(one.id, "").messages[-1].chat_model for one in store.chats("")[: len(after)]} == {
            "liked"
        }
    assert sum(one == "thanks" for one in after) / len(after) > thanked / RATING_MARKS

    visit.page.get_by_role("tab", name="Reports").click()
    visit.page.wait_for_selector("iframe.report")
    choose(visit, "#report-run", "liked")
    frame = visit.page.frame_locator("iframe.report")
    frame.get_by_text("promoted").first.wait_for()
