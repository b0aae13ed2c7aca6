"""The connections of a server: deadlines for what a client has to send, and limits on how many stay open.

Only functions import this module, because it imports uvicorn.
"""

from __future__ import annotations

import asyncio
import functools
import ipaddress
from collections.abc import Iterable
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 15
"""Seconds for the line and the headers of a request to arrive, from when the connection opens."""

IDLE_SECONDS = 75
"""Seconds that an idle connection stays open.

Longer than clients keep theirs, so that none uses one that is closing.
"""

BODY_SECONDS = 60
"""Seconds that a body may pause. An endpoint may limit the time of the whole body, too."""

CONNECTIONS = 2000
"""Open connections at most; fewer where the system lets this process open fewer files."""

PEER_CONNECTIONS = 256
"""Connections of one address that may wait for their client. Those that get an answer are not counted out."""

GRACE_SECONDS = 1
"""Seconds before a new connection may close another one of its address.

Until then a busy server has read what the two have sent.
"""

BACKLOG = 128
"""Connections that are accepted at once: they are open before the limits are checked."""


class LimitedProtocol(H11Protocol):
    """HTTP/1.1 as uvicorn speaks it, without clients that open connections and send half a request.

    A new connection beyond a limit closes the one that has waited longest for its client, among those that
    never had an answer if there are any. So whoever sends a request at once is served, also from the address
    of an attacker.
    """

    _deadline: asyncio.TimerHandle | None = None
    _since = 0.0
    _peer = ""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline, and close a connection where there are too many."""
        super().connection_made(transport)
        self.timeout_keep_alive = IDLE_SECONDS  # whoever starts the server
        self._since = self.loop.time()
        self._peer = peer_of(self.client)
        self._expect(HEADER_SECONDS)
        self.loop.call_later(GRACE_SECONDS, self._close_one_of_peer, self._since)
        self._close_one_of_many()

    def data_received(self, data: bytes) -> None:
        """Pass the bytes on, and start or end the deadline of what is still to come."""
        super().data_received(data)
        if not self._is_waiting:
            self._expect(None)
        elif self._awaits_body:
            self._expect(BODY_SECONDS)
        elif self._deadline is None:
            self._expect(HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the deadline."""
        self._expect(None)
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """Count the wait for the next request from now."""
        self._since = self.loop.time()
        super().on_response_complete()

    @property
    def _is_waiting(self) -> bool:
        """Whether the client has to send something next: a request, or the rest of one."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    @property
    def _awaits_body(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete and self.cycle.more_body

    def _expect(self, seconds: float | None) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._give_up)

    def _give_up(self) -> None:
        self._deadline = None
        if self._awaits_body and self.flow.read_paused:  # the app has yet to read what came
            self._expect(BODY_SECONDS)
        elif self in self.connections:
            self._drop()

    def _close_one_of_many(self) -> None:
        earlier = [cast("LimitedProtocol", line) for line in self.connections if line is not self]
        if len(earlier) >= most_connections():
            (_longest_waiting(earlier) or self)._drop()

    def _close_one_of_peer(self, opened: float) -> None:
        lines = [cast("LimitedProtocol", line) for line in self.connections]
        same = [line for line in lines if line._peer == self._peer]
        if len(same) > PEER_CONNECTIONS and (
            longest := _longest_waiting(line for line in same if line._since <= opened)
        ):
            longest._drop()

    def _drop(self) -> None:
        self.connections.discard(self)
        self.transport.abort()


def _longest_waiting(connections: Iterable[LimitedProtocol]) -> LimitedProtocol | None:
    waiting = [connection for connection in connections if connection._is_waiting]
    # A client that was answered before comes last: its next request may be on the way.
    return min(waiting, key=lambda line: (line.cycle is not None, line._since), default=None)


def peer_of(client: tuple[str, int] | None) -> str:
    """Return the address whose connections are limited together; in IPv6 one client has a whole /64."""
    host = client[0] if client else ""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped:
        return host
    return str(ipaddress.IPv6Network((address, 64), strict=False))


@functools.cache
def most_connections() -> int:
    """Return how many connections may be open: half of the files that this process may open, at most."""
    try:
        import resource
    except ImportError:  # not on Windows
        return CONNECTIONS
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return CONNECTIONS if soft == resource.RLIM_INFINITY else max(1, min(CONNECTIONS, soft // 2))
