"""A reply on its way to a page: it grows, can be stopped, and ends when the page is closed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event, Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nlpkit.chat.streaming_reply import StreamingReply

TICK = 0.05
"""Seconds between two updates of a growing reply; more would only keep the browser busy."""


class LeftError(Exception):
    """The page shows another conversation now."""


class RunningReply:
    """A reply that can be stopped while it grows; closing the page stops it too."""

    def __init__(
        self,
        running: dict[tuple[str, str], RunningReply],
        lock: Lock,
        key: tuple[str, str],
        stream: StreamingReply,
        page: str | None,
    ) -> None:
        self.running, self.lock, self.key, self.stream, self.page = running, lock, key, stream, page
        self.is_left = False
        self.ended = Event()

    def __enter__(self) -> RunningReply:
        with self.lock:
            self.running[self.key] = self
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()
        with self.lock:
            if self.running.get(self.key) is self:
                del self.running[self.key]
        self.ended.set()

    def growing(self) -> Iterator[str]:
        """Yield the reply so far, as often as a page can show it.

        Raises:
            LeftError: the page has opened another conversation.
        """
        reply, shown_at, is_ahead = "", 0.0, False
        for chunk in self.stream:
            reply += chunk
            is_ahead = True
            if time.monotonic() - shown_at >= TICK and not self.is_left:
                yield reply
                shown_at, is_ahead = time.monotonic(), False
        if self.is_left:
            raise LeftError
        if is_ahead:
            yield reply
