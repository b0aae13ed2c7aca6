"""Clients of OpenAI's protocol use their own features: litellm, LangChain, llm and openai."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import patch

import jsonschema
import openai
import pytest
from pydantic import BaseModel, Field

from nlpkit.chat.request_models import ServerLimits
from nlpkit.chat.server import create_app
from tests.conftest import make_chat_base
from tests.json_schemas import SCHEMAS
from tests.served import live

pytestmark = [
    pytest.mark.integration,
    # The clients' own warnings are not ours to mend
    pytest.mark.filterwarnings("ignore"),
]

HELLO: list[Any] = [{"role": "user", "content": "hello"}]
TOO_LONG: list[Any] = [{"role": "user", "content": "x" * 2000}]
TOOL = {
    "type": "function",
    "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}}},
}
QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
}
"""What keeps the clients from fetching and reporting."""


ENOUGH = 300
"""Tokens that a person needs at most, white space included."""


class Person(BaseModel, extra="forbid"):
    """Somebody."""

    age: int = Field(ge=0, le=120)
    mood: str = Field(max_length=6)


@pytest.fixture(scope="module", autouse=True)
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    """The hosts that a client looks up or connects to besides the server; none may be."""
    asked: list[Any] = []
    look_up, connect = socket.getaddrinfo, socket.socket.connect

    def checked(host: Any) -> None:
        if host not in ("127.0.0.1", "localhost", b"127.0.0.1"):
            asked.append(host)
            raise OSError(f"{host}: no test may call it")

    def own_look_up(host: Any, *more: Any, **named: Any) -> Any:
        checked(host)
        return look_up(host, *more, **named)

    def own_connect(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            checked(address[0])
        connect(self, address)

    home = str(tmp_path_factory.mktemp("home"))
    with (
        patch.dict(os.environ, {**QUIET, "LLM_USER_PATH": home, "HOME": home}),
        patch("socket.getaddrinfo", own_look_up),
        patch("socket.socket.connect", own_connect),
    ):
        yield asked
        gc.collect()  # connections that a client left open are closed while its warnings are ignored
        close_event_loops()
    assert asked == []


def close_event_loops() -> None:
    """Close the event loops that clients left open: the next test of another file would get the warning."""
    for left in gc.get_objects():
        if issubclass(type(left), asyncio.BaseEventLoop) and not (left.is_running() or left.is_closed()):
            left.close()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    from nlpkit.generation.chatbot import Chatbot
    from nlpkit.generation.language_model import LanguageModel
    from nlpkit.models.pretrained import load_language_model, load_tokenizer
    from nlpkit.tasks.dialogue import Dialogue

    folder = make_chat_base(tmp_path_factory.mktemp("base"), window=1024)
    chat_model = Chatbot.of(
        LanguageModel(
            load_language_model(folder),
            load_tokenizer(folder),
            Dialogue(),
            window=1024,
            threads=1,
            name="tiny",
        )
    )
    try:
        with live(create_app(chat_model, limits=ServerLimits(rate=10**6))) as address:
            yield f"{address}/v1"
    finally:
        chat_model.close()


@pytest.fixture
def client(url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=60) as own:
        yield own


def test_c4_replies_obey_50_schemas(client: openai.OpenAI) -> None:
    """Replies are streamed for every other schema; a random model writes what no trained one would."""

    def ask(number: int) -> tuple[str, str]:
        wanted: Any = {
            "type": "json_schema",
            "json_schema": {"name": "reply", "schema": SCHEMAS[number], "strict": True},
        }
        settings: Any = {
            "model": "tiny", "messages": HELLO, "response_format": wanted, "seed": number, "temperature": 1.0,
            "max_tokens": 400,
        }  # fmt: skip
        if number % 2:
            whole = client.chat.completions.create(**settings).choices[0]
            return whole.message.content or "", whole.finish_reason
        chunks = [chunk.choices[0] for chunk in client.chat.completions.create(**settings, stream=True)]
        return "".join(chunk.delta.content or "" for chunk in chunks), str(chunks[-1].finish_reason)

    assert len(SCHEMAS) == 50
    with ThreadPoolExecutor(4) as threads:
        replies = list(threads.map(ask, range(50)))
    ended = 0
    for schema, (text, finish) in zip(SCHEMAS, replies, strict=True):
        if finish == "stop":
            ended += 1
            checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
            jsonschema.validate(
                json.loads(text), schema, jsonschema.Draft202012Validator, format_checker=checker
            )
        else:
            assert finish == "length", (schema, text)
    assert ended >= 45


def test_c4_openai_parses_a_reply_into_a_pydantic_model(client: openai.OpenAI) -> None:
    parsed = client.chat.completions.parse(
        model="tiny", messages=HELLO, response_format=Person, seed=1, max_tokens=ENOUGH
    )
    person = parsed.choices[0].message.parsed
    assert person is not None
    assert 0 <= person.age <= 120
    with client.chat.completions.stream(
        model="tiny", messages=HELLO, response_format=Person, seed=1, max_tokens=ENOUGH
    ) as stream:
        assert stream.get_final_completion().choices[0].message.parsed == person
    whole = client.chat.completions.create(
        model="tiny", messages=HELLO, response_format={"type": "json_object"}, temperature=0
    )
    assert isinstance(json.loads(whole.choices[0].message.content or ""), dict)
    with pytest.raises(openai.LengthFinishReasonError):
        client.chat.completions.parse(model="tiny", messages=HELLO, response_format=Person, max_tokens=5)


def test_c4_a_stop_sequence_ends_a_reply_that_is_json(client: openai.OpenAI) -> None:
    wanted: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": {"a": 1, "b": 2}}}}
    settings: Any = {"model": "tiny", "messages": HELLO, "response_format": wanted, "seed": 0}
    cut = client.chat.completions.create(**settings, stop=['"b"']).choices[0]
    assert (json.loads((cut.message.content or "").rstrip().rstrip(",") + "}"), cut.finish_reason) == (
        {"a": 1},
        "stop",
    )
    again = [client.chat.completions.create(**settings).choices[0].message.content for _ in range(2)]
    assert again[0] == again[1]
    assert json.loads(again[0] or "") == {"a": 1, "b": 2}


def test_litellm_talks_streams_and_raises_its_own_errors(client: openai.OpenAI) -> None:
    import litellm

    def ask(messages: Any, **more: Any) -> Any:
        return litellm.completion(
            model="openai/tiny", client=client, api_base=str(client.base_url), api_key="none",
            messages=messages, max_tokens=ENOUGH, num_retries=0, seed=1, **more,
        )  # fmt: skip

    whole = ask(HELLO)
    text = whole.choices[0].message.content
    assert text
    assert whole.usage.completion_tokens <= ENOUGH
    chunks = list(ask(HELLO, stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == text
    assert 0 <= json.loads(ask(HELLO, response_format=Person).choices[0].message.content)["age"] <= 120
    with pytest.raises(litellm.BadRequestError, match="tools: not supported here"):
        ask(HELLO, tools=[TOOL])
    with pytest.raises(litellm.ContextWindowExceededError):
        ask(TOO_LONG)


def test_langchain_talks_streams_and_raises_its_own_errors(url: str) -> None:
    from langchain_core.exceptions import ContextOverflowError
    from langchain_openai import ChatOpenAI

    with openai.DefaultHttpxClient() as connections:
        chat = ChatOpenAI(
            base_url=url, api_key="none", model="tiny", max_tokens=ENOUGH, max_retries=0, seed=1,
            http_client=connections,
        )  # fmt: skip
        whole = chat.invoke("hello")
        assert whole.content
        assert whole.usage_metadata is not None
        assert "".join(str(chunk.content) for chunk in chat.stream("hello")) == whole.content
        person = chat.with_structured_output(Person, method="json_schema").invoke("hello")
        assert isinstance(person, Person)
        greedy = chat.model_copy(update={"temperature": 0.0})
        assert isinstance(greedy.with_structured_output(None, method="json_mode").invoke("hello"), dict)
        with pytest.raises(openai.BadRequestError) as refused:
            chat.bind_tools([TOOL]).invoke("hello")
        assert refused.value.code == "unsupported_parameter"
        with pytest.raises(ContextOverflowError):
            chat.invoke("x" * 2000)


def test_llm_talks_streams_and_keeps_to_a_schema(url: str) -> None:
    from click.testing import CliRunner
    from llm.cli import cli

    models = Path(os.environ["LLM_USER_PATH"]) / "extra-openai-models.yaml"
    own = {"model_id": "own", "model_name": "tiny", "api_base": url}
    models.write_text(json.dumps([{**own, "supports_schema": True, "supports_tools": True}]))

    def run(*words: str) -> Any:
        settings = [
            "-m",
            "own",
            "--key",
            "none",
            "-o",
            "max_tokens",
            str(ENOUGH),
            "-o",
            "seed",
            "1",
            "--no-log",
        ]
        return CliRunner().invoke(cli, ["prompt", *words, *settings])

    whole, streamed = run("hello", "--no-stream"), run("hello")
    assert whole.exit_code == 0, whole.output
    assert whole.output == streamed.output
    person = run("hello", "--schema", json.dumps(Person.model_json_schema()))
    assert 0 <= json.loads(person.output)["age"] <= 120
    refused = run("hello", "-T", "llm_version")
    assert refused.exit_code == 1
    assert "tools: not supported here" in refused.output
    assert "maximum context length is exceeded" in run("x" * 2000).output
