"""The demo with a tiny model of its own, on this machine and behind a real `nlpkit serve`."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from demo.model_pool import GoneError, ModelPool
from demo.models import Loader, find_chat_models
from demo.servers import Server, Servers, named_server
from nlpkit.chat.store import Store
from nlpkit.generation.sampling import Sampling
from nlpkit.generation.server_errors import ServerError

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
KEY = "a-key-of-at-least-16-characters"
SAMPLING = Sampling(temperature=0, max_new_tokens=12)


@contextmanager
def served(run: Path) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """`nlpkit serve RUN` with a key: its address up to and with /v1, and its process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NLPKIT_KEY": KEY}
    words = ["serve", str(run), "--port", "0", "--classifier", "none", "--runtime", "torch", "--threads", "1"]
    with subprocess.Popen(
        [sys.executable, "-m", "nlpkit", *words], stderr=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "http://" in line)
            yield next(word for word in line.split() if word.startswith("http")).removesuffix(","), process
        finally:
            process.kill()


def test_i7_a_model_behind_a_server_answers_as_it_does_here_with_the_same_ledger(
    chat_run: Path, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text(KEY, encoding="utf-8")
    with Store.open(tmp_path / "chat.sqlite") as store, served(chat_run) as (address, process):
        servers = Servers(None, named_server(address, key, None))
        (name,) = servers.offer
        offer: dict[str, Loader | Server] = {
            "here": Loader(run=str(chat_run), runtime="torch"),
            **servers.offer,
        }
        pool = ModelPool(store, offer)
        here, there = (pool.session.start("", run=run).id for run in ("here", name))
        for text in ("think of tea", "and of rain"):
            for chat, model in ((here, "here"), (there, name)):
                "".join(pool.session.say(chat, "", text, SAMPLING, chat_model=pool.answering(model)))
        ours, theirs = (store.read(chat, "").messages for chat in (here, there))
        assert [message.text for message in theirs] == [message.text for message in ours]
        for own, other in zip(ours[1::2], theirs[1::2], strict=True):
            assert own.context is not None
            assert other.context is not None
            assert (other.context.seen, other.context.tokens) == (own.context.seen, own.context.tokens)
            assert (own.context.counted_by, other.context.counted_by) == ("model", "server")
            assert other.chat_model == name
        # the chat goes on with the other model
        "".join(pool.session.say(there, "", "and now?", SAMPLING, chat_model=pool.answering("here")))
        assert store.read(there, "").messages[-1].chat_model == ours[1].chat_model != name
        process.send_signal(signal.SIGKILL)
        process.wait(20)
        with pytest.raises(ServerError, match=f"^{address}: cannot be reached: .*; hint: start the server"):
            "".join(pool.session.say(there, "", "hello?", SAMPLING, chat_model=pool.answering(name)))
        assert [message.text for message in store.read(there, "").messages[-1:]] == ["hello?"]
        "".join(pool.session.retry(there, "", SAMPLING, chat_model=pool.answering("here")))
        assert store.read(there, "").messages[-1].role == "assistant"


def test_d4_a_run_that_is_deleted_while_it_talks_ends_its_reply_and_is_then_said_to_be_gone(
    chat_run: Path, tmp_path: Path
) -> None:
    runs = tmp_path / "runs"
    shutil.copytree(chat_run, runs / "mine")
    with Store.open(tmp_path / "chat.sqlite") as store:
        pool = ModelPool(store, lambda: find_chat_models(None, runs, runtime="torch"))
        chat = pool.session.start("", run="mine").id
        expected = "".join(
            pool.session.say(chat, "", "think of tea", SAMPLING, chat_model=pool.answering("mine"))
        )
        stream = pool.session.retry(chat, "", SAMPLING, chat_model=pool.answering("mine"))
        first = next(stream)
        shutil.rmtree(runs / "mine")
        assert first + "".join(stream) == expected
        assert store.read(chat, "").messages[-1].text == expected
        with pytest.raises(GoneError, match="the model 'mine' is not in this demo now; hint: choose another"):
            pool.session.say(chat, "", "and now?", SAMPLING, chat_model=pool.answering("mine"))
        assert store.read(chat, "").messages[-1].text == "and now?"
        shutil.copytree(chat_run, runs / "mine")
        "".join(pool.session.retry(chat, "", SAMPLING, chat_model=pool.answering("mine")))
        assert store.read(chat, "").messages[-1].role == "assistant"
