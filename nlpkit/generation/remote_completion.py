"""A reply that comes over a connection as server-sent events of OpenAI's chat protocol."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from nlpkit.errors import SourceError
from nlpkit.generation.completion import FinishReason, Usage

if TYPE_CHECKING:
    import httpx2

MAX_CHARACTERS = 1_000_000
"""Of a reply; a server that sends more is broken."""


class RemoteCompletion:
    """A reply of a server. `stop` closes the connection, which servers take for a stop."""

    def __init__(self, response: httpx2.Response, address: str, started: float) -> None:
        self.context = None
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None
        self._response = response
        self._address = address
        self._started = started
        self._first_chunk: float | None = None
        self._chunks = 0
        self._server_usage: dict[str, Any] = {}
        self._server_finish: FinishReason | None = None
        self._stopping = threading.Event()
        self._reading = threading.Lock()
        self._lines = response.iter_lines()
        self._surrogates = SurrogateJoiner()
        self._characters = 0
        self._ended = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._reading:
            if self._ended:
                raise StopIteration
            try:
                chunk = self._next_chunk()
            except BaseException:
                self._ended = True
                self._response.close()
                raise
            if chunk is None:
                self._ended = True
                self._response.close()
                self._end()
                raise StopIteration
            return chunk

    def stop(self) -> None:
        """Stop the reply now: close the connection, even while a thread waits for the next chunk."""
        self._stopping.set()
        stream = self._response.extensions.get("network_stream")
        if stream is not None and not self._response.is_closed:
            with contextlib.suppress(OSError, AttributeError):
                stream.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
        if self._reading.acquire(blocking=False):
            try:
                self._response.close()
            finally:
                self._reading.release()

    close = stop

    def __del__(self) -> None:
        self.stop()

    def _next_chunk(self) -> str | None:
        """Return the next chunk that is not empty; None at the end."""
        import httpx2

        try:
            while (event := self._next_event()) is not None:
                if chunk := self._surrogates.add(self._read_event(event)):
                    self._characters += len(chunk)
                    if self._characters > MAX_CHARACTERS:
                        raise SourceError(
                            f"{self._address}: a reply of more than {MAX_CHARACTERS:,} characters"
                        )
                    self._chunks += 1
                    self._first_chunk = self._first_chunk or time.perf_counter()
                    return chunk
        except httpx2.TimeoutException:
            raise SourceError(f"{self._address}: the server fell silent in the middle of a reply") from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            if not self._stopping.is_set():
                raise SourceError(
                    f"{self._address}: the connection broke in the middle of a reply: {error}"
                ) from None
        return None

    def _next_event(self) -> dict[str, Any] | None:
        """Return the next object that the server sends; None after `[DONE]` and at the end of the stream."""
        for line in self._lines:
            if self._stopping.is_set():
                return None
            name, _, value = line.partition(":")
            if name != "data":
                continue
            if value.strip() == "[DONE]":
                self._server_finish = self._server_finish or "stop"
                return None
            try:
                event = json.loads(value)
            except ValueError:
                event = None
            if not isinstance(event, dict):
                raise SourceError(f"{self._address}: not an OpenAI-compatible reply: {value.strip()[:200]}")
            return event
        return None

    def _read_event(self, event: dict[str, Any]) -> str:
        """Return the text of an event; note its usage and finish reason."""
        if event.get("error"):
            raise SourceError(
                f"{self._address}: the server failed in the middle of a reply: {str(event['error'])[:200]}"
            )
        if isinstance(event.get("usage"), dict):
            self._server_usage = event["usage"]
        try:
            choice = event["choices"][0] if event.get("choices") else {}
            if reason := choice.get("finish_reason"):
                self._server_finish = "length" if reason == "length" else "stop"
            return str((choice.get("delta") or {}).get("content") or "")
        except (LookupError, TypeError, AttributeError):
            raise SourceError(
                f"{self._address}: not an OpenAI-compatible reply: {str(event)[:200]}"
            ) from None

    def _end(self) -> None:
        if self._server_finish is None and not self._stopping.is_set():
            raise SourceError(f"{self._address}: the connection ended in the middle of a reply")
        now = time.perf_counter()
        usage = self._server_usage
        details = usage.get("prompt_tokens_details") or {}
        self.usage = Usage(
            prompt_tokens=int(usage.get("prompt_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0) if isinstance(details, dict) else 0,
            new_tokens=int(usage.get("completion_tokens") or self._chunks),
            first_token_seconds=(self._first_chunk or now) - self._started,
            seconds=now - self._started,
        )
        self.finish = self._server_finish or "stopped"


class SurrogateJoiner:
    """Joins surrogates to characters: JSON may spell one character as two surrogates, in two chunks."""

    def __init__(self) -> None:
        self._held = ""

    def add(self, chunk: str) -> str:
        """Return the text up to the last complete character, with what was held back before."""
        text = self._held + chunk
        self._held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = text.removesuffix(self._held)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
