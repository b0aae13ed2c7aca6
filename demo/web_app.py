"""What a browser needs to install the page as an app, and a smaller page: an ASGI layer."""

from __future__ import annotations

import json
from pathlib import Path

from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response

from demo.guard import ASGIApp, Receive, Scope, Send
from nlpkit.chat.origin import READING

ICONS = Path(__file__).with_name("icons")
ICON = ICONS / "icon.svg"
HEAD = (
    '<link rel="apple-touch-icon" href="icons/180.png">'
    '<meta name="theme-color" media="(prefers-color-scheme: light)" content="#f8fafc">'
    '<meta name="theme-color" media="(prefers-color-scheme: dark)" content="#020617">'
)
"""Goes into the head of the page."""

MANIFEST = {
    "name": "nlpkit",
    "short_name": "nlpkit",
    "description": "Chat with your models, score texts and read reports",
    "id": "/",
    "start_url": "/",
    "display": "standalone",
    "background_color": "#f8fafc",
    "theme_color": "#1d4ed8",
    "icons": [
        {"src": "icons/icon.svg", "sizes": "any", "type": "image/svg+xml"},
        *(
            {"src": f"icons/{size}.png", "sizes": f"{size}x{size}", "type": "image/png", "purpose": purpose}
            for size in (192, 512)
            for purpose in ("any", "maskable")
        ),
    ],
}
_KINDS = {".svg": "image/svg+xml", ".png": "image/png"}


class WebApp:
    """Serves the manifest and the icons, and compresses the page, which Gradio sends as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._compressed = GZipMiddleware(app)
        manifest = Response(json.dumps(MANIFEST), media_type="application/manifest+json")
        self._files = {"/manifest.json": manifest}
        for icon in ICONS.iterdir():
            if icon.suffix in _KINDS:
                image = Response(icon.read_bytes(), media_type=_KINDS[icon.suffix])
                self._files[f"/icons/{icon.name}"] = image

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_read = scope["type"] == "http" and scope["method"] in READING
        if is_read and scope["path"] in self._files:
            await self._files[scope["path"]](scope, receive, send)
        elif is_read and scope["path"] == "/":
            await self._compressed(scope, receive, send)
        else:
            await self.app(scope, receive, send)
