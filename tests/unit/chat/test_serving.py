"""How the commands begin: which chat model a name means, who may use a server, and what is refused first."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from nlpkit.chat import serving
from nlpkit.chat.server import create_app, run
from nlpkit.chat.store import Store
from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import ConfigError, RunError, SourceError
from nlpkit.generation.chatbot import Chatbot
from nlpkit.generation.completion import Usage
from nlpkit.generation.sampling import Sampling
from tests.fakes import FakeBot
from tests.served import live


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Any]]:
    """What would be loaded, in the place of loading it."""
    found: list[tuple[str, Any]] = []
    monkeypatch.setattr(
        Chatbot, "load", lambda run, **more: found.append(("load", str(getattr(run, "path", run))))
    )
    monkeypatch.setattr(Chatbot, "default", lambda **more: found.append(("default", more)))
    return found


def test_no_name_means_the_catalogues_bot(loaded: list[tuple[str, Any]]) -> None:
    serving.load_chat_model(threads=2, policy="recall")
    assert loaded == [("default", {"threads": 2, "policy": "recall", "runtime": "auto"})]


def test_a_folder_is_a_run_and_a_promoted_json_names_one(
    loaded: list[tuple[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "run.json").write_text("{}", encoding="utf-8")
    (tmp_path / "promoted.json").write_text('{"run": "second"}', encoding="utf-8")
    for name in (tmp_path / "second", tmp_path / "promoted.json", tmp_path):
        serving.load_chat_model(str(name))
    assert loaded == [("load", str(tmp_path / "second"))] * 3


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run"):
        serving.load_chat_model(str(tmp_path / "none"))
    with pytest.raises(RunError, match=r"promoted.json: no such file"):
        serving.load_chat_model(str(tmp_path / "promoted.json"))
    with pytest.raises(ConfigError, match="only a server has models"):
        serving.load_chat_model(str(tmp_path), model="x")
    with pytest.raises(ConfigError, match="--runtime onnx: a server chooses its own runtime"):
        serving.load_chat_model("http://127.0.0.1:9/v1", runtime="onnx")
    with pytest.raises(ConfigError, match="the address names 'b'"):
        serving.load_chat_model("http://127.0.0.1:9/v1#b", model="a")


def test_an_address_is_a_bot_elsewhere_and_our_own_server_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLPKIT_REMOTE_KEY", "a long secret key")
    said = Conversation(system="be", turns=(Turn(role="user", text="hello there"),))
    with live(create_app(there := FakeBot("parrot"), keys=["a long secret key"])) as url:
        for name, model in ((f"{url}/v1", None), (f"{url}/v1", "parrot"), (f"{url}/v1#parrot", None)):
            chat_model = serving.load_chat_model(name, model=model)
            answer = chat_model.stream(
                said, sampling=Sampling(temperature=0, seed=4, max_new_tokens=9, top_k=5)
            )
            assert "".join(answer) == "1: hello there"
            assert answer.finish == "stop"
            assert isinstance(answer.usage, Usage)
            assert answer.usage.new_tokens == 3
            chat_model.close()  # type: ignore[attr-defined]
        assert there.asked == [said, said, said]
        assert there.samplings[0] == Sampling(temperature=0, seed=4, max_new_tokens=9, top_k=5)
        monkeypatch.setenv("NLPKIT_REMOTE_KEY", "another")
        with pytest.raises(SourceError, match=r"answered 401: .*NLPKIT_REMOTE_KEY.*--model"):
            serving.load_chat_model(f"{url}/v1")
    with pytest.raises(SourceError, match="hint"):
        serving.load_chat_model("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("10.0.0.1", False),
     ("example.org", False), ("", False), ("::", False), ("192.168.0.5", False)],
)  # fmt: skip
def test_which_hosts_only_this_machine_reaches(
    host: str, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert serving.is_local(host) is local
    monkeypatch.delenv("KEYS", raising=False)
    if local:
        assert serving.keys_in("KEYS", host) == ()
    else:
        with pytest.raises(ConfigError, match="KEYS has no key; hint: export KEYS="):
            serving.keys_in("KEYS", host)
    monkeypatch.setenv("KEYS", " a-long-secret-key-1, a-long-secret-key-2,")
    assert serving.keys_in("KEYS", host) == ("a-long-secret-key-1", "a-long-secret-key-2")
    monkeypatch.setenv("KEYS", "short")
    with pytest.raises(ConfigError, match="fewer than 16 characters") as found:
        serving.keys_in("KEYS", host)
    assert "short" not in str(found.value)


def test_a_port_that_is_taken_is_said() -> None:
    with live(create_app(FakeBot())) as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(
            ConfigError,
            match=f"127.0.0.1:{port}: cannot listen there: .*hint: choose another --host or --port",
        ):
            run(create_app(FakeBot()), "127.0.0.1", port, ready=lambda address: None)
    with pytest.raises(ConfigError, match="cannot listen there"):
        run(create_app(FakeBot()), "192.0.2.1", 0, ready=lambda address: None)


def command(monkeypatch: pytest.MonkeyPatch, *words: object) -> int:
    from nlpkit.cli.app import main

    monkeypatch.setattr(sys, "argv", ["nlpkit", *map(str, words)])
    try:
        main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_the_command_serves_on_its_address_and_refuses_the_world_without_a_key(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    served: list[Any] = []
    monkeypatch.setattr(serving, "load_chat_model", lambda name, **more: FakeBot(str(name)))
    monkeypatch.setattr(
        "nlpkit.chat.server.run",
        lambda app, host, port, *, ready: served.append((host, port)) or ready("http://x"),
    )
    monkeypatch.delenv("NLPKIT_KEY", raising=False)
    assert command(monkeypatch, "serve", "mine", "--classifier", "none") == 0
    assert "mine at http://x/v1, without a key" in " ".join(capsys.readouterr().err.split())
    assert command(monkeypatch, "serve", "--host", "192.168.0.5", "--classifier", "none") == 2
    assert "NLPKIT_KEY has no key" in " ".join(capsys.readouterr().err.split())
    monkeypatch.setenv("OTHER", "a-long-secret-key")
    assert (
        command(
            monkeypatch,
            "serve",
            "--host",
            "192.168.0.5",
            "--port",
            "9",
            "--key-env",
            "OTHER",
            "--classifier",
            "none",
        )
        == 0
    )
    assert command(monkeypatch, "serve", "--temperature", "nan", "--classifier", "none") == 2
    assert "temperature" in capsys.readouterr().err
    assert served == [("127.0.0.1", 8000), ("192.168.0.5", 9)]


def test_ratings_become_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with Store.open(tmp_path / "chat.sqlite") as store:
        chat = store.create("")
        store.append(chat.id, "", "user", "hi")
        reply = store.append(chat.id, "", "assistant", "hello", chat_model="b", finish="stop")
        store.rate(chat.id, "", reply.id, "up", "kind")
    out = tmp_path / "ratings.jsonl"
    assert command(monkeypatch, "feedback", tmp_path / "chat.sqlite", "-o", out) == 0
    assert [json.loads(line)["rating"] for line in out.read_text(encoding="utf-8").splitlines()] == ["up"]
    assert "1 row, 0 of them pairs" in " ".join(capsys.readouterr().err.split())
    assert command(monkeypatch, "feedback", tmp_path / "none.sqlite", "-o", out) == 3
    assert not (tmp_path / "none.sqlite").exists()
    monkeypatch.setenv("NLPKIT_STORE", str(tmp_path / "chat.sqlite"))
    assert command(monkeypatch, "feedback", "-o", out) == 0


def test_a_piped_line_is_answered_on_stdout_alone(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:  # fmt: skip
    import io

    monkeypatch.setattr(
        serving, "load_chat_model", lambda name, **more: FakeBot(says=lambda *_: "fine \x1b[2J")
    )
    monkeypatch.setattr(sys, "stdin", io.StringIO("how are you?\n/context\n"))
    assert (
        command(
            monkeypatch,
            "chat",
            "--store",
            tmp_path / "deep" / "chat.sqlite",
            "--classifier",
            "none",
            "--temperature",
            "0",
        )
        == 0
    )
    said = capsys.readouterr()
    assert said.out == "fine \ufffd[2J\n"
    assert "turns seen" in said.err
    with Store.open(tmp_path / "deep" / "chat.sqlite") as store:
        assert len(store.chats("")) == 1


def test_c7_a_chat_with_a_server_stores_its_name_without_the_password_of_its_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    import io

    monkeypatch.setattr(sys, "stdin", io.StringIO("hello\n/context\n"))
    file = tmp_path / "chat.sqlite"
    with live(create_app(FakeBot("parrot"))) as url:
        address = url.replace("http://", "http://me:word@")
        words = ("chat", f"{address}/v1#parrot", "--store", file, "--classifier", "none")
        assert command(monkeypatch, *words) == 0
        # the turns seen, as this server reports them
        assert "1 turns seen" in capsys.readouterr().err
        with Store.open(file) as store:
            assert [chat.run for chat in store.chats("")] == [f"parrot at {url}/v1"]
    assert not any(b"me:word" in path.read_bytes() for path in tmp_path.iterdir() if path.is_file())


def test_a_served_bot_can_be_asked_with_curl_as_the_guide_says() -> None:
    with live(create_app(FakeBot("parrot"))) as url:
        body = {"messages": [{"role": "user", "content": "hi"}]}
        assert (
            httpx2.post(f"{url}/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"]
            == "1: hi"
        )
