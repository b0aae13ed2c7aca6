"""Which bots a demo offers, and that each is loaded once, by itself, and anew where another run was promoted."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from demo.model_pool import ModelPool
from demo.models import PLAIN, Loader, find_chat_models
from nlpkit.chat.store import Store
from nlpkit.errors import DataError
from nlpkit.generation.promoted import promote
from nlpkit.generation.sampling import Sampling
from nlpkit.run import BaseModelIdentity, Run, RunRecord
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
    assert list(find_chat_models(None, tmp_path)) == [PLAIN, "one", "several/two"]
    promote(one)
    assert list(find_chat_models(None, tmp_path)) == [PLAIN, "promoted", "one", "several/two"]
    assert find_chat_models(None, tmp_path)["promoted"] == Loader(run=str(one.path))
    assert list(find_chat_models(str(two.path), tmp_path)) == ["two", PLAIN, "promoted", "one", "several/two"]
    # the file itself, or its folder, is the promoted run
    for named in (tmp_path, tmp_path / "promoted.json"):
        assert next(iter(find_chat_models(str(named), tmp_path))) == "promoted"
        assert find_chat_models(str(named), tmp_path)["promoted"] == Loader(run=str(one.path))
    promote(a_run(tmp_path / "three"))
    assert find_chat_models(str(tmp_path), tmp_path)["promoted"] == Loader(run=str(tmp_path / "three"))


def test_a_promoted_file_that_names_nothing_is_not_offered(tmp_path: Path) -> None:
    (tmp_path / "promoted.json").write_text('{"run": "gone"}', encoding="utf-8")
    assert list(find_chat_models(None, tmp_path)) == [PLAIN]


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
        engines = ModelPool(store, lambda: offer)
        assert (engines.chat_model().name, engines.chat_model("a").name, engines.chat_model("b").name) == (
            "a",
            "a",
            "b",
        )
        assert loaded == ["a", "b"]
        engines.chat_model("c")  # a third one puts the first one out
        engines.chat_model("b")
        engines.chat_model("a")
        assert loaded == ["a", "b", "c", "a"]
        offer["a"] = loader("a, the next one")
        assert engines.chat_model("a").name == "a, the next one"
        with pytest.raises(DataError, match="not one of this demo"):
            engines.chat_model("aa")
        chat = engines.session.start("").id
        assert "".join(engines.session.say(chat, "", "hello", Sampling())) == "a, the next one 1 heard: hello"


def test_nobody_waits_for_a_bot_that_another_asks_for(tmp_path: Path) -> None:
    begun, let = threading.Event(), threading.Event()

    def slow() -> FakeBot:
        begun.set()
        assert let.wait(60)
        return FakeBot("slow")

    with Store.open(tmp_path / "chat.sqlite") as store:
        engines = ModelPool(store, {"quick": FakeBot, "slow": slow})
        waiting = threading.Thread(target=engines.chat_model, args=("slow",))
        waiting.start()
        assert begun.wait(60)
        assert engines.chat_model("quick").name == "echo"  # would hang here
        let.set()
        waiting.join(60)
        assert engines.chat_model("slow").name == "slow"
