"""An answer between the thread that makes it and the event loop that sends it: a slow reader holds nobody but himself."""

from __future__ import annotations

import asyncio
import logging
import threading
import traceback
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from nlpkit.chat.protocol import CompletionRequest
from nlpkit.chat.serialization import ApiError, ReplyEnd
from nlpkit.errors import DataError, NlpkitError, SourceError
from nlpkit.generation.completion import ChatModel, Completion, OverloadedError

GRACE = 5.0
"""Seconds that an answer gets to end once it was told to."""

logger = logging.getLogger(__name__)


class StopSequences:
    """A text up to the first of the words that stop it. A piece that may be the beginning of one is kept back."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._kept = ""
        self.hit = False

    def feed(self, piece: str) -> str:
        """What can be given out now."""
        if self.hit:
            return ""
        text = self._kept + piece
        places = [place for one in self._stops if (place := text.find(one)) >= 0]
        if places:
            self.hit, self._kept = True, ""
            return text[: min(places)]
        keep = max(
            (size for one in self._stops for size in range(len(one)) if text.endswith(one[:size])), default=0
        )
        self._kept = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was kept back, once nothing more comes."""
        kept, self._kept = self._kept, ""
        return kept


class ReplyJob:
    """One answer being made in a thread; its pieces wait here, at most as many as an answer has tokens."""

    def __init__(self, bot: ChatModel, asked: CompletionRequest, session: str) -> None:
        self._bot, self._asked, self._session = bot, asked, session
        self._events: asyncio.Queue[str | ReplyEnd | ApiError] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._answer: Completion | None = None
        self._stopped = False
        self._late = False

    def stop(self) -> None:
        """End the answer and its computing."""
        self._stopped = True
        if self._answer is not None:
            self._answer.stop()

    def run(self) -> None:
        """Make the answer; called in a thread of its own."""
        try:
            self._put(self._made())
        except OverloadedError:
            self._put(ApiError(503, "the bot is busy; ask again in a moment", code="overloaded", retry=2))
        except DataError as error:
            self._put(ApiError(400, str(error), param="messages", code="context_length_exceeded"))
        except SourceError as error:
            self._put(ApiError(502, str(error), code="upstream_error"))
        except NlpkitError as error:
            self._put(ApiError(500, str(error), code="server_error"))
        except Exception as error:  # whatever it is, the client gets an answer and the log no text
            self._put(unexpected(error))

    def _made(self) -> ReplyEnd:
        until = StopSequences(self._asked.stop)
        answer = self._bot.stream(
            self._asked.conversation, sampling=self._asked.sampling, session=self._session
        )
        self._answer = answer
        if self._stopped:  # it may have been stopped before there was anything to stop
            answer.stop()
        for piece in answer:
            if text := until.feed(piece):
                self._put(text)
            if until.hit:
                answer.stop()
        if rest := until.rest():
            self._put(rest)
        finish: Literal["stop", "length"] = (
            "length" if answer.finish == "length" or (self._late and not until.hit) else "stop"
        )
        return ReplyEnd(finish=finish, usage=answer.usage, context=answer.context)

    def _put(self, event: str | ReplyEnd | ApiError) -> None:
        try:
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
        except RuntimeError:  # the server is gone, and its clients with it
            self.stop()

    async def events(self, seconds: float) -> AsyncIterator[str | ReplyEnd]:
        """The pieces and the end. After so many seconds it is stopped, and ends as one that was too long.

        Raises:
            ApiError: it failed, or there was not a piece of it in time.
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
        too_late = ApiError(503, "no answer in time; ask again in a moment", code="timeout", retry=10)
        try:
            async with asyncio.timeout(GRACE):
                event = await self._events.get()
        except TimeoutError:
            return too_late
        return event if begun or not isinstance(event, ReplyEnd) else too_late


class RequestQueue:
    """Takes as many answers as there are places, and turns others away. Each has a thread, which waits more than it works."""

    def __init__(self, bot: ChatModel, places: int) -> None:
        self._bot = bot
        self._places = places
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="answer")
        self._jobs: set[ReplyJob] = set()
        self._lock = threading.Lock()

    @property
    def taken(self) -> int:
        """Answers being made or waiting."""
        return len(self._jobs)

    def ask(self, asked: CompletionRequest, session: str) -> ReplyJob:
        """An answer that is being made from now on.

        Raises:
            ApiError: all places are taken.
        """
        job = ReplyJob(self._bot, asked, session)
        with self._lock:
            if len(self._jobs) >= self._places:
                raise ApiError(503, "the queue is full; ask again in a moment", code="overloaded", retry=2)
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
        """Stop all answers."""
        with self._lock:
            jobs = list(self._jobs)
        for job in jobs:
            job.stop()
        self._threads.shutdown(wait=False, cancel_futures=True)


def unexpected(error: BaseException) -> ApiError:
    """The answer to a bug of ours: its kind and place are logged; its message could quote what people wrote, and is not."""
    place = traceback.extract_tb(error.__traceback__)[-1:]
    where = ", ".join(f"{one.filename}, line {one.lineno}" for one in place)
    logger.error("a request failed: %s at %s", type(error).__name__, where)
    return ApiError(500, "the server failed on this request; its log names the place", code="server_error")
