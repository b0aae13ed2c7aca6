"""Replies of the server: pages come and go, and the server is killed; nothing is lost or doubled."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo import running_reply
from demo.running_reply import RunningReplies, RunningReply
from nlpkit.chat import streaming_reply
from nlpkit.chat.messages import INTERRUPTED
from nlpkit.chat.refusals import BusyError, LimitError
from nlpkit.chat.session import Session
from nlpkit.chat.store import Store
from nlpkit.chat.text_limits import ChatLimits
from nlpkit.data.examples import Conversation
from nlpkit.errors import SourceError
from nlpkit.generation.completion import OverloadedError
from nlpkit.generation.sampling import Sampling
from tests.fakes import FakeBot

WORDS = [f"w{number}" for number in range(60)]
WHOLE = " ".join(WORDS)
PAUSE = 0.004
"""Seconds before each word."""
MOMENTS, KILLS, AT_ONCE = 30, 6, 5
"""Moments at which pages leave a reply; how often the server is killed, and how many replies grow then."""


def says(conversation: Conversation, _: Sampling) -> str:
    """Say all words, or those that a begun reply lacks."""
    last = conversation.turns[-1]
    return WHOLE if last.role == "user" else WHOLE.removeprefix(last.text)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "chat.db") as opened:
        yield opened


@pytest.fixture
def replies(store: Store, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningReplies]:
    monkeypatch.setattr(running_reply, "TICK", 0.002)
    monkeypatch.setattr(streaming_reply, "SAVE_EVERY", 0.002)
    made = RunningReplies(Session(store, FakeBot()))
    yield made
    made.close()


def pages(store: Store, chat: str) -> list[tuple[str, str, str]]:
    return [(message.role, message.text, message.finish) for message in store.read(chat, "").messages]


def follow(running: RunningReply, shown: list[str], left: threading.Event | None = None) -> threading.Thread:
    thread = threading.Thread(target=lambda: shown.extend(running.growing(left)))
    thread.start()
    return thread


def test_d3_pages_that_come_and_go_at_random_moments_lose_and_double_nothing(
    store: Store, replies: RunningReplies
) -> None:
    moments, taken_up = random.Random(13), 0
    bot = FakeBot(says=says, delay=PAUSE)
    for number in range(MOMENTS):
        chat = store.create("").id
        running = replies.say("", chat, f"question {number}", Sampling(), bot)
        left, first, second, third = threading.Event(), [], [], []
        page = follow(running, first, left)
        running.ended.wait(moments.uniform(0, len(WORDS) * PAUSE))
        left.set()  # it is reloaded, closed, or loses its connection
        page.join(20)
        if first:
            assert pages(store, chat)[1][1].startswith(first[-1])
        if again := replies.get("", chat):
            taken_up += 1
            assert again.before == (("user", f"question {number}"),)
            devices = [follow(again, second), follow(again, third)]
            for device in devices:
                device.join(20)
            assert second[-1] == third[-1] == WHOLE
        assert running.ended.wait(20)
        for texts in (first, second, third):
            assert all(after.startswith(before) for before, after in itertools.pairwise(texts))
            assert all(WHOLE.startswith(text) for text in texts)
        assert pages(store, chat) == [("user", f"question {number}", ""), ("assistant", WHOLE, "stop")]
        assert replies.get("", chat) is None
    assert taken_up > MOMENTS / 2


SERVER = """
import json, os, sys
from itertools import chain
from threading import Thread
from demo.running_reply import RunningReplies
from nlpkit.chat.session import Session
from nlpkit.chat.store import Store
from nlpkit.generation.sampling import Sampling
from tests.fakes import FakeBot
from tests.unit.demo.test_demo_running_reply import says

replies = RunningReplies(Session(Store.open(sys.argv[1]), FakeBot()))

def follow(chat):
    running = replies.say("", chat, "question", Sampling(), FakeBot(says=says, delay=0.02))
    for text in chain([""], running.growing()):
        os.write(1, (json.dumps([chat, text]) + chr(10)).encode())

for chat in sys.argv[2:]:
    Thread(target=follow, args=[chat]).start()
