"""Several answers at once on one model: a thread that gives each a token in turn, and readers who cannot hold it up."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

from nlpkit.generation.completion import FinishReason, OverloadedError, Usage
from nlpkit.generation.context import Context
from nlpkit.generation.decoder import CachePool, Decoder
from nlpkit.generation.detokenizer import Detokenizer
from nlpkit.generation.sampling import Sampler

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK = 128
"""Tokens of a prompt that are read before the others have their turn, and before a stop is heard."""

IDLE = 5.0
"""Seconds after which a thread without work ends."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Capacity:
    """How much one bot takes on."""

    active: int = 4
    """Answers that are made at once; each needs memory for its keys and values."""
    waiting: int = 64
    """Answers that wait for their turn; one more is refused."""
    kept: int = 32
    """Conversations whose keys and values are kept for their next turn."""
    kept_tokens: int = 8192
    """Tokens of all of them; of a model of 135M parameters one takes 46 kB."""


@dataclass(kw_only=True, eq=False)
class GenerationRequest:
    """One answer in the making. The reader sees its pieces, the scheduler all the rest."""

    asked: Sequence[int]
    sampler: Sampler
    text: Detokenizer
    stops: frozenset[int]
    limit: int
    session: str = ""
    pieces: SimpleQueue[str | Exception | None] = field(default_factory=SimpleQueue)
    stopping: threading.Event = field(default_factory=threading.Event)
    began: float = field(default_factory=time.perf_counter)
    first: float | None = None
    cache: Any = None
    read: list[int] = field(default_factory=list)
    """What the cache holds."""
    cached: int = 0
    next: int | None = None
    """The token that was chosen last and is not read yet."""
    new: int = 0
    usage: Usage | None = None
    finish: FinishReason | None = None


class LocalCompletion:
    """An answer that a scheduler makes, whether or not anyone reads it; unread pieces wait."""

    def __init__(self, work: GenerationRequest, context: Context | None) -> None:
        self._work = work
        self._over = False
        self.context = context

    @property
    def usage(self) -> Usage | None:
        """What it cost; None before the end."""
        return self._work.usage

    @property
    def finish(self) -> FinishReason | None:
        """Why it ended; None before the end."""
        return self._work.finish

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._over:
            raise StopIteration
        piece = self._work.pieces.get()
        if isinstance(piece, str):
            return piece
        self._over = True
        raise piece or StopIteration

    def stop(self) -> None:
        """End it now, the computing too."""
        self._work.stopping.set()

    close = stop

    def __del__(self) -> None:
        # Nobody can read it any more
        self._work.stopping.set()


class Scheduler:
    """Makes answers, oldest first, `capacity.active` at a time; its thread lives while there is work."""

    def __init__(self, engine: Decoder, capacity: Capacity) -> None:
        self.capacity = capacity
        self.kept = CachePool(engine, most=capacity.kept, tokens=capacity.kept_tokens)
        self._engine = engine
        self._changed = threading.Condition()
        self._waiting: deque[GenerationRequest] = deque()
        self._active: list[GenerationRequest] = []
        self._forgotten: deque[str] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False

    @property
    def load(self) -> tuple[int, int]:
        """Answers that are being made, and that wait."""
        with self._changed:
            return len(self._active), len(self._waiting)

    def submit(self, work: GenerationRequest) -> None:
        """Begin an answer as soon as there is a place.

        Raises:
            OverloadedError: too many wait.
        """
        with self._changed:
            if self._closed:
                raise OverloadedError("the bot is closed")
            taken = len(self._active) + len(self._waiting)
            if taken >= self.capacity.active + self.capacity.waiting:
                raise OverloadedError(
                    f"{taken} answers are being made or wait, as many as the bot takes; cure: ask again in a moment"
                )
            self._waiting.append(work)
            self._wake()

    def forget(self, session: str) -> None:
        """Let go of what is kept of a session."""
        with self._changed:
            self._forgotten.append(session)
            self._wake()

    def close(self) -> None:
        """Stop every answer and take no more."""
        with self._changed:
            self._closed = True
            for work in (*self._active, *self._waiting):
                work.stopping.set()
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
        self._engine.begin()
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
        """Give free places to those who wait: first to conversations that have no answer in the making."""
        while self._forgotten:
            self.kept.forget(self._forgotten.popleft())
        for work in [one for one in self._waiting if one.stopping.is_set()]:
            self._waiting.remove(work)
            self._end(work, "stopped")
        busy = Counter(work.session for work in self._active if work.session)
        while self._waiting and len(self._active) < self.capacity.active:
            work = min(self._waiting, key=lambda one: busy[one.session])
            self._waiting.remove(work)
            self._active.append(work)
            busy[work.session] += bool(work.session)

    def _round(self) -> None:
        """A piece of one prompt, then a token for each answer that has read its own."""
        for work in [one for one in self._active if one.stopping.is_set()]:
            self._guarded([work], partial(self._finish, work, "stopped"))
        unread = next((one for one in self._active if len(one.read) < len(one.asked)), None)
        if unread is not None:
            self._guarded([unread], partial(self._read, unread))
            if unread in self._active:  # its next piece comes after those of the others
                self._active.remove(unread)
                self._active.append(unread)
        ready = [one for one in self._active if one.next is not None]
        if ready:
            self._guarded(ready, partial(self._step, ready))

    def _guarded(self, works: Sequence[GenerationRequest], act: Callable[[], None]) -> None:
        """Whoever reads an answer is told what went wrong with it; the others go on."""
        try:
            act()
        except Exception as error:
            for work in works:
                if work in self._active:
                    self._active.remove(work)
                    work.cache = None
                    work.pieces.put(error)

    def _read(self, work: GenerationRequest) -> None:
        if work.cache is None:
            work.cache, work.cached = self.kept.take(work.session, work.asked)
            work.read = list(work.asked[: work.cached])
        chunk = work.asked[len(work.read) : len(work.read) + CHUNK]
        logits = self._engine.read(work.cache, chunk)
        work.read += chunk
        if len(work.read) == len(work.asked):
            self._choose(work, logits)

    def _step(self, works: Sequence[GenerationRequest]) -> None:
        tokens = [work.next for work in works if work.next is not None]
        logits = self._engine.step([work.cache for work in works], tokens)
        for work, token, row in zip(works, tokens, logits, strict=True):
            work.read.append(token)
            self._choose(work, row)

    def _choose(self, work: GenerationRequest, logits: NDArray[np.float32]) -> None:
        token = work.sampler.choose(logits)
        work.new += 1
        work.first = work.first or time.perf_counter()
        if token in work.stops:
            self._finish(work, "stop")
            return
        work.next = token
        if piece := work.text.push(token):
            work.pieces.put(piece)
        if work.new >= work.limit:
            self._finish(work, "length")

    def _finish(self, work: GenerationRequest, finish: FinishReason) -> None:
        self._active.remove(work)
        if work.cache is not None:
            self.kept.keep(work.session, work.read, work.cache)
            work.cache = None
        self._end(work, finish)

    def _end(self, work: GenerationRequest, finish: FinishReason) -> None:
        if rest := work.text.end():
            work.pieces.put(rest)
        now = time.perf_counter()
        work.usage = Usage(
            prompt_tokens=len(work.asked),
            cached_tokens=work.cached,
            new_tokens=work.new,
            first_token_seconds=(work.first or now) - work.began,
            seconds=now - work.began,
        )
        work.finish = finish
        work.pieces.put(None)
