"""Checks of host, key and rate before every request, and the headers of every response."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, TypeAlias

from nlpkit.chat.counters import ServerCounters
from nlpkit.chat.origin import READING, is_foreign
from nlpkit.chat.request_queue import unexpected
from nlpkit.chat.serialization import ApiError

Scope: TypeAlias = MutableMapping[str, Any]
Event: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[Event], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

OPEN = frozenset({"/health"})
"""Paths that need no key."""

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})

REMEMBERED = 10_000
"""Clients whose rate is remembered; the least recent are forgotten first."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
)


class RateLimiter:
    """Limits the requests per minute of each client, who may send all of them at once."""

    def __init__(self, per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute, self._clock = float(per_minute), clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> int:
        """Return the seconds until the client may send a request; 0 means now, and counts the request."""
        now = self._clock()
        left, since = self._left.pop(client, (self._per_minute, now))
        left = min(self._per_minute, left + (now - since) * self._per_minute / 60)
        allowed = left >= 1
        self._left[client] = (left - 1 if allowed else left, now)
        while len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        return 0 if allowed else max(1, math.ceil((1 - left) * 60 / self._per_minute))


class AccessMiddleware:
    """The outermost layer of the app. It puts a hash of the client into `scope["client_id"]`."""

    def __init__(
        self, app: App, *, keys: Sequence[str], rate: RateLimiter, metrics: ServerCounters, local_only: bool
    ) -> None:
        self._app, self._rate, self._metrics, self._local_only = app, rate, metrics, local_only
        self._keys = [_digest(key.encode()) for key in keys]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 0

        async def with_headers(event: Event) -> None:
            nonlocal status
            if event["type"] == "http.response.start":
                status = event["status"]
                event["headers"] = [*event.get("headers", ()), *HEADERS]
            await send(event)

        try:
            self._check(scope)
            await self._app(scope, receive, with_headers)
        except ApiError as error:
            await _refuse(error, with_headers)
        except Exception as error:  # not even its traceback may reach a log: it could quote a message
            failure = unexpected(error)
            if not status:
                await _refuse(failure, with_headers)
        finally:
            self._metrics.request(scope["path"], status, time.perf_counter() - begun)

    def _check(self, scope: Scope) -> None:
        headers = {name.lower(): value for name, value in reversed(scope["headers"])}
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if self._local_only and _without_port(host) not in LOCAL_NAMES:
            # DNS rebinding: another page can make its own name mean 127.0.0.1, but it cannot hide that name
            raise ApiError(
                400,
                "the request names another host; this server answers to localhost only",
                code="invalid_host",
            )
        if scope["method"] not in READING and is_foreign(headers):
            raise ApiError(
                403,
                "the request comes from a page of another website; it is not served",
                code="invalid_origin",
            )
        address = (scope.get("client") or ("",))[0]
        client = f"address {address}"
        if self._keys and scope["path"] not in OPEN:
            scheme, _, credentials = headers.get(b"authorization", b"").partition(b" ")
            given = _digest(credentials.strip())
            # Every key is compared, so that the time reveals nothing
            if sum(hmac.compare_digest(given, key) for key in self._keys) and scheme.lower() == b"bearer":
                client = f"key {given.hex()}"
            else:
                self._spend(client)
                raise ApiError(
                    401,
                    "the key is missing or wrong; expected 'Authorization: Bearer KEY'",
                    code="invalid_api_key",
                )
        if scope["method"] == "POST":
            self._spend(client)
        scope["client_id"] = _digest(client.encode()).hex()

    def _spend(self, client: str) -> None:
        if seconds := self._rate.wait(client):
            raise ApiError(
                429, f"too many requests; try again in {seconds} s", code="rate_limit_exceeded", retry=seconds
            )


async def _refuse(error: ApiError, send: Send) -> None:
    headers = [
        (b"content-type", b"application/json"),
        *((name.encode(), value.encode()) for name, value in headers_of(error).items()),
    ]
    await send({"type": "http.response.start", "status": error.status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(error.body).encode()})


def headers_of(error: ApiError) -> dict[str, str]:
    """Return the headers of an error response."""
    headers = {"retry-after": str(error.retry)} if error.retry else {}
    return {**headers, "www-authenticate": "Bearer"} if error.status == 401 else headers


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()
