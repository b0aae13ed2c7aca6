"""Several replies at once on one model: a thread gives each a token in turn, and no reader holds it up."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from nlpkit.generation.cache_pool import CachePool
from nlpkit.generation.capacity import Capacity
from nlpkit.generation.completion import FinishReason, OverloadedError
from nlpkit.generation.decoder import Decoder
from nlpkit.generation.local_completion import GenerationRequest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 128
"""Tokens of a prompt that are read before other replies get their turn and before a stop takes effect."""

IDLE = 5.0
"""Seconds after which a thread without requests ends."""


class Scheduler:
    """Generates replies, oldest first, `capacity.active` at a time.

    Its thread lives while there are requests.
    """

    def __init__(self, decoder: Decoder, capacity: Capacity) -> None:
        self.capacity = capacity
        self.decoder = decoder
        self.kept: CachePool = CachePool(decoder, most=capacity.kept, tokens=capacity.kept_tokens)
        self._changed = threading.Condition()
        self._waiting: deque[GenerationRequest] = deque()
        self._active: list[GenerationRequest] = []
        self._forgotten: deque[str] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def load(self) -> tuple[int, int]:
        """How many replies are being generated, and how many wait."""
        with self._changed:
            return len(self._active), len(self._waiting)

    def submit(self, request: GenerationRequest) -> None:
        """Start a reply as soon as there is capacity.

        Raises:
            OverloadedError: too many wait, or the scheduler is closed.
        """
        with self._changed:
            if self._closed:
                raise OverloadedError("the chat model is closed")
            count = len(self._active) + len(self._waiting)
            if count >= self.capacity.active + self.capacity.waiting:
                raise OverloadedError(
                    f"{count} replies are being generated or wait, the most that the chat model accepts; "
                    "hint: try again in a moment"
                )
            self._waiting.append(request)
            self._wake()

    def forget(self, session: str) -> None:
        """Drop the cache of a session."""
        with self._changed:
            self._forgotten.append(session)
            self._wake()

    def close(self) -> None:
        """Stop every reply and accept no more."""
        with self._changed:
            self._closed = True
            for request in (*self._active, *self._waiting):
                request.stopping.set()
            thread = self._thread
            self._changed.notify_all()
        if thread and thread is not threading.current_thread():
            thread.join()

    def _wake(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="nlpkit-chat", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        self.decoder.begin()
        while True:
            with self._changed:
                self._admit()
                while not self._active:
                    if self._closed or not self._changed.wait_for(
                        lambda: self._waiting or self._forgotten or self._closed, IDLE
                    ):
                        self._thread = None
                        return
                    self._admit()
            self._round()

    def _admit(self) -> None:
        """Start waiting requests within the capacity, sessions with the fewest active replies first."""
        while self._forgotten:
            self.kept.forget(self._forgotten.popleft())
        for request in [request for request in self._waiting if request.stopping.is_set()]:
            self._waiting.remove(request)
            request.end("stopped")
        busy = Counter(request.session for request in self._active if request.session)
        while self._waiting and len(self._active) < self.capacity.active:
            request = min(self._waiting, key=lambda request: busy[request.session])
            self._waiting.remove(request)
            self._active.append(request)
            busy[request.session] += bool(request.session)

    def _round(self) -> None:
        """Read a chunk of one prompt, then a token for each reply whose prompt is read."""
        for request in [request for request in self._active if request.stopping.is_set()]:
            self._guard([request], partial(self._finish, request, "stopped"))
        unread = [request for request in self._active if len(request.read) < len(request.prompt_ids)]
        for request in unread[:1]:
            self._guard([request], partial(self._read, request))
            if request in self._active:  # its next chunk comes after those of other prompts
                self._active.remove(request)
                self._active.append(request)
        ready = [request for request in self._active if request.next_token is not None]
        if ready:
            self._guard(ready, partial(self._step, ready))

    def _guard(self, requests: Sequence[GenerationRequest], action: Callable[[], None]) -> None:
        """Run an action; hand its error to the readers of these requests while all others go on."""
        try:
            action()
        except Exception as error:
            for request in requests:
                if request in self._active:
                    self._active.remove(request)
                    request.cache = None
                    request.chunks.put(error)

    def _read(self, request: GenerationRequest) -> None:
        prompt = request.prompt_ids
        if request.cache is None:
            request.cache, request.cached_tokens = self.kept.take(request.session, prompt)
            request.read = list(prompt[: request.cached_tokens])
        chunk = prompt[len(request.read) : len(request.read) + CHUNK]
        logits = self.decoder.read(request.cache, chunk)
        request.read += chunk
        if len(request.read) == len(prompt):
            self._choose(request, logits)

    def _step(self, requests: Sequence[GenerationRequest]) -> None:
        tokens = [request.next_token for request in requests if request.next_token is not None]
        rows = self.decoder.step([request.cache for request in requests], tokens)
        for request, token, logits in zip(requests, tokens, rows, strict=True):
            request.read.append(token)
            self._guard([request], partial(self._choose, request, logits))

    def _choose(self, request: GenerationRequest, logits: NDArray[np.float32]) -> None:
        token = request.sampler.choose(logits)
        request.new_tokens += 1
        request.first_token = request.first_token or time.perf_counter()
        if token in request.stops:
            self._finish(request, "stop")
            return
        request.next_token = token
        if chunk := request.detokenizer.push(token):
            request.chunks.put(chunk)
        if request.new_tokens >= request.max_new_tokens:
            self._finish(request, "length")

    def _finish(self, request: GenerationRequest, finish: FinishReason) -> None:
        self._active.remove(request)
        if request.cache is not None:
            self.kept.keep(request.session, request.read, request.cache)
            request.cache = None
        request.end(finish)
