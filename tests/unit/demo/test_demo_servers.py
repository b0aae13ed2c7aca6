"""The servers that a demo is connected to: kept for their owner alone, and their keys shown nowhere."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from demo.models import BUILT_IN, find_chat_models
from demo.offer import Models
from demo.servers import MAX_SERVERS, Server, Servers, named_server
from nlpkit.chat.server import create_app
from nlpkit.chat.store import Store
from nlpkit.errors import ConfigError, DataError
from nlpkit.generation.server_errors import REMOTE_KEY
from tests.fakes import FakeBot
from tests.served import live
from tests.unit.demo.test_demo_app import program

KEY = "a-long-secret-key"
ONE = Server(address="http://me:word@127.0.0.1:9/v1?key=hidden", model="one", key=KEY)
TWO = Server(address="http://127.0.0.1:9/v1", model="org/two:8b")


def test_i7_servers_are_kept_for_their_owner_alone_and_forgotten_without_a_trace(tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    servers = Servers(file)
    assert servers.offer == {}
    servers.connect(ONE)
    servers.connect(TWO)
    assert list(Servers(file).offer.values()) == [TWO, ONE]  # the last one first
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert servers.saved == ["org/two:8b at http://127.0.0.1:9/v1", "one at http://127.0.0.1:9/v1"]
    servers.connect(changed := Server(address=ONE.address, model="one", key="another"))
    assert Servers(file).offer[ONE.name] == changed
    servers.disconnect(ONE.name)
    assert Servers(file).saved == servers.saved == [TWO.name]
    assert "another" not in file.read_text(encoding="utf-8")
    assert [path.name for path in tmp_path.iterdir()] == ["servers.json"]


def test_i7_two_demos_of_one_store_lose_no_server_of_each_other(tmp_path: Path) -> None:
    first, second = Servers(tmp_path / "servers.json"), Servers(tmp_path / "servers.json")
    first.connect(ONE)
    second.connect(TWO)
    assert second.saved == [TWO.name, ONE.name]


def test_c7_no_name_no_text_and_no_error_of_a_server_holds_its_key(tmp_path: Path) -> None:
    for words in (ONE.name, repr(ONE), str(ONE), repr(Servers(None, [ONE]).offer)):
        assert not any(secret in words for secret in (KEY, "word@", "hidden"))
    file = tmp_path / "servers.json"
    file.write_text(f'[{{"address": 5, "key": "{KEY}"}}]', encoding="utf-8")
    with pytest.raises(DataError, match=r"servers.json: not a list of servers; hint: move") as found:
        Servers(file)
    assert KEY not in str(found.value)


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff\xfe", b"[" * 10_000, b'[{"model": "x"}]', b"null"])
def test_c9_a_damaged_file_is_named_and_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "servers.json"
    file.write_bytes(content)
    with pytest.raises(DataError, match=r"servers.json: .*; hint: move the file away"):
        Servers(file)
    assert file.read_bytes() == content


def test_c7_a_page_that_others_see_connects_no_server(tmp_path: Path) -> None:
    with Store.open(tmp_path / "chat.sqlite") as store:
        own = Models(
            run=None, model=None, policy="drop_oldest", runtime="auto", runs=tmp_path, connected=[TWO],
            can_connect=True,
        )  # fmt: skip
        own.servers(store).connect(ONE)
        assert set(own.servers(store).offer) == {ONE.name, TWO.name}
        shared = Models(
            run=None, model=None, policy="drop_oldest", runtime="auto", runs=tmp_path, connected=[TWO],
            can_connect=False,
        ).servers(store)  # fmt: skip
        # nor answers with a key that its owner connected before
        assert (list(shared.offer), shared.can_connect) == ([TWO.name], False)
        with pytest.raises(ConfigError, match="hint: nlpkit demo --connect URL"):
            shared.connect(ONE)


@pytest.mark.parametrize(
    ("words", "can_connect"),
    [
        ([], True),
        (["--host", "localhost"], True),
        (["--login", "users"], False),
        (["--anyone"], False),
        (["--host", "0.0.0.0", "--anyone"], False),  # noqa: S104
    ],
)
def test_c7_only_the_owner_of_a_demo_may_connect_servers(
    words: list[str], can_connect: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Any] = []
    monkeypatch.setattr("demo.app._serve", lambda models, *_: begun.append(models))
    done = CliRunner().invoke(program(), words)
    assert (done.exit_code, [models.can_connect for models in begun]) == (0, [can_connect])


def test_i7_the_command_line_connects_a_server_with_a_key_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n", encoding="utf-8")
    monkeypatch.setenv(REMOTE_KEY, "of the environment")
    with live(create_app(FakeBot("parrot"), keys=[KEY])) as url:
        (found,) = named_server(f"{url}/v1", file, None)
        assert found == Server(address=f"{url}/v1", model="parrot", key=KEY)
    (found,) = named_server("http://127.0.0.1:9/v1#org/two:8b", None, None)
    assert found == Server(address=TWO.address, model=TWO.model, key="of the environment")
    # that key is for the server that RUN names
    (found,) = named_server("http://127.0.0.1:9/v1#org/two:8b", None, "http://127.0.0.1:8/v1")
    assert found == TWO
    assert named_server(None, None, None) == []


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--connect-key-file", "key"], "hint: add --connect URL"),
        (["--connect", "localhost:8000"], "hint: begin with http://"),
        (["--connect", "http://127.0.0.1:9/v1#m", "--connect-key-file", "none"], "none: cannot be read"),
    ],
)
def test_i7_a_server_that_cannot_be_meant_is_refused(
    words: list[str], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(program(), words)
    assert done.exit_code == 2
    assert what in done.stderr


def test_i7_connected_servers_come_before_the_built_in_model_and_after_a_named_run(tmp_path: Path) -> None:
    offer = {ONE.name: ONE, TWO.name: TWO}
    assert list(find_chat_models(None, tmp_path, servers=offer)) == [ONE.name, TWO.name, BUILT_IN]
    named = find_chat_models("http://127.0.0.1:8/v1#three", tmp_path, servers=offer)
    assert list(named) == ["three at http://127.0.0.1:8/v1", ONE.name, TWO.name, BUILT_IN]
    # the key that was given last is taken
    assert find_chat_models("http://127.0.0.1:9/v1#one", tmp_path, servers=offer)[ONE.name] == ONE


def test_i7_servers_beyond_a_limit_are_refused(tmp_path: Path) -> None:
    servers = Servers(tmp_path / "servers.json")
    for number in range(MAX_SERVERS):
        servers.connect(Server(address="http://127.0.0.1:9/v1", model=f"m{number}"))
    with pytest.raises(DataError, match="hint: disconnect one first"):
        servers.connect(ONE)
    with pytest.raises(ConfigError, match="expected one such as"):
        servers.connect(Server(address="file:///etc/passwd", model="m"))
    with pytest.raises(ConfigError, match="is no name"):
        servers.connect(Server(address="http://127.0.0.1:9/v1", model="\ud800"))
