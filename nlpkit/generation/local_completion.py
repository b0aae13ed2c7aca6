"""A reply that a scheduler generates: the request for the scheduler, and the stream for its reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

from nlpkit.generation.completion import FinishReason, Usage
from nlpkit.generation.context import Context
from nlpkit.generation.detokenizer import Detokenizer
from nlpkit.generation.sampling import Sampler


@dataclass(kw_only=True, eq=False)
class GenerationRequest:
    """A reply being generated. Its reader sees the chunks, the scheduler the rest."""

    prompt_ids: Sequence[int]
    sampler: Sampler
    detokenizer: Detokenizer
    stops: frozenset[int]
    max_new_tokens: int
    session: str = ""
    chunks: SimpleQueue[str | Exception | None] = field(default_factory=SimpleQueue)
    """Ends with None, or with the error that ended the reply."""
    stopping: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.perf_counter)
    first_token: float | None = None
    """When the first token was chosen."""
    cache: Any = None
    read: list[int] = field(default_factory=list)
    """The tokens that the cache holds."""
    cached_tokens: int = 0
    next_token: int | None = None
    """The token that was chosen last and is not read yet."""
    new_tokens: int = 0
    usage: Usage | None = None
    finish: FinishReason | None = None

    def end(self, finish: FinishReason) -> None:
        """Hand the rest of the text, the usage and the reason to the reader."""
        if rest := self.detokenizer.end():
            self.chunks.put(rest)
        now = time.perf_counter()
        self.usage = Usage(
            prompt_tokens=len(self.prompt_ids),
            cached_tokens=self.cached_tokens,
            new_tokens=self.new_tokens,
            first_token_seconds=(self.first_token or now) - self.started,
            seconds=now - self.started,
        )
        self.finish = finish
        self.chunks.put(None)


class LocalCompletion:
    """A reply that a scheduler generates, whether or not anyone reads it; unread chunks wait."""

    def __init__(self, request: GenerationRequest, context: Context | None) -> None:
        self._request = request
        self._ended = False
        self.context = context

    @property
    def usage(self) -> Usage | None:
        """What it cost; None before the end."""
        return self._request.usage

    @property
    def finish(self) -> FinishReason | None:
        """Why it ended; None before the end."""
        return self._request.finish

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._ended:
            raise StopIteration
        chunk = self._request.chunks.get()
        if isinstance(chunk, str):
            return chunk
        self._ended = True
        raise chunk or StopIteration

    def stop(self) -> None:
        """Stop generation now."""
        self._request.stopping.set()

    close = stop

    def __del__(self) -> None:
        # Nobody can read it any more
        self._request.stopping.set()
