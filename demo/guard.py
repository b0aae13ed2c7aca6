"""Checks before the app: the size and host of requests, their rate, and what the page may load."""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeAlias

from nlpkit.chat.origin import READING, is_foreign
from nlpkit.errors import DataError

# As ASGI has them
Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

# Gradio's page needs its own inline scripts; requests to other servers are forbidden
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; media-src 'self' blob:; object-src 'none'; base-uri 'self'; "
    "form-action 'self'; frame-src 'self'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
)
LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")


class TooLargeError(Exception):
    """A body is larger than the limit."""


class Guard:
    """An ASGI layer that refuses large bodies, other host names and writes of other websites.

    It adds security headers.
    """

    def __init__(self, app: ASGIApp, *, body: int, upload: int, hosts: tuple[str, ...] = ()) -> None:
        self.app = app
        self.body = body
        self.upload = upload
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        host = headers.get(b"host", b"").decode("latin-1").rsplit(":", 1)[0]
        if self.hosts and host not in self.hosts:
            # DNS rebinding: another site can point its name at this machine, but its requests carry that name
            await _refuse(send, 403, "this host is not served")
            return
        if scope["method"] not in READING and is_foreign(headers):
            await _refuse(send, 403, "a page of another website cannot use this one")
            return
        limit = self.upload if scope["path"].endswith("/upload") else self.body
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > limit:
            await _refuse(send, 413, f"more than {limit:,} bytes")
            return
        await self._pass(scope, receive, send, limit)

    async def _pass(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        received, has_begun = 0, False

        async def counted() -> Event:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLargeError
            return message

        async def with_headers(message: Event) -> None:
            nonlocal has_begun
            if message["type"] == "http.response.start":
                has_begun = True
                names = {name.lower() for name, _ in message.get("headers", [])}
                message["headers"] = [
                    *message.get("headers", []),
                    *(header for header in HEADERS if header[0] not in names),
                ]
            await send(message)

        try:
            await self.app(scope, counted, with_headers)
        except TooLargeError:
            if not has_begun:
                await _refuse(send, 413, f"more than {limit:,} bytes")


async def _refuse(send: Send, status: int, words: str) -> None:
    body = words.encode()
    head = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
        *HEADERS,
    ]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


@dataclass(frozen=True, kw_only=True)
class DemoLimits:
    """How much one visitor may send."""

    messages_a_minute: int = 30
    scorings_a_minute: int = 20
    pasted_characters: int = 20_000
    upload_bytes: int = 50_000_000
    body_bytes: int = 2_000_000
    """Bytes of a request that is no upload; many times the longest message."""
    rows: int = 100_000
    """Rows of an uploaded file."""
    waiting: int = 64
    """Requests that wait; further ones are refused."""


class RateLimiter:
    """Limits the requests per minute of each visitor."""

    def __init__(
        self,
        limit: int,
        *,
        seconds: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
        visitors: int = 4096,
    ) -> None:
        self.limit = limit
        self.seconds = seconds
        self.clock = clock
        self.visitors = visitors
        self._times: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = Lock()

    def take(self, visitor: str) -> None:
        """Count a request.

        Raises:
            DataError: the visitor has sent too many.
        """
        now = self.clock()
        with self._lock:
            times = self._times.setdefault(visitor, deque())
            self._times.move_to_end(visitor)
            while len(self._times) > self.visitors:
                self._times.popitem(last=False)
            while times and times[0] <= now - self.seconds:
                times.popleft()
            if len(times) >= self.limit:
                wait = self.seconds - (now - times[0])
                raise DataError(
                    f"{len(times)} requests in a minute; expected at most {self.limit}; "
                    f"hint: try again in {max(wait, 1):.0f} seconds"
                )
            times.append(now)