"""


def kill_server(store: Store, chats: list[str], seconds: float) -> dict[str, list[str]]:
    """Answer in these conversations, kill the server, and return what each page showed."""
    shown: dict[str, list[str]] = {chat: [] for chat in chats}
    command = [sys.executable, "-c", SERVER, str(store.path), *chats]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        lines = [server.stdout.readline()]
        threading.Event().wait(seconds)
        server.kill()
        lines += [line for line in server.stdout if line.endswith("\n")]
    for line in lines:
        chat, text = json.loads(line)
        shown[chat].append(text)
    return shown


def test_d3_a_kill_at_thirty_random_moments_loses_and_doubles_nothing_shown(
    store: Store, replies: RunningReplies
) -> None:
    moments, interrupted = random.Random(3), 0
    for _ in range(KILLS):
        chats = [store.create("").id for _ in range(AT_ONCE)]
        for chat, texts in kill_server(store, chats, moments.uniform(0, 1.2)).items():
            saved = pages(store, chat)
            if not texts:  # its message was not shown yet
                continue
            assert saved[0] == ("user", "question", "")
            text, finish = saved[1][1:] if len(saved) > 1 else ("", INTERRUPTED)
            assert text.startswith(texts[-1])
            assert WHOLE.startswith(text)
            if finish == "stop":
                assert text == WHOLE
                continue
            interrupted += 1
            assert finish == INTERRUPTED
            go_on = replies.resume if text else replies.retry
            assert go_on("", chat, Sampling(), FakeBot(says=says)).ended.wait(20)
            assert pages(store, chat) == [("user", "question", ""), ("assistant", WHOLE, "stop")]
    assert interrupted > KILLS * AT_ONCE / 2


def test_d3_an_interrupted_reply_is_found_by_its_words(store: Store, replies: RunningReplies) -> None:
    chat = store.create("").id
    store.append(chat, "", "user", "question")
    reply = store.append(chat, "", "assistant", "a blue lamp", finish=INTERRUPTED)
    store.set_reply(chat, "", reply.id, "a blue lamp and a red chair", INTERRUPTED)
    assert [found.id for found in store.chats("", "red chair")] == [chat]
    store.set_reply(chat, "", reply.id, "nothing", "stop")
    assert store.chats("", "lamp") == []
    with pytest.raises(LimitError):
        store.set_reply(chat, "", store.read(chat, "").messages[0].id, "x", "stop")


def test_d3_a_retry_keeps_the_old_reply_on_the_page_until_text_comes(
    store: Store, replies: RunningReplies, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = store.create("").id
    assert replies.say("", chat, "question", Sampling(), FakeBot()).ended.wait(20)
    slow = FakeBot(says=says, delay=30.0)
    running = replies.retry("", chat, Sampling(), slow)
    assert running.before == (("user", "question"),)
    # A server that is killed now has lost nothing
    assert pages(store, chat)[-1] == ("assistant", "1: question", "stop")
    with pytest.raises(BusyError):
        replies.say("", chat, "again", Sampling(), slow)
    while not slow.answers:
        running.ended.wait(0.01)
    replies.stop("", chat, wait=20)
    assert pages(store, chat)[-1] == ("assistant", "1: question", "stop")


def test_d4_a_failing_model_leaves_one_message(store: Store, replies: RunningReplies) -> None:
    chat = store.create("").id
    failing = FakeBot(refuses=SourceError("http://x: the server answered 500: {}"))
    running = replies.say("", chat, "question", Sampling(), failing)
    assert running.ended.wait(20)
    assert isinstance(running.error, SourceError)
    assert pages(store, chat) == [("user", "question", "")]
    assert replies.retry("", chat, Sampling(), FakeBot()).ended.wait(20)
    assert pages(store, chat) == [("user", "question", ""), ("assistant", "1: question", "stop")]


def test_d3_the_end_of_the_server_saves_what_grows_and_starts_no_more(
    store: Store, replies: RunningReplies
) -> None:
    chat = store.create("").id
    running = replies.say("", chat, "question", Sampling(), FakeBot(says=says, delay=PAUSE))
    next(running.growing())
    replies.close()
    (_, (_, text, finish)) = pages(store, chat)
    assert WHOLE.startswith(text)
    assert finish in ("stopped", "stop")
    with pytest.raises(OverloadedError):
        replies.say("", chat, "more", Sampling(), FakeBot())


def test_d3_a_message_that_is_refused_is_in_no_conversation(store: Store) -> None:
    replies = RunningReplies(Session(store, FakeBot(), limits=ChatLimits(max_turns=1)))
    chat = store.create("").id
    assert replies.say("", chat, "one", Sampling(), FakeBot()).ended.wait(20)
    running = replies.say("", chat, "two", Sampling(), FakeBot())
    assert running.ended.wait(20)
    assert isinstance(running.error, LimitError)
    assert not running.has_begun
    assert len(pages(store, chat)) == 2
