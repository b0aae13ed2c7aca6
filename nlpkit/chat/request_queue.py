"""Replies on their way from generating threads to the event loop; a slow reader delays nobody else."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from nlpkit.chat.protocol import CompletionRequest
from nlpkit.chat.serialization import ApiError, ReplyEnd, bad_format, too_long
from nlpkit.errors import DataError, NlpkitError, SourceError
from nlpkit.generation.completion import ChatModel, Completion, OverloadedError
from nlpkit.generation.reply_format import ReplyFormatError

GRACE = 5.0
"""Seconds that a reply gets to end after it was stopped."""

logger: logging.Logger = logging.getLogger(__name__)


class StopSequences:
    """Cuts a streamed text at the first stop sequence; a chunk that may begin one is held back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._held = ""
        self.hit: bool = False

    def feed(self, chunk: str) -> str:
        """Add a chunk, and return the text that can be sent now."""
        if self.hit:
            return ""
        text = self._held + chunk
        starts = [start for stop in self._stops if (start := text.find(stop)) >= 0]
        if starts:
            self.hit, self._held = True, ""
            return text[: min(starts)]
        sizes = (size for stop in self._stops for size in range(len(stop)) if text.endswith(stop[:size]))
        keep = max(sizes, default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """Return the text that was held back, after the last chunk."""
        rest, self._held = self._held, ""
        return rest


class ReplyJob:
    """One reply generated in a thread; its chunks wait here, at most as many as the reply has tokens."""

    def __init__(self, chat_model: ChatModel, request: CompletionRequest, session: str) -> None:
        self._chat_model, self._request, self._session = chat_model, request, session
        self._events: asyncio.Queue[str | ReplyEnd | ApiError] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._answer: Completion | None = None
        self._stopped = False
        self._late = False

    def stop(self) -> None:
        """Stop generation."""
        self._stopped = True
        if self._answer is not None:
            self._answer.stop()

    def run(self) -> None:
        """Generate the reply; called in a thread of its own."""
        try:
            self._put(self._generate())
        except OverloadedError:
            self._put(
                ApiError(503, "the chat model is busy; try again in a moment", code="overloaded", retry=2)
            )
        except ReplyFormatError as error:
            self._put(bad_format(error))
        except DataError as error:
            self._put(too_long(str(error)))
        except SourceError as error:
            self._put(ApiError(502, str(error), code="upstream_error"))
        except NlpkitError as error:
            self._put(ApiError(500, str(error), code="server_error"))
        except Exception as error:  # whatever it is, the client gets a response and the log no text
            self._put(unexpected(error))

    def _generate(self) -> ReplyEnd:
        stops = StopSequences(self._request.stop)
        answer = self._chat_model.stream(
            self._request.conversation,
            sampling=self._request.sampling,
            session=self._session,
            reply_format=self._request.reply_format,
        )
        self._answer = answer
        if self._stopped:  # it may have been stopped before the answer existed
            answer.stop()
        for chunk in answer:
            if text := stops.feed(chunk):
                self._put(text)
            if stops.hit:
                answer.stop()
        if rest := stops.rest():
            self._put(rest)
        finish: Literal["stop", "length"] = (
            "length" if answer.finish == "length" or (self._late and not stops.hit) else "stop"
        )
        return ReplyEnd(finish=finish, usage=answer.usage, context=answer.context)

    def _put(self, event: str | ReplyEnd | ApiError) -> None:
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:  # the event loop has ended
            self.stop()

    async def events(self, seconds: float) -> AsyncIterator[str | ReplyEnd]:
        """Yield the chunks and the end. After so many seconds the reply is stopped, and ends as too long.

        Raises:
            ApiError: generation failed, or no chunk came in time.
        """
        deadline = self._loop.time() + seconds
        begun = False
        try:
            while True:
                event = await self._next(deadline, begun)
                if isinstance(event, ApiError):
                    raise event
                begun = True
                yield event
                if isinstance(event, ReplyEnd):
                    return
        finally:
            self.stop()

    async def _next(self, deadline: float, begun: bool) -> str | ReplyEnd | ApiError:
        if not self._late:
            try:
                async with asyncio.timeout_at(deadline):
                    return await self._events.get()
            except TimeoutError:
                self._late = True
                self.stop()
        too_late = ApiError(503, "no reply in time; try again in a moment", code="timeout", retry=10)
        try:
            async with asyncio.timeout(GRACE):
                event = await self._events.get()
        except TimeoutError:
            return too_late
        return event if begun or not isinstance(event, ReplyEnd) else too_late


class RequestQueue:
    """Accepts a limited number of replies and refuses others. Each has a thread, which mostly waits."""

    def __init__(self, chat_model: ChatModel, size: int) -> None:
        self._chat_model = chat_model
        self._size = size
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="answer")
        self._jobs: set[ReplyJob] = set()
        self._lock = threading.Lock()

    @property
    def length(self) -> int:
        """Return how many replies are being generated or waiting."""
        return len(self._jobs)

    def submit(self, request: CompletionRequest, session: str) -> ReplyJob:
        """Begin to generate a reply.

        Raises:
            ApiError: the queue is full.
        """
        job = ReplyJob(self._chat_model, request, session)
        with self._lock:
            if len(self._jobs) >= self._size:
                raise ApiError(503, "the queue is full; try again in a moment", code="overloaded", retry=2)
            self._jobs.add(job)
        self._threads.submit(self._run, job)
        return job

    def _run(self, job: ReplyJob) -> None:
        try:
            job.run()
        finally:
            with self._lock:
                self._jobs.discard(job)

    def close(self) -> None:
        """Stop all replies."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            job.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)


def unexpected(error: BaseException) -> ApiError:
    """Log the type and line of an unexpected error, and return the response to it.

    The error's message is not logged, because it could quote what people wrote.
    """
    frames = traceback.extract_tb(error.__traceback__)[-1:]
    where = ", ".join(f"{frame.filename}, line {frame.lineno}" for frame in frames)
    logger.error("a request failed: %s at %s", type(error).__name__, where)
    return ApiError(500, "the server failed on this request; its log names the line", code="server_error")
