"""A reply that comes over a connection as server-sent events of OpenAI's chat protocol."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from nlpkit.data.examples import Conversation
from nlpkit.generation.completion import FinishReason, Usage
from nlpkit.generation.context import Context
from nlpkit.generation.server_context import context_reported, estimated_context
from nlpkit.generation.server_errors import ServerError, hidden, not_a_reply
from nlpkit.generation.server_events import Connection, lines_of

if TYPE_CHECKING:
    import httpx2

MAX_CHARACTERS = 1_000_000
"""Of a reply; a server that sends more is broken."""


class RemoteCompletion:
    """A reply of a server, which is asked at the first chunk.

    `stop` ends the connection, which servers take for a stop.
    """

    def __init__(
        self,
        send: Callable[[Connection], httpx2.Response],
        address: str,
        conversation: Conversation,
        *,
        key: str | None = None,
    ) -> None:
        """Prepare to ask.

        Args:
            send: asks the server over a connection, and returns its answer.
            address: names the server in errors.
            conversation: what is sent.
            key: is left out of errors.
        """
        self.context: Context | None = estimated_context(conversation)
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None
        self._send = send
        self._address = address
        self._conversation = conversation
        self._key = key
        self._connection = Connection()
        self._response: httpx2.Response | None = None
        self._lines: Iterator[str] = iter(())
        self._started = time.perf_counter()
        self._first_chunk: float | None = None
        self._chunks = 0
        self._server_usage: dict[str, Any] = {}
        self._server_context: object = None
        self._server_finish: FinishReason | None = None
        self._other_line = ""
        """The first line that belongs to no event."""
        self._stopping = threading.Event()
        self._reading = threading.Lock()
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
            except BaseException as error:
                self._close()
                if isinstance(error, ServerError):
                    raise hidden(error, self._key) from None
                raise
            if chunk is None:
                self._close()
                self._end()
                raise StopIteration
            return chunk

    def stop(self) -> None:
        """Stop the reply now: end the connection, even while a thread waits for the next chunk."""
        self._stopping.set()
        self._connection.end()
        if self._reading.acquire(blocking=False):
            try:
                if self._response is not None:
                    self._response.close()
            finally:
                self._reading.release()

    close = stop

    def __del__(self) -> None:
        self.stop()

    def _close(self) -> None:
        self._ended = True
        if self._response is not None:
            self._response.close()

    def _next_chunk(self) -> str | None:
        """Return the next chunk that is not empty; None at the end."""
        import httpx2

        try:
            if self._response is None and not self._stopping.is_set():
                self._response = self._send(self._connection)
                self._lines = lines_of(self._response)
            while (event := self._next_event()) is not None:
                if chunk := self._surrogates.add(self._read_event(event)):
                    return self._counted(chunk)
        except ServerError:
            if not self._stopping.is_set():
                raise
        except httpx2.TimeoutException:
            raise ServerError(
                f"{self._address}: the server fell silent in the middle of a reply; hint: retry"
            ) from None
        except (httpx2.HTTPError, httpx2.StreamError, OSError, ValueError) as error:
            if not self._stopping.is_set():
                raise ServerError(
                    f"{self._address}: the connection broke in the middle of a reply: {error}; hint: retry"
                ) from None
        return None

    def _counted(self, chunk: str) -> str:
        self._characters += len(chunk)
        if self._characters > MAX_CHARACTERS:
            raise ServerError(
                f"{self._address}: a reply of more than {MAX_CHARACTERS:,} characters; hint: retry"
            )
        self._chunks += 1
        self._first_chunk = self._first_chunk or time.perf_counter()
        return chunk

    def _next_event(self) -> dict[str, Any] | None:
        """Return the next object that the server sends; None after `[DONE]` and at the end of the stream."""
        for line in self._lines:
            if self._stopping.is_set():
                return None
            name, _, value = line.partition(":")
            if name != "data":
                if name not in ("", "event", "id", "retry"):
                    self._other_line = self._other_line or line
                continue
            if value.strip() == "[DONE]":
                self._server_finish = self._server_finish or "stop"
                return None
            try:
                event = json.loads(value)
            except (ValueError, RecursionError):
                event = None
            if not isinstance(event, dict):
                raise not_a_reply(self._address, value)
            return event
        return None

    def _read_event(self, event: dict[str, Any]) -> str:
        """Return the text of an event; note its usage, its context and its finish reason."""
        if event.get("error"):
            raise ServerError(
                f"{self._address}: the server failed in the middle of a reply: "
                f"{str(event['error'])[:200]}; hint: retry"
            )
        if isinstance(event.get("usage"), dict):
            self._server_usage = event["usage"]
        self._server_context = event.get("context") or self._server_context
        try:
            choice = event["choices"][0] if event.get("choices") else {}
            if reason := choice.get("finish_reason"):
                self._server_finish = "length" if reason == "length" else "stop"
            return str((choice.get("delta") or {}).get("content") or "")
        except (LookupError, TypeError, AttributeError):
            raise not_a_reply(self._address, str(event)) from None

    def _end(self) -> None:
        if self._server_finish is None and not self._stopping.is_set():
            if self._other_line and not self._chunks:
                raise not_a_reply(self._address, self._other_line)
            raise ServerError(f"{self._address}: the connection ended in the middle of a reply; hint: retry")
        now = time.perf_counter()
        usage = self._server_usage
        details = usage.get("prompt_tokens_details")
        self.usage = Usage(
            prompt_tokens=_count(usage.get("prompt_tokens")),
            cached_tokens=_count(details.get("cached_tokens")) if isinstance(details, dict) else 0,
            new_tokens=_count(usage.get("completion_tokens")) or self._chunks,
            first_token_seconds=(self._first_chunk or now) - self._started,
            seconds=now - self._started,
        )
        self.context = context_reported(
            self._server_context, self._conversation, tokens=self.usage.prompt_tokens
        )
        self.finish = self._server_finish or "stopped"


def _count(value: object) -> int:
    """Return a number of tokens; 0 for what is none."""
    return value if isinstance(value, int) and value > 0 else 0


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
