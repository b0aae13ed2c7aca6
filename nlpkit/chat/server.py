"""The HTTP server: OpenAI's chat endpoint and a scoring endpoint over any bot, so that any client of that protocol can talk to it.

Only functions load this module: with it comes FastAPI.
"""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from nlpkit.chat.counters import ServerCounters
from nlpkit.chat.middleware import AccessMiddleware, RateLimiter, headers_of
from nlpkit.chat.protocol import ChatRequest, ScoreRequest, ServerLimits
from nlpkit.chat.request_queue import RequestQueue
from nlpkit.chat.serialization import ApiError
from nlpkit.errors import ConfigError
from nlpkit.generation.completion import ChatModel
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    import uvicorn

    from nlpkit.chat.endpoints import NamedClassifier

KEPT = 75
"""Seconds that an idle connection stays open: longer than clients keep theirs, so that none asks on one that is being closed."""

CONNECTIONS = 2000
"""Open at once; more are turned away before a byte of them is read."""


def create_app(
    bot: ChatModel,
    classifier: NamedClassifier | None = None,
    *,
    keys: Sequence[str] = (),
    limits: ServerLimits | None = None,
    sampling: Sampling | None = None,
    local_only: bool = True,
) -> FastAPI:
    """The app that serves a bot. `sampling` holds where a request says nothing; `local_only` answers to the names of this machine alone."""
    limits = limits or ServerLimits()
    desk = RequestQueue(bot, limits.queue)
    metrics = ServerCounters(lambda: desk.taken)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    from nlpkit import __version__
    from nlpkit.chat.endpoints import Endpoints

    app = FastAPI(title="nlpkit", version=__version__, docs_url=None, redoc_url=None, lifespan=lifespan)
    routes = Endpoints(bot, classifier, desk, metrics, limits, sampling or Sampling())
    app.add_api_route(
        "/v1/chat/completions", routes.chat, methods=["POST"], openapi_extra=_takes(ChatRequest)
    )
    app.add_api_route("/v1/score", routes.score, methods=["POST"], openapi_extra=_takes(ScoreRequest))
    app.add_api_route("/v1/models", routes.models, methods=["GET"])
    app.add_api_route("/v1/models/{name:path}", routes.model, methods=["GET"])
    app.add_api_route("/health", routes.health, methods=["GET"])
    app.add_api_route("/metrics", routes.metrics, methods=["GET"])
    app.add_exception_handler(404, _unknown_path)
    app.add_exception_handler(405, _unknown_path)
    app.add_middleware(
        AccessMiddleware, keys=keys, rate=RateLimiter(limits.rate), metrics=metrics, local_only=local_only
    )
    return app


def run(app: FastAPI, host: str, port: int, *, ready: Callable[[str], None]) -> None:
    """Serve until a signal ends it. `ready` hears the address; port 0 takes any free one.

    Raises:
        ConfigError: the address is taken, or is none of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = listener_at(host, port, family)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"{host}:{port}: cannot be listened at: {error}; cure: another --host or --port"
        ) from None
    shown = f"[{host}]" if family == socket.AF_INET6 else host
    with listener:
        ready(f"http://{shown}:{listener.getsockname()[1]}")
        server_of(app).run(sockets=[listener])


def server_of(app: FastAPI) -> uvicorn.Server:
    """The server, which writes no line on whom it answers and believes nobody who speaks for another address."""
    import uvicorn

    return uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_keep_alive=KEPT,
            timeout_graceful_shutdown=5,
        )
    )


def listener_at(host: str, port: int, family: socket.AddressFamily) -> socket.socket:
    """A socket that takes connections.

    Its protocol is named: else asyncio does not send at once, and each answer waits 40 ms for an acknowledgement.
    """
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # elsewhere it lets another program take the port away
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


async def _unknown_path(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    said = "no such path" if status == 404 else "this path does not take that method"
    refusal = ApiError(
        status,
        f"{said}; expected POST /v1/chat/completions, POST /v1/score or GET /v1/models",
        code="unknown_path",
    )
    return JSONResponse(refusal.body, status, headers=headers_of(refusal))


def _takes(model: Any) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": model.model_json_schema()}},
        }
    }
