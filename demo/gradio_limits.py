"""Limits for which Gradio has no setting: put into its modules before the page is launched."""

from __future__ import annotations

import socket
from typing import NoReturn

from demo.guard import ASGIApp, Receive, Scope, Send


class NoOtherSites:
    """An ASGI layer in place of Gradio's, which lets pages of every port of this machine in with cookies."""

    def __init__(self, app: ASGIApp, **_: object) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


async def refuse_url(*_: object, **__: object) -> NoReturn:
    """Fetch nothing.

    Raises:
        ValueError: always; Gradio turns it into a refusal.
    """
    raise ValueError("a URL is never fetched; expected an uploaded file")


def set_limits() -> None:
    """Limit connections as `nlpkit serve` does, let no other website in, and fetch no URL for a client."""
    import gradio.routes
    from gradio.processing_utils import sh as safehttpx
    from uvicorn.config import HTTP_PROTOCOLS

    HTTP_PROTOCOLS["auto"] = "nlpkit.chat.connections:LimitedProtocol"
    gradio.routes.CustomCORSMiddleware = NoOtherSites
    # Gradio fetches by the first, and looks names up by the second
    safehttpx.get = refuse_url
    safehttpx.async_validate_url = refuse_url


def free_port(host: str) -> int:
    """Return a port that nobody listens on; Gradio takes none by itself for 0."""
    with socket.create_server((host.strip("[]"), 0), family=_family(host)) as probe:
        return int(probe.getsockname()[1])


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
