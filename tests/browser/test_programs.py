"""What programs may call: four documented endpoints over HTTP, by client and MCP, and nothing else."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from tests.browser.conftest import Server

NAMES = {"chat", "conversations", "conversation", "score"}


def test_the_endpoints_are_documented_and_no_other_is_named(server: Server) -> None:
    named = httpx2.get(f"{server.address}/gradio_api/info").json()["named_endpoints"]
    assert set(named) == {f"/{name}" for name in NAMES}
    for one in named.values():
        assert one["description"]
        assert all(field["type"]["type"] in ("string", "number", "integer") for field in one["parameters"])
    parameters = {
        field["parameter_name"]: field["type"].get("description") for field in named["/chat"]["parameters"]
    }
    assert {"text", "conversation", "model", "temperature", "seed"} <= set(parameters)


def test_a_conversation_over_http(server: Server) -> None:
    def call(name: str, **given: Any) -> str:
        event = httpx2.post(f"{server.address}/gradio_api/call/v2/{name}", json=given).json()["event_id"]
        return httpx2.get(f"{server.address}/gradio_api/call/{name}/{event}", timeout=60).text

    before = len(json.loads(call("conversations").split("data: ")[-1])[0])
    said = call("chat", text="hello from a program")
    assert "event: generating" in said  # it grows
    assert said.count("heard: hello from a program") >= 1
    # what is no number, and what nobody has, is refused in words; the error ends the answer
    assert "temperature: input should be a valid number, found 'hot'" in call(
        "chat", text="hello", temperature="hot"
    )
    assert "event: error" in call("conversation", conversation="of-somebody-else")
    assert "9,000 characters; expected at most 8,000" in call("chat", text="x" * 9000)
    # what was refused began no conversation
    assert len(json.loads(call("conversations").split("data: ")[-1])[0]) == before + 1


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)
def test_a_conversation_with_the_client_of_the_guide(server: Server) -> None:
    from gradio_client import Client

    client = Client(server.address, verbose=False, analytics_enabled=False)
    answer = client.predict(text="Hello!", api_name="/chat")
    again = client.predict(text="And again", conversation=answer["conversation"], api_name="/chat")
    assert again["conversation"] == answer["conversation"]
    whole = client.predict(answer["conversation"], api_name="/conversation")
    assert [one["content"] for one in whole["messages"]][::2] == ["Hello!", "And again"]
    assert answer["conversation"] in [one["id"] for one in client.predict("again", api_name="/conversations")]
    assert client.predict("a lovely film", api_name="/score")["label"] == "positive"


def test_the_same_four_are_tools(server: Server) -> None:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async def used() -> tuple[set[str], dict[str, Any], str]:
        async with (
            streamable_http_client(f"{server.address}/gradio_api/mcp/") as (reading, writing, _),
            ClientSession(reading, writing) as session,
        ):
            await session.initialize()
            tools = {one.name: one for one in (await session.list_tools()).tools}
            answer = await session.call_tool("chat", {"text": "hello from a tool"})
            return set(tools), tools["chat"].inputSchema["properties"], answer.content[0].text

    # The browser's own loop may be running in this thread
    with ThreadPoolExecutor(1) as thread:
        names, fields, answer = thread.submit(lambda: asyncio.run(used())).result(120)
    assert names == NAMES
    assert "the conversation to continue" in fields["conversation"]["description"]
    assert "heard: hello from a tool" in answer
