"""Connections whose client sends half a request: they end, and they keep nobody else out."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import httpx2
import pytest

from nlpkit.chat import connections
from nlpkit.chat.connections import most_connections, peer_of
from nlpkit.chat.server import create_app
from tests.fakes import FakeBot
from tests.served import live, until

HALF = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nx-a: b"
TYPE = b"content-type: application/json\r\n"
BODY = b"POST /v1/score HTTP/1.1\r\nhost: localhost\r\n" + TYPE + b"content-length: 9\r\n\r\n["
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def connect(url: str, sent: bytes) -> socket.socket:
    host, port = url.removeprefix("http://").split(":")
    line = socket.create_connection((host, int(port)), timeout=10)
    line.sendall(sent)
    return line


def is_closed(line: socket.socket) -> bool:
    line.setblocking(False)
    try:
        return line.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


@contextmanager
def attack(url: str, count: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(connect(url, HALF))) for _ in range(count)]


def test_c6_half_requests_of_the_same_address_keep_no_client_out() -> None:
    with live(create_app(FakeBot())) as url, httpx2.Client(base_url=url) as kept, attack(url, 400) as lines:
        for _ in range(3):
            assert kept.post("/v1/chat/completions", json=CHAT).status_code == 200
            assert httpx2.post(f"{url}/v1/chat/completions", json=CHAT).status_code == 200
        assert until(lambda: sum(map(is_closed, lines)) >= 400 - connections.PEER_CONNECTIONS)
        assert not is_closed(lines[-1])  # those that waited longest were closed


def test_requests_that_wait_for_a_busy_server_are_all_answered() -> None:
    """More clients than an address may have waiting, of which half connect while the server is busy."""
    app = create_app(FakeBot())
    app.get("/busy")(busy)
    half = connections.PEER_CONNECTIONS // 2 + 50
    health = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with live(app) as url, ExitStack() as stack:
        kept = [stack.enter_context(closing(connect(url, health))) for _ in range(half)]
        assert [line.recv(12) for line in kept] == [b"HTTP/1.1 200"] * half
        stack.enter_context(closing(connect(url, health.replace(b"/health", b"/busy"))))
        time.sleep(0.1)
        lines = [stack.enter_context(closing(connect(url, health))) for _ in range(half)]
        assert [line.recv(12) for line in lines] == [b"HTTP/1.1 200"] * half


async def busy() -> None:
    time.sleep(1.5)


def test_c6_an_open_connection_that_was_answered_before_stays_open() -> None:
    with live(create_app(FakeBot())) as url:
        request = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
        with closing(connect(url, request)) as kept:
            assert kept.recv(12) == b"HTTP/1.1 200"
            kept.recv(1000)
            with attack(url, 400) as lines:
                assert until(lambda: sum(map(is_closed, lines)) >= 400 - connections.PEER_CONNECTIONS)
                assert not is_closed(kept)


def test_c6_a_request_that_is_answered_is_never_closed_to_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PEER_CONNECTIONS", 20)
    chat_model = FakeBot(delay=0.5)
    replies: list[Any] = []
    with live(create_app(chat_model)) as url:
        asking = threading.Thread(
            target=lambda: replies.append(httpx2.post(f"{url}/v1/chat/completions", json=CHAT, timeout=20))
        )
        asking.start()
        assert until(lambda: bool(chat_model.asked))
        with attack(url, 60):
            asking.join(20)
    assert [reply.status_code for reply in replies] == [200]


@pytest.mark.parametrize("sent", [b"", HALF, BODY], ids=["nothing", "half a header", "half a body"])
def test_c6_a_request_that_does_not_come_is_given_up(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.3)
    with live(create_app(FakeBot())) as url, closing(connect(url, sent)) as line:
        begun = time.monotonic()
        assert until(lambda: is_closed(line))
        assert time.monotonic() - begun < 5


def test_an_idle_connection_is_closed_by_the_protocol_whoever_starts_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Gradio starts the demo's server, with a time that is also that of many clients: requests cross it."""
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.3)
    request = b"GET /health HTTP/1.1\r\nhost: localhost\r\n\r\n"
    with live(create_app(FakeBot())) as url, closing(connect(url, request)) as line:
        assert line.recv(12) == b"HTTP/1.1 200"
        line.recv(1000)
        begun = time.monotonic()
        assert until(lambda: is_closed(line))
        assert time.monotonic() - begun < 5


def test_c6_headers_that_drip_have_the_same_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.3)
    with live(create_app(FakeBot())) as url, closing(connect(url, HALF)) as line, pytest.raises(OSError):  # noqa: PT012
        for _ in range(100):
            time.sleep(0.05)
            line.sendall(b"b")


def test_c6_a_slow_but_steady_body_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEADER_SECONDS", 0.5)
    monkeypatch.setattr(connections, "BODY_SECONDS", 0.5)

    def body() -> Iterator[bytes]:
        for character in '{"messages": [{"role": "user", "content": "hi"}]}':
            time.sleep(0.02)
            yield character.encode()

    with live(create_app(FakeBot())) as url:
        headers = {"content-type": "application/json"}
        reply = httpx2.post(f"{url}/v1/chat/completions", content=body(), headers=headers, timeout=20)
    assert reply.status_code == 200


def test_c6_without_a_connection_to_close_a_new_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "most_connections", lambda: 1)
    chat_model = FakeBot(delay=0.5)
    with live(create_app(chat_model)) as url:
        asking = threading.Thread(
            target=httpx2.post, args=(f"{url}/v1/chat/completions",), kwargs={"json": CHAT}
        )
        asking.start()
        assert until(lambda: bool(chat_model.asked))
        with pytest.raises(httpx2.TransportError):
            httpx2.get(f"{url}/health")
        asking.join(20)
        assert httpx2.get(f"{url}/health").status_code == 200


def test_c6_addresses_are_limited_together_where_one_client_has_them_all() -> None:
    assert peer_of(("192.0.2.7", 1)) == "192.0.2.7"
    assert peer_of(("2001:db8:1:2:3::4", 1)) == peer_of(("2001:db8:1:2::9", 1)) == "2001:db8:1:2::/64"
    assert peer_of(("::ffff:192.0.2.7", 1)) == "::ffff:192.0.2.7"
    assert peer_of(None) == ""
    assert 1 <= most_connections() <= 2000
