"""The handlers of the server's paths. They raise ApiError, which the middleware turns into a response.

Only server.py imports this module.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar

import orjson
from fastapi import Request  # noqa: TC002
from fastapi.responses import Response, StreamingResponse
from starlette.requests import ClientDisconnect

from nlpkit.chat.client_gone import GoneError, unless_gone
from nlpkit.chat.counters import ServerCounters
from nlpkit.chat.decisions import DecidingClassifier, LabelReader, decide
from nlpkit.chat.middleware import Receive, Scope, Send
from nlpkit.chat.protocol import (
    CompletionRequest,
    parse_chat_request,
    parse_decision_request,
    parse_feedback_request,
    parse_score_request,
)
from nlpkit.chat.recent_replies import RecentReplies
from nlpkit.chat.refusals import LimitError, MissingError
from nlpkit.chat.request_models import ServerLimits
from nlpkit.chat.request_queue import ReplyJob, RequestQueue, unexpected
from nlpkit.chat.sentiment import SentimentClassifier
from nlpkit.chat.serialization import ApiError, ReplyEnd, ReplyWriter
from nlpkit.chat.store import Store
from nlpkit.data.examples import Conversation
from nlpkit.errors import DataError, NlpkitError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling
from nlpkit.run import now

Scored = TypeVar("Scored")

Remember: TypeAlias = Callable[[str, ReplyEnd], None]

GONE = 499
"""The status of a request whose client left; only the counters see it."""

READING = 60
"""Seconds that a client may take to read the rest after generation has ended."""


class NamedClassifier(SentimentClassifier, DecidingClassifier, Protocol):
    """Scores texts, answers questions about them, and has a name, as a Classifier does."""


class Endpoints:
    """One method for each path."""

    def __init__(
        self,
        chat_model: ChatModel,
        classifier: NamedClassifier | None,
        queue: RequestQueue,
        counters: ServerCounters,
        limits: ServerLimits,
        sampling: Sampling,
        store: Store | None,
        label_reader: LabelReader | None,
    ) -> None:
        self._chat_model, self._classifier, self._queue = chat_model, classifier, queue
        self._label_reader = label_reader
        self._counters, self._limits, self._sampling = counters, limits, sampling
        self._recent = RecentReplies(store, chat_model.name) if store is not None else None
        self._scoring, self._rating = asyncio.Lock(), asyncio.Lock()
        self._to_score = 0
        self._created = now()

    async def chat(self, request: Request) -> Response:
        """Reply to the last message of a conversation."""
        question = parse_chat_request(
            await self._body(request), self._limits, model=self._chat_model.name, defaults=self._sampling
        )
        job = self._queue.submit(question, _session(request.scope["client_id"], question))
        writer = ReplyWriter(self._chat_model.name)
        remember = partial(self._remember, writer.id, request.scope["client_id"], question.conversation)
        events = job.events(self._limits.seconds)
        try:
            if question.stream:
                # The first chunk shows whether this is a reply or an error, which has another status
                first = await unless_gone(request, anext(events))
                chunks = self._stream(job, writer, question, first, events, remember)
                return _Stream(chunks, job, self._limits.seconds + READING)
            text, ended = await unless_gone(request, _read_all(events))
        except GoneError:
            return Response(status_code=GONE)
        finally:
            if not question.stream:
                job.stop()
        self._counters.answer(ended.usage)
        remember(text, ended)
        return _json(writer.whole(text, ended))

    async def _stream(
        self,
        job: ReplyJob,
        writer: ReplyWriter,
        question: CompletionRequest,
        first: str | ReplyEnd,
        events: AsyncIterator[str | ReplyEnd],
        remember: Remember,
    ) -> AsyncIterator[bytes]:
        chunks: list[str] = []
        try:
            yield _event(writer.chunk("", first=True))
            event = first
            while not isinstance(event, ReplyEnd):
                chunks.append(event)
                yield _event(writer.chunk(event))
                event = await anext(events)
            self._counters.answer(event.usage)
            remember("".join(chunks), event)
            for chunk in writer.end(event, with_usage=question.with_usage):
                yield _event(chunk)
        except ApiError as error:
            yield _event(error.body)
        yield b"data: [DONE]\n\n"

    def _remember(self, id: str, client: str, conversation: Conversation, text: str, ended: ReplyEnd) -> None:
        if self._recent is not None:
            self._recent.add(id, client, conversation, text, ended.finish)

    async def feedback(self, request: Request) -> Response:
        """Store the rating of a reply that this server gave to the client."""
        if self._recent is None:
            reason = "this server keeps no ratings; hint: start it with --store ratings.sqlite"
            raise ApiError(404, reason, code="no_feedback")
        feedback = parse_feedback_request(await self._body(request))
        rate = partial(self._recent.rate, feedback.completion_id, request.scope["client_id"])
        try:
            async with self._rating:
                await asyncio.to_thread(rate, feedback.rating, feedback.reason)
        except MissingError as error:
            code = "completion_not_found"
            raise ApiError(404, f"completion_id: {error}", param="completion_id", code=code) from None
        except LimitError as error:
            raise ApiError(
                400, f"completion_id: {error}", param="completion_id", code="invalid_value"
            ) from None
        except DataError as error:  # its message names a path of the server
            raise unexpected(error) from None
        return _json({"object": "feedback", **feedback.model_dump()})

    async def score(self, request: Request) -> Response:
        """Score texts."""
        classifier = self._needed_classifier()
        texts = parse_score_request(await self._body(request), self._limits, model=classifier.name)
        predictions = await self._scored(partial(classifier.predict, texts))
        self._counters.scored(len(texts))
        results = [prediction.row() for prediction in predictions]
        return _json({"object": "list", "model": classifier.name, "results": results})

    async def decide(self, request: Request) -> Response:
        """Answer questions about a text, of the decision protocol."""
        classifier = self._needed_classifier()
        asked = parse_decision_request(await self._body(request), self._limits, model=classifier.name)
        answers = await self._scored(partial(decide, classifier, asked, self._label_reader))
        self._counters.scored(1)
        return _json(answers)

    def _needed_classifier(self) -> NamedClassifier:
        if self._classifier is None:
            reason = "this server has no classifier; hint: start it without --classifier none"
            raise ApiError(404, reason, code="no_classifier")
        return self._classifier

    async def _scored(self, work: Callable[[], Scored]) -> Scored:
        """Return what the classifier answers, when it is this request's turn."""
        if self._to_score >= self._limits.queue:
            raise ApiError(503, "the queue is full; try again in a moment", code="overloaded", retry=2)
        self._to_score += 1
        try:
            async with self._scoring:  # prediction uses all cores
                return await asyncio.to_thread(work)
        except NlpkitError as error:
            raise ApiError(500, str(error), code="server_error") from None
        finally:
            self._to_score -= 1

    async def models(self) -> Response:
        """List the models of this server."""
        return _json({"object": "list", "data": [self._model()]})

    async def model(self, name: str) -> Response:
        """Describe one model of this server."""
        if name != self._chat_model.name:
            raise ApiError(
                404,
                f"model: not served here; expected {self._chat_model.name!r}",
                param="model",
                code="model_not_found",
            )
        return _json(self._model())

    async def health(self) -> Response:
        """Report that the server works."""
        return _json({"status": "ok"})

    async def metrics(self) -> Response:
        """Return the counters for Prometheus."""
        page, kind = self._counters.page()
        return Response(page, media_type=kind)

    def _model(self) -> dict[str, Any]:
        import datetime

        created = int(datetime.datetime.fromisoformat(self._created).timestamp())
        return {"id": self._chat_model.name, "object": "model", "created": created, "owned_by": "nlpkit"}

    async def _body(self, request: Request) -> bytes:
        """Read the body of a request, and count its bytes while they arrive."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            # A page of another site can send a form here, but not JSON
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
                async for part in request.stream():
                    body += part
                    if len(body) > self._limits.body:
                        raise too_large
        except (TimeoutError, ClientDisconnect):
            raise ApiError(
                408, f"the body did not arrive within {self._limits.body_seconds:g} s", code="timeout"
            ) from None
        return bytes(body)


class _Stream(StreamingResponse):
    """Sends events as they come. When sending ends, generation is stopped."""

    def __init__(self, events: AsyncIterator[bytes], job: ReplyJob, seconds: float) -> None:
        super().__init__(events, media_type="text/event-stream")
        self._job, self._seconds = job, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; a client that stops reading is given up after a while."""
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._seconds):
                    await super().__call__(scope, receive, send)
        finally:
            self._job.stop()


async def _read_all(events: AsyncIterator[str | ReplyEnd]) -> tuple[str, ReplyEnd]:
    chunks: list[str] = []
    async for event in events:
        if isinstance(event, ReplyEnd):
            return "".join(chunks), event
        chunks.append(event)
    raise AssertionError("a reply has an end")


def _session(client: str, question: CompletionRequest) -> str:
    """Return an id for the conversation: the same for its later turns, different for every client."""
    conversation = question.conversation
    start = "\0".join([client, conversation.system, conversation.turns[0].text])
    return hashlib.sha256(start.encode()).hexdigest()[:32]


def _json(fields: dict[str, Any]) -> Response:
    return Response(orjson.dumps(fields), media_type="application/json")


def _event(fields: dict[str, Any]) -> bytes:
    return b"data: " + orjson.dumps(fields) + b"\n\n"
