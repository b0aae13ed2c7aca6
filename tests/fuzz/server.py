"""Bodies of requests to `nlpkit serve`: each gets an answer of the protocol, and none crashes a handler."""

from __future__ import annotations

import asyncio
import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from nlpkit.chat.request_models import ServerLimits
from nlpkit.chat.server import create_app
from nlpkit.chat.store import Store
from tests.fakes import FakeBot, FakeClassifier
from tests.fuzz.values import JSON, ODD, mutated

REQUESTS: dict[str, list[dict[str, Any]]] = {
    "/v1/chat/completions": [
        {"messages": [{"role": "user", "content": "hello"}]},
        {
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "be kind"}]},
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": "yes?"},
                {"role": "user", "content": [{"type": "text", "text": "and?"}]},
            ],
            "model": "fake",
            "stream": True,
            "stream_options": {"include_usage": True},
            "stop": ["and"],
            "max_tokens": 5,
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 4,
            "repetition_penalty": 1.1,
            "seed": 3,
            "n": 1,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "a", "schema": {"type": "object"}},
            },
        },
    ],
    "/v1/score": [{"texts": ["good", "bad"], "model": "words"}],
    "/v1/systemone": [
        {
            "state": {"text": "good"},
            "questions": {"mood": {"type": "choice", "criteria": {"negative": "", "positive": ""}}},
        },
        {"state": "good", "questions": {"a": {"type": "noul"}, "b": {"type": "score", "criteria": ["x"]}}},
    ],
    "/v1/feedback": [{"completion_id": "chatcmpl-1", "rating": "up", "reason": "kind"}],
}


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, bytes, dict[str, str]]:
    """Draw a path, a body and headers."""
    path = draw(st.sampled_from(sorted(REQUESTS)))
    whole = draw(st.sampled_from(REQUESTS[path]))
    tree = draw(st.just(whole) | mutated(whole) | st.dictionaries(st.sampled_from(sorted(whole)), ODD) | JSON)
    body = json.dumps(tree).encode()
    body = draw(st.just(body) | st.binary(max_size=9).map(body.__add__) | st.binary(max_size=20))
    headers = draw(
        st.dictionaries(
            st.sampled_from(["content-type", "content-length", "content-encoding", "origin", "accept"]),
            st.sampled_from(
                ["application/json", "text/plain", "gzip", "-1", "5", "x", "http://evil.test", ""]
            ),
            max_size=2,
        )
    )
    return path, body, headers


class Words(FakeClassifier):
    name = "words"


@cache
def app(folder: Path) -> Any:
    limits = ServerLimits(characters=2000, messages=20, texts=20, rate=10**9, seconds=20)
    return create_app(FakeBot(), Words(), limits=limits, store=Store.open(folder / "chat.db"))


async def ask(app: Any, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Send a request in two pieces, and return status, headers and body of what comes back."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [
            (b"host", b"localhost"),
            *((name.encode(), value.encode()) for name, value in headers.items()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }
    half = len(body) // 2
    pieces = [
        {"type": "http.request", "body": body[:half], "more_body": True},
        {"type": "http.request", "body": body[half:], "more_body": False},
    ]
    sent: list[dict[str, Any]] = []
    over = asyncio.Event()

    async def receive() -> dict[str, Any]:
        if pieces:
            return pieces.pop(0)
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    await app(scope, receive, send)
    over.set()
    found = {name.decode(): value.decode() for name, value in sent[0].get("headers", ())}
    return sent[0]["status"], found, b"".join(event.get("body", b"") for event in sent[1:])


def post(drawn: tuple[str, bytes, dict[str, str]], folder: Path) -> None:
    """It is answered, or refused with the reason as OpenAI's API gives it."""
    path, body, headers = drawn
    status, given, content = asyncio.run(ask(app(folder), path, body, headers))
    assert status in (200, 400, 403, 404, 409, 411, 413, 415, 422, 501), (status, content)
    if status == 200 and given["content-type"].startswith("text/event-stream"):
        assert content.endswith(b"data: [DONE]\n\n")
    elif status == 200:
        json.loads(content)
    else:
        error = json.loads(content)["error"]
        assert error["message"]
        assert "Traceback" not in error["message"]
