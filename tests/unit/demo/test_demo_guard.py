"""What stands before the demo: sizes, hosts, headers and rates."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from demo.guard import Event, Guard, RateLimiter, Receive, Scope, Send
from nlpkit.errors import DataError


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads all, then says how much it was."""
    total, more = 0, True
    while more:
        message = await receive()
        total += len(message.get("body", b""))
        more = message.get("more_body", False)
    await send(
        {"type": "http.response.start", "status": 200, "headers": [(b"x-frame-options", b"SAMEORIGIN")]}
    )
    await send({"type": "http.response.body", "body": str(total).encode()})


def ask(
    guard: Guard, *chunks: bytes, path: str = "/x", headers: dict[bytes, bytes] | None = None
) -> tuple[int, dict[bytes, bytes], bytes]:
    sent: list[Event] = []
    queue = [
        {"type": "http.request", "body": one, "more_body": place < len(chunks) - 1}
        for place, one in enumerate(chunks)
    ]

    async def receive() -> dict[str, Any]:
        return queue.pop(0)

    async def send(message: Event) -> None:
        sent.append(message)

    given = list((headers or {b"host": b"127.0.0.1:7860"}).items())
    scope = {"type": "http", "method": "POST", "path": path, "headers": given}
    asyncio.run(guard(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


def test_a_body_is_counted_while_it_comes() -> None:
    guard = Guard(echo, body=10, upload=100)
    assert ask(guard, b"12345", b"67890")[::2] == (200, b"10")
    assert ask(guard, b"12345", b"678901")[0] == 413
    # no length was declared, or a wrong one
    assert ask(guard, b"x" * 11, headers={b"content-length": b"3"})[0] == 413
    assert ask(guard, b"", headers={b"content-length": b"11"})[0] == 413
    assert ask(guard, b"", headers={b"content-length": b"-1"})[0] == 413
    assert ask(guard, b"x" * 50, path="/gradio_api/upload")[::2] == (200, b"50")
    assert ask(guard, b"x" * 101, path="/gradio_api/upload")[0] == 413


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"127.0.0.1:7860", 200),
        (b"localhost", 200),
        (b"[::1]:7860", 200),
        (b"evil.example:7860", 403),
        (b"", 403),
    ],
)
def test_only_the_servers_own_names_are_answered(host: bytes, status: int) -> None:
    guard = Guard(echo, body=10, upload=10, hosts=("127.0.0.1", "localhost", "[::1]"))
    assert ask(guard, b"", headers={b"host": host})[0] == status


def test_headers_are_added_where_the_app_set_none() -> None:
    _, headers, _ = ask(Guard(echo, body=10, upload=10), b"")
    assert headers[b"x-frame-options"] == b"SAMEORIGIN"
    assert b"default-src 'self'" in headers[b"content-security-policy"]
    assert b"http" not in headers[b"content-security-policy"].replace(b"https", b"http")


def test_a_visitor_who_asks_too_often_waits_and_others_do_not() -> None:
    now = [0.0]
    rate = RateLimiter(2, clock=lambda: now[0])
    rate.take("a")
    rate.take("a")
    with pytest.raises(
        DataError, match="2 requests in a minute; expected at most 2; hint: try again in 60 seconds"
    ):
        rate.take("a")
    rate.take("b")
    now[0] = 60.0
    rate.take("a")


def test_visitors_are_forgotten_before_they_fill_the_memory() -> None:
    rate = RateLimiter(1, visitors=3)
    for number in range(10):
        rate.take(str(number))
    assert len(rate._times) == 3
