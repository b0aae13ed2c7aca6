"""What the server answers at each path; a refusal is raised as ApiError, which the door writes. Loaded by server.py alone."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from typing import Any, Protocol

import orjson
from fastapi import Request  # noqa: TC002
from fastapi.responses import Response, StreamingResponse

from nlpkit.chat.counters import ServerCounters
from nlpkit.chat.middleware import Receive, Scope, Send
from nlpkit.chat.protocol import CompletionRequest, ServerLimits, parse_chat_request, parse_score_request
from nlpkit.chat.request_queue import ReplyJob, RequestQueue
from nlpkit.chat.serialization import ApiError, ReplyEnd, ReplyWriter
from nlpkit.errors import NlpkitError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling
from nlpkit.run import now
from nlpkit.tasks.prediction import Prediction

GONE = 499
"""The status, seen by nobody but the metrics, of a request whose client left."""


READING = 60
"""Seconds that a client may take to read on once its answer has come to its end."""


class NamedClassifier(Protocol):
    """What scores texts, such as a Classifier."""

    name: str

    def predict(self, texts: Sequence[str]) -> list[Prediction]:
        """The prediction for each text, in order."""


class Endpoints:
    """One method a path."""

    def __init__(
        self,
        bot: ChatModel,
        classifier: NamedClassifier | None,
        desk: RequestQueue,
        metrics: ServerCounters,
        limits: ServerLimits,
        sampling: Sampling,
    ) -> None:
        self._bot, self._classifier, self._desk, self._metrics, self._limits, self._sampling = (
            bot,
            classifier,
            desk,
            metrics,
            limits,
            sampling,
        )
        self._scoring = asyncio.Lock()
        self._to_score = 0
        self._created = now()

    async def chat(self, request: Request) -> Response:
        """Answer the last message of a conversation."""
        question = parse_chat_request(
            await self._body(request), self._limits, model=self._bot.name, defaults=self._sampling
        )
        job = self._desk.ask(question, _session(request.scope["client_id"], question))
        writer = ReplyWriter(self._bot.name)
        events = job.events(self._limits.seconds)
        try:
            if question.stream:
                # With the first piece it is known whether this is an answer or an error, which has another status
                first = await _unless_gone(request, anext(events))
                return _Stream(
                    self._stream(job, writer, question, first, events), job, self._limits.seconds + READING
                )
            text, ended = await _unless_gone(request, _whole(events))
        except _GoneError:
            return Response(status_code=GONE)
        finally:
            if not question.stream:
                job.stop()
        self._metrics.answer(ended.usage)
        return _json(writer.whole(text, ended))

    async def _stream(
        self,
        job: ReplyJob,
        writer: ReplyWriter,
        question: CompletionRequest,
        first: str | ReplyEnd,
        events: AsyncIterator[str | ReplyEnd],
    ) -> AsyncIterator[bytes]:
        try:
            yield _event(writer.piece("", first=True))
            event = first
            while not isinstance(event, ReplyEnd):
                yield _event(writer.piece(event))
                event = await anext(events)
            self._metrics.answer(event.usage)
            for chunk in writer.end(event, with_usage=question.with_usage):
                yield _event(chunk)
        except ApiError as error:
            yield _event(error.body)
        yield b"data: [DONE]\n\n"

    async def score(self, request: Request) -> Response:
        """Score texts."""
        if self._classifier is None:
            raise ApiError(
                404, "this server scores no texts: it was started without a classifier", code="no_classifier"
            )
        texts = parse_score_request(await self._body(request), self._limits, model=self._classifier.name)
        if self._to_score >= self._limits.queue:
            raise ApiError(503, "the queue is full; ask again in a moment", code="overloaded", retry=2)
        self._to_score += 1
        try:
            async with self._scoring:  # it takes all cores for itself
                answers = await asyncio.to_thread(self._classifier.predict, texts)
        except NlpkitError as error:
            raise ApiError(500, str(error), code="server_error") from None
        finally:
            self._to_score -= 1
        self._metrics.scored(len(texts))
        return _json(
            {"object": "list", "model": self._classifier.name, "results": [one.row() for one in answers]}
        )

    async def models(self) -> Response:
        """The models served here."""
        return _json({"object": "list", "data": [self._model()]})

    async def model(self, name: str) -> Response:
        """One model served here."""
        if name != self._bot.name:
            raise ApiError(
                404,
                f"model: not served here; expected {self._bot.name!r}",
                param="model",
                code="model_not_found",
            )
        return _json(self._model())

    async def health(self) -> Response:
        """Whether the server answers."""
        return _json({"status": "ok"})

    async def metrics(self) -> Response:
        """Counters for Prometheus."""
        page, kind = self._metrics.page()
        return Response(page, media_type=kind)

    def _model(self) -> dict[str, Any]:
        import datetime

        created = int(datetime.datetime.fromisoformat(self._created).timestamp())
        return {"id": self._bot.name, "object": "model", "created": created, "owned_by": "nlpkit"}

    async def _body(self, request: Request) -> bytes:
        """The request's bytes, counted while they come."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            # A page elsewhere can send a form here unasked, but not this
            raise ApiError(415, "the content type is not application/json", code="invalid_content_type")
        too_large = ApiError(
            413, f"the body is larger than {self._limits.body:,} bytes", code="body_too_large"
        )
        size = request.headers.get("content-length", "0")
        if size.isdigit() and int(size) > self._limits.body:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.body_seconds):
                async for piece in request.stream():
                    body += piece
                    if len(body) > self._limits.body:
                        raise too_large
        except TimeoutError:
            raise ApiError(
                408, f"the body did not come within {self._limits.body_seconds:g} s", code="timeout"
            ) from None
        return bytes(body)


class _Stream(StreamingResponse):
    """Events as they come. However the sending ends, so does the answer."""

    def __init__(self, events: AsyncIterator[bytes], job: ReplyJob, seconds: float) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._job, self._seconds = job, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them; a client that stops reading is left after a while."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await super().__call__(scope, receive, send)
        finally:
            self._job.stop()


class _GoneError(Exception):
    """The client left."""


async def _unless_gone(request: Request, wanted: Any) -> Any:
    """What is awaited; when the client leaves before, that is given up."""
    work = asyncio.ensure_future(wanted)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise _GoneError
    finally:
        for one in (work, gone):
            one.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _whole(events: AsyncIterator[str | ReplyEnd]) -> tuple[str, ReplyEnd]:
    pieces: list[str] = []
    async for event in events:
        if isinstance(event, ReplyEnd):
            return "".join(pieces), event
        pieces.append(event)
    raise AssertionError("an answer has an end")


def _session(client: str, question: CompletionRequest) -> str:
    """A name for the conversation, which the client sends anew each time: equal for its later turns, never that of another client's."""
    conversation = question.conversation
    began = "\0".join([client, conversation.system, conversation.turns[0].text])
    return hashlib.sha256(began.encode()).hexdigest()[:32]


def _json(tree: dict[str, Any]) -> Response:
    return Response(orjson.dumps(tree), media_type="application/json")


def _event(tree: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(tree) + b"\n\n"
