"""A bot that answers elsewhere: any server that speaks OpenAI's chat protocol, such as vLLM or `nlpkit serve`."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from nlpkit.data.examples import Conversation
from nlpkit.errors import ConfigError, SourceError
from nlpkit.generation.completion import Completion, FinishReason, OverloadedError, Usage
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 60.0
"""Seconds without a word from the server."""

CONNECT = 10.0

LONGEST = 1_000_000
"""Characters of an answer; a server that sends more is broken."""


class RemoteBot:
    """A model behind an OpenAI-compatible address, up to and with `/v1`."""

    def __init__(self, address: str, model: str, key: str | None = None, *, timeout: float = TIMEOUT) -> None:
        import httpx2

        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"the address {address!r}; expected one such as http://localhost:8000/v1")
        self.address = public_address(address)
        self.model = model
        self._to = endpoint(address, "chat/completions")
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._client = httpx2.Client(headers=headers, timeout=httpx2.Timeout(timeout, connect=CONNECT))
        self._plain = False
        """Whether the server refuses settings that OpenAI's own protocol does not have."""

    @property
    def name(self) -> str:
        """The model and where it answers, without what only its owner may know."""
        return f"{self.model} at {self.address}"

    def stream(
        self, conversation: Conversation, *, sampling: Sampling | None = None, session: str = ""
    ) -> Completion:
        """The answer to the last turn; what of it the model sees is for the server to say.

        Raises:
            SourceError: the server cannot be reached, or refuses.
            OverloadedError: it says that it is.
        """
        sampling = sampling or Sampling()
        began = time.perf_counter()
        answer = self._opened(self._asking(conversation, sampling, plain=self._plain))
        if answer.status_code in (400, 422) and not self._plain:
            answer.close()
            answer = self._opened(self._asking(conversation, sampling, plain=True))
            self._plain = answer.status_code == 200
        if answer.status_code != 200:
            raise self._refused(answer)
        return RemoteCompletion(answer, self.address, began)

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()

    def _asking(self, conversation: Conversation, sampling: Sampling, *, plain: bool) -> dict[str, Any]:
        told = [{"role": "system", "content": conversation.system}] if conversation.system else []
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [*told, *({"role": one.role, "content": one.text} for one in conversation.turns)],
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if not plain:
            body["stream_options"] = {"include_usage": True}
            body["repetition_penalty"] = sampling.repetition_penalty
            if sampling.top_k:
                body["top_k"] = sampling.top_k
        return body

    def _opened(self, body: dict[str, Any]) -> httpx2.Response:
        import httpx2

        try:
            return self._client.send(self._client.build_request("POST", self._to, json=body), stream=True)
        except httpx2.TimeoutException:
            raise SourceError(
                f"{self.address}: no answer in time; cure: see whether the server runs, or give it more time"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise SourceError(f"{self.address}: cannot be reached: {error}") from None

    def _refused(self, answer: httpx2.Response) -> SourceError | OverloadedError:
        import httpx2

        try:
            said = " ".join(answer.read().decode(errors="replace").split())[:200]
        except httpx2.HTTPError:
            said = ""
        finally:
            answer.close()
        if answer.status_code in (429, 503):
            return OverloadedError(
                f"{self.address}: the server is busy ({answer.status_code}); cure: ask again in a moment"
            )
        cure = "; cure: give the key that it wants" if answer.status_code in (401, 403) else ""
        return SourceError(f"{self.address}: the server answered {answer.status_code}: {said}{cure}")


class RemoteCompletion:
    """An answer that comes over a connection; `stop` closes it, which is what servers take for a stop."""

    def __init__(self, response: httpx2.Response, address: str, began: float) -> None:
        self.context = None
        self.usage: Usage | None = None
        self.finish: FinishReason | None = None
        self._response = response
        self._address = address
        self._began = began
        self._first: float | None = None
        self._count = 0
        self._counted: dict[str, Any] = {}
        self._ended: FinishReason | None = None
        self._stopping = threading.Event()
        self._reading = threading.Lock()
        self._lines = response.iter_lines()
        self._whole = Whole()
        self._length = 0
        self._over = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._reading:
            if self._over:
                raise StopIteration
            try:
                piece = self._piece()
            except BaseException:
                self._over = True
                self._response.close()
                raise
            if piece is None:
                self._over = True
                self._response.close()
                self._end()
                raise StopIteration
            return piece

    def stop(self) -> None:
        """End it now: the connection is closed, even under a thread that waits for the next piece."""
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

    def _piece(self) -> str | None:
        """The next piece that is not empty; None at the end."""
        import httpx2

        try:
            while (said := self._said()) is not None:
                if piece := self._whole.add(self._heard(said)):
                    self._length += len(piece)
                    if self._length > LONGEST:
                        raise SourceError(f"{self._address}: an answer of more than {LONGEST:,} characters")
                    self._count += 1
                    self._first = self._first or time.perf_counter()
                    return piece
        except httpx2.TimeoutException:
            raise SourceError(f"{self._address}: the server fell silent in the middle of an answer") from None
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            if not self._stopping.is_set():
                raise SourceError(
                    f"{self._address}: the connection broke in the middle of an answer: {error}"
                ) from None
        return None

    def _said(self) -> dict[str, Any] | None:
        """The next object that the server sends; None after its `[DONE]`, or where it ends without."""
        for line in self._lines:
            if self._stopping.is_set():
                return None
            name, _, value = line.partition(":")
            if name != "data":
                continue
            if value.strip() == "[DONE]":
                self._ended = self._ended or "stop"
                return None
            try:
                said = json.loads(value)
            except ValueError:
                said = None
            if not isinstance(said, dict):
                raise SourceError(f"{self._address}: not an OpenAI-compatible answer: {value.strip()[:200]}")
            return said
        return None

    def _heard(self, said: dict[str, Any]) -> str:
        """The text of one object; what else it says is noted."""
        if said.get("error"):
            raise SourceError(
                f"{self._address}: the server failed in the middle of an answer: {str(said['error'])[:200]}"
            )
        if isinstance(said.get("usage"), dict):
            self._counted = said["usage"]
        try:
            choice = said["choices"][0] if said.get("choices") else {}
            if reason := choice.get("finish_reason"):
                self._ended = "length" if reason == "length" else "stop"
            return str((choice.get("delta") or {}).get("content") or "")
        except (LookupError, TypeError, AttributeError):
            raise SourceError(
                f"{self._address}: not an OpenAI-compatible answer: {str(said)[:200]}"
            ) from None

    def _end(self) -> None:
        if self._ended is None and not self._stopping.is_set():
            raise SourceError(f"{self._address}: the connection ended in the middle of an answer")
        now = time.perf_counter()
        details = self._counted.get("prompt_tokens_details") or {}
        self.usage = Usage(
            prompt_tokens=int(self._counted.get("prompt_tokens") or 0),
            cached_tokens=int(details.get("cached_tokens") or 0) if isinstance(details, dict) else 0,
            new_tokens=int(self._counted.get("completion_tokens") or self._count),
            first_token_seconds=(self._first or now) - self._began,
            seconds=now - self._began,
        )
        self.finish = self._ended or "stopped"


class Whole:
    """Text without half characters: JSON may spell one character as two surrogates, in two pieces."""

    def __init__(self) -> None:
        self._held = ""

    def add(self, piece: str) -> str:
        """The piece with what was held back of the last one, up to the last whole character."""
        text = self._held + piece
        self._held = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        text = text.removesuffix(self._held)
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def list_models(address: str, key: str | None = None, *, timeout: float = CONNECT) -> list[str]:
    """The models that a server offers.

    Raises:
        SourceError: it cannot be reached, or says something else.
    """
    import httpx2

    try:
        answer = httpx2.get(
            endpoint(address, "models"),
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=timeout,
        )
        answer.raise_for_status()
        return [str(one["id"]) for one in answer.json()["data"]]
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise SourceError(f"{public_address(address)}: cannot be asked for its models: {error}") from None
    except (ValueError, LookupError, TypeError):
        raise SourceError(
            f"{public_address(address)}: does not say which models it has, as OpenAI-compatible servers do"
        ) from None


def endpoint(address: str, path: str) -> str:
    """The address of one service; a query, such as an API's version, stays at the end."""
    parts = urlsplit(address)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/{path}"))


def public_address(address: str) -> str:
    """The address without a password or a query in it."""
    parts = urlsplit(address)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
