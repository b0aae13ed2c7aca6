"""The HTTP server: OpenAI's chat endpoint over any chat model, scores, and ratings of replies.

Only functions import this module, because it imports FastAPI.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from nlpkit.chat import openapi
from nlpkit.chat.counters import ServerCounters
from nlpkit.chat.middleware import AccessMiddleware, RateLimiter, headers_of
from nlpkit.chat.request_models import (
    ChatRequest,
    DecisionRequest,
    FeedbackRequest,
    ScoreRequest,
    ServerLimits,
)
from nlpkit.chat.request_queue import RequestQueue
from nlpkit.chat.serialization import ApiError
from nlpkit.errors import ConfigError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    import uvicorn

    from nlpkit.chat.decisions import LabelReader
    from nlpkit.chat.endpoints import NamedClassifier
    from nlpkit.chat.store import Store


def create_app(
    chat_model: ChatModel,
    classifier: NamedClassifier | None = None,
    *,
    keys: Sequence[str] = (),
    limits: ServerLimits | None = None,
    sampling: Sampling | None = None,
    local_only: bool = True,
    store: Store | None = None,
    label_reader: LabelReader | None = None,
    more_metrics: Callable[[], str] = lambda: "",
) -> FastAPI:
    """Create the app that serves a chat model.

    Args:
        chat_model: answers /v1/chat/completions.
        classifier: answers /v1/score and /v1/systemone; None serves neither.
        keys: accepted API keys; empty accepts every request.
        limits: how much is accepted from a client.
        sampling: the settings that a request does not name.
        local_only: refuse requests for another host name than this machine's.
        store: keeps the conversations whose reply is rated at /v1/feedback; None refuses ratings.
        label_reader: answers questions at /v1/systemone whose options are no labels of the classifier; None
            refuses them.
        more_metrics: returns what /metrics shows besides the server's own, in Prometheus' text format.
    """
    limits = limits or ServerLimits()
    queue = RequestQueue(chat_model, limits.queue)
    metrics = ServerCounters(lambda: queue.length, more_metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        queue.close()

    from nlpkit import __version__
    from nlpkit.chat.endpoints import Endpoints

    app = FastAPI(title="nlpkit", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    routes = Endpoints(
        chat_model, classifier, queue, metrics, limits, sampling or Sampling(), store, label_reader
    )
    add_route = partial(app.add_api_route, responses=openapi.ERRORS)
    app.add_api_route(
        "/v1/chat/completions",
        routes.chat,
        methods=["POST"],
        openapi_extra=openapi.body_of(ChatRequest),
        responses=openapi.streamed(),
    )
    add_route("/v1/score", routes.score, methods=["POST"], openapi_extra=openapi.body_of(ScoreRequest))
    decision = openapi.body_of(DecisionRequest)
    add_route("/v1/systemone", routes.decide, methods=["POST"], openapi_extra=decision)
    add_route(
        "/v1/feedback", routes.feedback, methods=["POST"], openapi_extra=openapi.body_of(FeedbackRequest)
    )
    add_route("/v1/models", routes.models, methods=["GET"])
    add_route("/v1/models/{name:path}", routes.model, methods=["GET"])
    add_route("/health", routes.health, methods=["GET"])
    add_route("/metrics", routes.metrics, methods=["GET"], response_class=PlainTextResponse)
    bodies = (ChatRequest, ScoreRequest, DecisionRequest, FeedbackRequest)
    app.openapi = partial(openapi.schema_of, app, bodies)  # type: ignore[method-assign]
    app.add_exception_handler(404, _unknown_path)
    app.add_exception_handler(405, _unknown_path)
    app.add_middleware(
        AccessMiddleware, keys=keys, rate=RateLimiter(limits.rate), metrics=metrics, local_only=local_only
    )
    return app


def run(app: FastAPI, host: str, port: int, *, ready: Callable[[str], None]) -> None:
    """Serve until a signal ends the server. `ready` is called with the address; port 0 takes any free port.

    Raises:
        ConfigError: the address is in use, or is not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = listen_on(host, port, family)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{host}:{port}: cannot listen there: {error}; hint: choose another --host or --port"
        ) from None
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    with listener:
        ready(f"http://{shown}:{listener.getsockname()[1]}")
        create_server(app).run(sockets=[listener])


def create_server(app: FastAPI) -> uvicorn.Server:
    """Create the server. It logs no requests and ignores headers that claim another client address."""
    import uvicorn

    from nlpkit.chat.connections import BACKLOG, LimitedProtocol

    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=LimitedProtocol,
            backlog=BACKLOG,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            timeout_graceful_shutdown=5,
        )
    )


def listen_on(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
    """Open a socket that accepts connections.

    Its protocol is named, because asyncio otherwise delays each response by 40 ms, until an acknowledgement.
    """
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # on Windows it would let another program take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


async def _unknown_path(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    reason = "no such path" if status == 404 else "this path does not take that method"
    refusal = ApiError(
        status,
        f"{reason}; expected POST /v1/chat/completions, /v1/score, /v1/systemone or /v1/feedback, "
        "or GET /v1/models",
        code="unknown_path",
    )
    allowed = getattr(error, "headers", None) or {}
    return JSONResponse(refusal.body, status, headers={**headers_of(refusal), **allowed})
