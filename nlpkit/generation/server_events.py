"""The events that a server sends one by one (server-sent events), read within limits."""

from __future__ import annotations

import codecs
import contextlib
import re
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import httpx2

MAX_LINE = 1_000_000
"""Characters of a line; a server that sends more is broken."""

LINE_END = re.compile(r"\r\n|\n|\r")  # and nothing else: JSON may hold U+2028 as it is


def lines_of(response: httpx2.Response) -> Iterator[str]:
    """Yield the lines of an answer as they come.

    Raises:
        ValueError: a line does not end.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")("replace")
    text = ""
    for data in response.iter_bytes():
        new = decoder.decode(data)
        text += new
        if "\n" in new or "\r" in new:
            *lines, text = LINE_END.split(text)
            yield from lines
        if len(text) > MAX_LINE:
            raise ValueError("a line that does not end")
    yield text


class Connection:
    """The connection of one request, which another thread may end, even before the server answers."""

    def __init__(self) -> None:
        self._stream: Any = None
        self._is_ended = False
        self._lock = threading.Lock()

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Note the connection once it is made; httpx2 calls this."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            with self._lock:
                self._stream = info["return_value"]
            if self._is_ended:
                self.end()

    def end(self) -> None:
        """End the connection now, which also wakes a thread that reads from it."""
        with self._lock:
            self._is_ended = True
            raw = self._stream.get_extra_info("socket") if self._stream is not None else None
        if isinstance(raw, socket.socket):
            # That of an encrypted connection would take the encryption away from the thread that reads
            with contextlib.suppress(OSError):
                socket.socket.shutdown(raw, socket.SHUT_RDWR)
