"""The manifest, the icons, and the compressed page."""

from __future__ import annotations

import io
import json
from typing import Any

from PIL import Image
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from demo.web_app import MANIFEST, WebApp

PAGE = "<p>words</p>" * 1000


def client() -> TestClient:
    routes = [
        Route("/", lambda _: HTMLResponse(PAGE)),
        Route("/{rest:path}", lambda _: PlainTextResponse("x" * 5000), methods=["GET", "POST"]),
    ]
    return TestClient(WebApp(Starlette(routes=routes)))


def test_d7_a_browser_can_install_the_page() -> None:
    """Chromium asks for a name, a start address, display, and icons of 192 and 512 pixels."""
    asked = client()
    answer = asked.get("/manifest.json")
    assert answer.headers["content-type"] == "application/manifest+json"
    manifest: dict[str, Any] = answer.json()
    assert (manifest["name"], manifest["start_url"], manifest["display"]) == ("nlpkit", "/", "standalone")
    assert {icon["sizes"] for icon in manifest["icons"]} >= {"192x192", "512x512"}
    for icon in manifest["icons"]:
        image = asked.get(f"/{icon['src']}")
        assert image.headers["content-type"] == icon["type"]
        assert len(image.content) < 10_000
        if icon["type"] == "image/png":
            width, height = Image.open(io.BytesIO(image.content)).size
            assert f"{width}x{height}" == icon["sizes"]
        else:
            assert image.text.startswith("<svg")
    assert "http" not in json.dumps(MANIFEST)


def test_the_page_is_compressed_and_nothing_else_is_touched() -> None:
    asked = client()
    page = asked.get("/", headers={"Accept-Encoding": "gzip"})
    assert page.text == PAGE
    assert page.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in asked.get("/", headers={"Accept-Encoding": "identity"}).headers
    for answer in (asked.get("/gradio_api/queue/data"), asked.post("/manifest.json")):
        assert answer.text == "x" * 5000
        assert "content-encoding" not in answer.headers
