"""Which chat models a demo offers; each is loaded once, and again when another run was promoted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from demo.model_pool import GoneError, ModelPool
from demo.models import BUILT_IN, Loader, find_chat_models
from nlpkit.chat.store import Store
from nlpkit.errors import RunError
from nlpkit.generation.promoted import promote
from nlpkit.generation.sampling import Sampling
from nlpkit.run import Run
from nlpkit.run_record import BaseModelIdentity, RunRecord
from tests.browser.fake import FakeBot


def a_run(folder: Path, kind: str = "dialogue") -> Run:
    run = Run(folder)
    folder.mkdir(parents=True)
    record = RunRecord(
        name=folder.name,
        recipe=kind,
        created="2026-01-01T00:00:00+00:00",
        task={"kind": kind},
        max_tokens=8,
        seed=1,
        base=BaseModelIdentity(source="x", revision=None, weights_sha256="0", tokenizer_sha256="0"),
        data={},
        cost={},
        versions={},
    )
    run.marker.write_text(record.model_dump_json(), encoding="utf-8")
    return run


def test_runs_that_converse_are_offered_and_the_promoted_one_by_that_name(tmp_path: Path) -> None:
    one, two = a_run(tmp_path / "one"), a_run(tmp_path / "several" / "two")
    a_run(tmp_path / "moods", "polarity")
    assert list(find_chat_models(None, tmp_path)) == [BUILT_IN, "one", "several/two"]
    promote(one)
    assert list(find_chat_models(None, tmp_path)) == [BUILT_IN, "promoted", "one", "several/two"]
    assert find_chat_models(None, tmp_path)["promoted"] == Loader(run=str(one.path))
    assert list(find_chat_models(str(two.path), tmp_path)) == [
        "two",
        BUILT_IN,
        "promoted",
        "one",
        "several/two",
    ]
    # the file itself, or its folder, is the promoted run
    for named in (tmp_path, tmp_path / "promoted.json"):
        assert next(iter(find_chat_models(str(named), tmp_path))) == "promoted"
        assert find_chat_models(str(named), tmp_path)["promoted"] == Loader(run=str(one.path))
    promote(a_run(tmp_path / "three"))
    assert find_chat_models(str(tmp_path), tmp_path)["promoted"] == Loader(run=str(tmp_path / "three"))


def test_a_promoted_file_that_names_nothing_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "promoted.json").write_text('{"run": "gone"}', encoding="utf-8")
    assert list(find_chat_models(None, tmp_path)) == [BUILT_IN]


def test_a_server_is_offered_by_its_address_without_what_is_secret_in_it(tmp_path: Path) -> None:
    assert (
        next(iter(find_chat_models("http://me:secret@127.0.0.1:9/v1", tmp_path, model="parrot")))
        == "parrot at http://127.0.0.1:9/v1"
    )


def test_a_bot_is_loaded_once_until_another_one_bears_its_name(tmp_path: Path) -> None:
    loaded: list[str] = []

    def loader(name: str) -> type[FakeBot]:
        class Named(FakeBot):
            def __init__(self) -> None:
                loaded.append(name)
                super().__init__(name)

        return Named

    offer = {"a": loader("a"), "b": loader("b"), "c": loader("c")}
    with Store.open(tmp_path / "chat.sqlite") as store:
        pool = ModelPool(store, lambda: offer)
        assert (pool.load().name, pool.load("a").name, pool.load("b").name) == (
            "a",
            "a",
            "b",
        )
        assert loaded == ["a", "b"]
        pool.load("c")  # a third one puts the first one out
        pool.load("b")
        pool.load("a")
        assert loaded == ["a", "b", "c", "a"]
        offer["a"] = loader("a, the next one")
        assert pool.load("a").name == "a, the next one"
        with pytest.raises(RunError, match="is not in this demo"):
            pool.load("aa")
        chat = pool.session.start("").id
        assert "".join(pool.session.say(chat, "", "hello", Sampling())) == "a, the next one 1 heard: hello"


def test_a_conversation_of_an_older_store_finds_its_chat_model(tmp_path: Path) -> None:
    with Store.open(tmp_path / "chat.sqlite") as store:
        pool = ModelPool(store, {"first": lambda: FakeBot("first"), BUILT_IN: lambda: FakeBot("tiny")})
        assert pool.name_of("the default bot") == BUILT_IN
        assert pool.load("the default bot").name == "tiny"
        assert (pool.name_of("deleted"), pool.name_of("")) == ("first", "first")


def test_nobody_waits_for_a_bot_that_another_asks_for(tmp_path: Path) -> None:
    begun, let = threading.Event(), threading.Event()

    def slow() -> FakeBot:
        begun.set()
        assert let.wait(60)
        return FakeBot("slow")

    with Store.open(tmp_path / "chat.sqlite") as store:
        pool = ModelPool(store, {"quick": FakeBot, "slow": slow})
        waiting = threading.Thread(target=pool.load, args=("slow",))
        waiting.start()
        assert begun.wait(60)
        assert pool.load("quick").name == "echo"  # would hang here
        let.set()
        waiting.join(60)
        assert pool.load("slow").name == "slow"


def test_d5_the_longest_reply_is_what_the_window_can_hold(tmp_path: Path) -> None:
    # a quarter of the window is a reply's, whatever came before
    assert Loader().longest_reply == 2048 // 4
    a_run(tmp_path / "small")
    assert Loader(run=str(tmp_path / "small")).longest_reply == 8 // 4
    assert Loader(run="http://localhost:8000/v1").longest_reply == 4096
    with Store.open(tmp_path / "chat.db") as store:
        pool = ModelPool(store, find_chat_models(None, tmp_path))
        assert pool.longest_reply("small") == 2
        assert pool.longest_reply("gone") == pool.longest_reply(BUILT_IN) == 512


def test_d1_the_built_in_model_is_called_a_demo_model_and_what_replies_is_named(tmp_path: Path) -> None:
    class Local(FakeBot):
        runs_on = "onnx-int8"

    class Strict(FakeBot):
        left_out = ("top_k", "seed")

    with Store.open(tmp_path / "chat.db") as store:
        pool = ModelPool(store, {"mine": Local, BUILT_IN: Local, "strict": Strict})
        pool.load("strict")
        assert pool.described("strict") == "strict, which does not take top_k, seed"
        assert pool.described("mine") == "mine"  # not loaded yet
        pool.load("mine")
        assert pool.described("mine") == "mine by onnx-int8"
        assert pool.described(BUILT_IN).startswith(f"{BUILT_IN}. It is a demo model of 135M parameters")


def test_d4_a_message_to_a_model_that_is_gone_is_kept_and_answered_once_it_is_back(tmp_path: Path) -> None:
    offer = {"other": FakeBot, "mine": lambda: FakeBot("mine")}
    with Store.open(tmp_path / "chat.db") as store:
        pool = ModelPool(store, lambda: offer)
        chat, chat_model = pool.session.start("", run="mine").id, pool.answering("mine")
        mine = offer.pop("mine")
        with pytest.raises(GoneError, match="'mine' is not in this demo now; hint: choose another model"):
            pool.session.say(chat, "", "hello", Sampling(), chat_model=chat_model)
        assert [message.text for message in store.read(chat, "").messages] == ["hello"]
        assert pool.described("other", former="mine").startswith("mine is not in this demo now, so that")
        offer["mine"] = mine
        "".join(pool.session.retry(chat, "", Sampling(), chat_model=chat_model))
        hello, reply = store.read(chat, "").messages
        assert (hello.text, reply.text, reply.chat_model) == ("hello", "mine 1 heard: hello", "mine")


def test_d4_a_model_that_is_deleted_while_it_talks_ends_its_reply(tmp_path: Path) -> None:
    offer = {"other": FakeBot, "mine": lambda: FakeBot("mine")}
    with Store.open(tmp_path / "chat.db") as store:
        pool = ModelPool(store, lambda: offer)
        chat = pool.session.start("", run="mine").id
        stream = pool.session.say(chat, "", "hello", Sampling(), chat_model=pool.answering("mine"))
        next(stream)
        del offer["mine"]
        "".join(stream)
        reply = store.read(chat, "").messages[-1]
        assert (reply.text, reply.chat_model, reply.finish) == ("mine 1 heard: hello", "mine", "stop")
