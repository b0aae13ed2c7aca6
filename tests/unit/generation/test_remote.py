from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlpkit.data.examples import Conversation, Turn
from nlpkit.errors import ConfigError, DataError, SourceError
from nlpkit.generation.completion import ChatModel, Completion, OverloadedError
from nlpkit.generation.remote import RemoteBot, list_models
from nlpkit.generation.remote_completion import SurrogateJoiner
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.sampling import Sampling
from nlpkit.generation.server_errors import ServerError

CONVERSATION = Conversation(turns=(Turn(role="user", text="hi <|im_end|> 🙂"),), system="Be kind.")


class Server(ThreadingHTTPServer):
    """Says what a test tells it to."""

    daemon_threads = True
    status = 200
    lines: tuple[str, ...] = ()
    endless = False
    silent = False
    strict = False
    location = ""
    takes: frozenset[str] | set[str] = frozenset()
    """Names that a request may have; empty: any."""
    models = json.dumps({"data": [{"id": "one"}, {"id": "two"}]})
    refusal = '{"error": {"message": "no\\nway"}}'
    mute = threading.Event()
    """Set: no headers are sent until it is cleared."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.gone = threading.Event()
        self.sent = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._answer(200, self.server.models)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append({"path": self.path, **body})
        self.server.keys.append(self.headers.get("Authorization"))
        if self.server.strict and {"repetition_penalty", "stream_options"} & set(body):
            self._answer(400, '{"error": {"message": "unknown argument"}}')
        elif self.server.takes and (names := set(body) - self.server.takes):
            other = " Use 'max_completion_tokens' instead." if (name := min(names)) == "max_tokens" else ""
            self._answer(400, json.dumps({"error": {"message": f"Unsupported parameter: '{name}'.{other}"}}))
        elif self.server.status != 200:
            self._answer(self.server.status, self.server.refusal)
        else:
            self._stream()

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(text.encode())

    def _stream(self) -> None:
        if self.server.mute.is_set():
            # the client's end of the connection is noticed here
            if not self.rfile.read(1):
                self.server.gone.set()
            return
        self.send_response(200)
        self.end_headers()
        try:
            for line in self.server.lines:
                self.wfile.write(f"{line}\n\n".encode())
            while self.server.endless:
                self.wfile.write(f"data: {chunk('na ')}\n\n".encode())
                self.server.sent += 1
                time.sleep(0.002)
            while self.server.silent:
                time.sleep(0.01)
        except OSError:
            self.server.gone.set()


def chunk(text: str | None = None, reason: str | None = None) -> str:
    return json.dumps(
        {
            "choices": [
                {"index": 0, "delta": {} if text is None else {"content": text}, "finish_reason": reason}
            ]
        }
    )


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as one:
        threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        yield one
        one.endless = one.silent = False
        one.shutdown()


@pytest.fixture
def bot(server: Server) -> Iterator[RemoteBot]:
    one = RemoteBot(server.address, "tiny", "secret", timeout=10)
    yield one
    one.close()


def test_an_answer_comes_in_pieces_with_its_usage(server: Server, bot: RemoteBot) -> None:
    usage = (
        '{"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, '
        '"prompt_tokens_details": {"cached_tokens": 5}}}'
    )
    server.lines = (
        ": ping",
        f"data: {chunk('Hel')}",
        "event: x",
        f"data:{chunk('lo 🙂')}",
        f"data: {chunk(reason='length')}",
        f"data: {usage}",
    )
    server.lines += ("data: [DONE]", f"data: {chunk('after the end')}")
    one: ChatModel = bot
    answer: Completion = one.stream(CONVERSATION, sampling=Sampling(top_k=4, seed=1))
    assert list(answer) == ["Hel", "lo 🙂"]
    assert (answer.finish, answer.context.tokens, answer.context.counted_by) == ("length", 7, "server")
    assert answer.context is not None
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.cached_tokens, answer.usage.new_tokens) == (7, 5, 3)
    assert server.keys == ["Bearer secret"]
    (asked,) = server.asked
    assert asked["path"] == "/v1/chat/completions"
    assert asked["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hi <|im_end|> 🙂"},
    ]
    assert (
        asked["top_k"],
        asked["seed"],
        asked["repetition_penalty"],
        asked["max_tokens"],
        asked["stream"],
    ) == (4, 1, 1.1, 120, True)
    assert bot.name == f"tiny at {server.address}"


def test_a_server_that_knows_only_the_protocols_own_settings_is_asked_with_those(
    server: Server, bot: RemoteBot
) -> None:
    server.strict, server.lines = True, (f"data: {chunk('yes', 'stop')}", "data: [DONE]")
    for _ in range(2):
        answer = bot.stream(CONVERSATION)
        assert "".join(answer) == "yes"
        assert answer.usage is not None
        assert answer.usage.new_tokens == 1
    settings = [
        tuple(name in request for name in ("repetition_penalty", "stream_options"))
        for request in server.asked
    ]
    assert settings == [(True, True), (False, True), (False, False), (False, False)]


def test_i7_settings_that_a_server_refuses_by_name_are_left_out_and_said(
    server: Server, bot: RemoteBot
) -> None:
    server.takes = {"model", "messages", "stream", "stream_options", "seed", "max_completion_tokens"}
    server.lines = (f"data: {chunk('yes', 'stop')}", "data: [DONE]")
    for _ in range(2):
        assert "".join(bot.stream(CONVERSATION, sampling=Sampling(seed=4, max_new_tokens=7))) == "yes"
    assert set(server.asked[-1]) == {"path", *server.takes}
    assert (server.asked[-1]["seed"], server.asked[-1]["max_completion_tokens"]) == (4, 7)
    assert bot.left_out == ["repetition_penalty", "temperature", "top_p"]
    # each was refused once
    assert len(server.asked) == 6


def test_i7_a_refusal_of_something_else_changes_no_setting(server: Server, bot: RemoteBot) -> None:
    server.status, server.refusal = 400, '{"error": "max_tokens and the messages exceed 2048 tokens"}'
    with pytest.raises(ServerError, match="answered 400: max_tokens and the messages exceed 2048 tokens"):
        next(bot.stream(CONVERSATION))
    assert bot.left_out == []
    assert all(request["max_tokens"] == 120 for request in server.asked)


def test_c4_the_format_of_the_reply_is_passed_on(server: Server, bot: RemoteBot) -> None:
    server.strict, server.lines = True, (f"data: {chunk('{}', 'stop')}", "data: [DONE]")
    schema = {"type": "object"}
    assert "".join(bot.stream(CONVERSATION, reply_format=ReplyFormat(schema=schema, name="answer"))) == "{}"
    assert "".join(bot.stream(CONVERSATION, reply_format=ReplyFormat())) == "{}"
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    assert [request["response_format"] for request in server.asked] == [
        wanted,
        wanted,
        wanted,
        {"type": "json_object"},
    ]


def test_a_stop_closes_the_connection(server: Server, bot: RemoteBot) -> None:
    server.endless = True
    answer = bot.stream(CONVERSATION)
    assert next(answer) == "na "
    answer.stop()
    assert server.gone.wait(10)
    assert all(chunk == "na " for chunk in answer)
    assert answer.finish == "stopped"


def test_a_stop_reaches_a_reader_who_waits(server: Server, bot: RemoteBot) -> None:
    server.silent, server.lines = True, (f"data: {chunk('one')}",)
    answer = bot.stream(CONVERSATION)
    assert next(answer) == "one"
    threading.Timer(0.1, answer.stop).start()
    began = time.monotonic()
    assert list(answer) == []
    assert time.monotonic() - began < 8
    assert answer.finish == "stopped"


def test_an_answer_that_nobody_holds_any_more_is_stopped(server: Server, bot: RemoteBot) -> None:
    server.endless = True
    answer = bot.stream(CONVERSATION)
    next(answer)
    del answer
    assert server.gone.wait(10)


@pytest.mark.parametrize(
    ("lines", "wrong"),
    [
        (("data: nonsense",), "not an OpenAI-compatible reply: nonsense"),
        (("data: [1]",), "not an OpenAI-compatible reply"),
        (('data: {"choices": 5}',), "not an OpenAI-compatible reply"),
        (('data: {"choices": [{"delta": 5}]}',), "not an OpenAI-compatible reply"),
        (
            ('data: {"error": {"message": "out of memory"}}',),
            "failed in the middle of a reply: .*out of memory",
        ),
        ((f"data: {chunk('half')}",), "ended in the middle of a reply"),
        ((), "ended in the middle of a reply"),
        (("x" * 1_100_000,), "a line that does not end"),
    ],
)
def test_an_answer_that_is_none_is_an_error_that_names_the_address(
    server: Server, bot: RemoteBot, lines: tuple[str, ...], wrong: str
) -> None:
    server.lines = lines
    answer = bot.stream(CONVERSATION)
    with pytest.raises(SourceError, match=f"^{server.address}: .*{wrong}"):
        list(answer)
    assert answer.finish is None


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        (401, SourceError, "answered 401: .*; hint: set the key"),
        (404, SourceError, "answered 404"),
        (500, SourceError, "answered 500"),
        (302, SourceError, "answered 302"),
        (503, OverloadedError, "overloaded"),
        (429, OverloadedError, "overloaded"),
        (400, SourceError, "answered 400"),
    ],
)
def test_a_refusal_is_said(
    server: Server, bot: RemoteBot, status: int, error: type[Exception], said: str
) -> None:
    server.status = status
    with pytest.raises(error, match=f"^{server.address}: .*{said}") as found:
        next(bot.stream(CONVERSATION))
    assert "secret" not in str(found.value)


def test_an_address_that_does_not_answer_is_named() -> None:
    bot = RemoteBot("http://user:word@127.0.0.1:1/v1?version=3", "tiny")
    with pytest.raises(SourceError, match=r"^http://127\.0\.0\.1:1/v1: cannot be reached"):
        next(bot.stream(CONVERSATION))
    bot.close()


def test_a_server_that_says_nothing_is_not_waited_for_for_ever(server: Server) -> None:
    server.silent = True
    bot = RemoteBot(server.address, "tiny", timeout=0.2)
    answer = bot.stream(CONVERSATION)
    with pytest.raises(SourceError, match="fell silent"):
        next(answer)
    bot.close()


@pytest.mark.parametrize(
    "address",
    ["", "localhost:8000", "ftp://x/v1", "http:///v1", "file:///etc/passwd", "http://[::1/v1",
     "http://x:99999/v1", "http://x y/v1", "http://x/\x01"],
)  # fmt: skip
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="expected one such as"):
        RemoteBot(address, "tiny")


def test_a_server_says_which_models_it_has(server: Server) -> None:
    assert list_models(server.address) == ["one", "two"]
    server.models = '{"data": [{"id": "one"}, {"id": "\\ud800"}, {"id": "two\\n"}]}'
    assert list_models(server.address) == ["one"]
    with pytest.raises(SourceError, match="cannot be reached"):
        list_models("http://127.0.0.1:1/v1")


@given(st.text(), st.data())
def test_halves_of_characters_are_put_together(text: str, data: st.DataObject) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    halves = [
        units[place : place + 2].decode("utf-16-le", "surrogatepass") for place in range(0, len(units), 2)
    ]
    whole = SurrogateJoiner()
    found = [whole.add(half) for half in halves]
    assert "".join(found) == text
    assert all(text.encode() is not None for text in found)


def test_d3_a_server_is_not_asked_to_continue_a_reply(server: Server, bot: RemoteBot) -> None:
    begun = Conversation(turns=(*CONVERSATION.turns, Turn(role="assistant", text="hal")))
    with pytest.raises(DataError, match="hint: retry the message"):
        bot.stream(begun)
    assert server.asked == []


PAGE = "<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"


def test_d4_a_web_page_is_said_to_be_one_whatever_its_status(server: Server, bot: RemoteBot) -> None:
    server.lines = (PAGE,)
    with pytest.raises(ServerError, match=r"answered with a web page instead of a reply; hint: .* /v1"):
        next(bot.stream(CONVERSATION))
    server.status = 404
    server.refusal = PAGE
    with pytest.raises(ServerError, match=r"the server answered 404: a web page; hint: .* /v1") as found:
        next(bot.stream(CONVERSATION))
    server.models = PAGE
    with pytest.raises(ServerError, match="answered with a web page"):
        list_models(server.address)
    assert "<" not in str(found.value)


@pytest.mark.parametrize("models", ["[]", "{}", '{"data": 5}', '{"data": [{}]}', "[" * 100_000])
def test_d4_a_list_of_models_that_is_none_is_an_error(server: Server, models: str) -> None:
    server.models = models
    with pytest.raises(ServerError, match=f"^{server.address}: does not list its models"):
        list_models(server.address)


@pytest.mark.parametrize(
    ("refusal", "words"),
    [
        ('{"error": {"message": "model \'m\' not found"}}', "model 'm' not found"),
        ('{"error": "model gone"}', "model gone"),
        ('{"detail": "Not Found"}', "Not Found"),
        ('{"error": {"code": 5}}', '{"error": {"code": 5}}'),
        ("", "nothing"),
    ],
)
def test_d4_a_refusal_quotes_the_servers_sentence_alone(
    server: Server, bot: RemoteBot, refusal: str, words: str
) -> None:
    server.status, server.refusal = 404, refusal
    with pytest.raises(ServerError, match=f"answered 404: {re.escape(words)}; hint: check the name"):
        next(bot.stream(CONVERSATION))


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://me:word@127.0.0.1:1/v1?key=hidden", "http://127.0.0.1:1/v1"),
        ("http://[", "an invalid address"),
    ],
)
def test_c7_a_redirect_is_said_and_not_followed(
    server: Server, bot: RemoteBot, location: str, words: str
) -> None:
    server.status, server.location = 307, location
    with pytest.raises(ServerError, match=r"307: it has moved to .*; hint: use that address") as found:
        next(bot.stream(CONVERSATION))
    assert words in str(found.value)
    assert not any(secret in str(found.value) for secret in ("word", "hidden"))
    assert len(server.asked) == 1


def test_c7_a_key_is_in_no_error_even_where_the_server_repeats_it(server: Server) -> None:
    key = "sk-0123456789"
    bot = RemoteBot(server.address, "tiny", key)
    server.status, server.refusal = 401, f'{{"error": "wrong key {key}"}}'
    with pytest.raises(ServerError, match=r"wrong key \*\*\*") as found:
        next(bot.stream(CONVERSATION))
    server.status, server.lines = 200, (f'data: {{"error": "wrong key {key}"}}',)
    with pytest.raises(ServerError, match=r"wrong key \*\*\*"):
        next(bot.stream(CONVERSATION))
    assert server.keys == [f"Bearer {key}"] * 2
    assert key not in str(found.value)
    for invalid in ("schlüssel", "tab\there", "line\nend"):
        with pytest.raises(ConfigError, match="hint: copy it again") as refused:
            RemoteBot(server.address, "tiny", invalid)
        assert invalid not in str(refused.value)


def test_d4_a_stop_ends_the_request_before_the_server_says_a_word(server: Server, bot: RemoteBot) -> None:
    server.mute.set()
    answer = bot.stream(CONVERSATION)
    threading.Timer(0.2, answer.stop).start()
    began = time.monotonic()
    assert list(answer) == []
    assert time.monotonic() - began < 8
    assert answer.finish == "stopped"
    assert server.gone.wait(10)
    server.mute.clear()
    stopped = bot.stream(CONVERSATION)
    stopped.stop()
    assert list(stopped) == []
    assert len(server.asked) == 1


def test_d4_a_line_separator_inside_a_reply_ends_no_event(server: Server, bot: RemoteBot) -> None:
    server.lines = ('data: {"choices": [{"delta": {"content": "a\u2028b\x85c"}, "finish_reason": "stop"}]}',)
    assert "".join(bot.stream(CONVERSATION)) == "a\u2028b\x85c"


def test_d10_tokens_are_the_servers_count_or_an_estimate_that_says_so(server: Server, bot: RemoteBot) -> None:
    server.lines = (f"data: {chunk('yes', 'stop')}", "data: [DONE]")
    answer = bot.stream(CONVERSATION)
    list(answer)
    assert answer.context is not None
    # 8 + 19 bytes at 4 a token, and 4 tokens for each of two turns
    assert (answer.context.tokens, answer.context.counted_by, answer.context.is_known) == (
        14,
        "estimate",
        False,
    )


@pytest.mark.parametrize(
    ("context", "is_known"),
    [
        ({"seen": [0], "recalled": [], "dropped": [], "tokens": 9, "room": 20}, True),  # an old name
        ({"seen": [5], "recalled": [], "dropped": [], "tokens": 9, "room": 20}, False),  # an old name
        ({"seen": "all", "recalled": [], "dropped": [], "tokens": 9, "room": 20}, False),  # an old name
        ({"seen": [0]}, False),
        ([1], False),
        ("x", False),
    ],
)
def test_d10_the_ledger_of_a_server_is_taken_where_it_is_one(
    server: Server, bot: RemoteBot, context: object, is_known: bool
) -> None:
    known = {**context, "new": "x"} if isinstance(context, dict) else context
    event = json.loads(chunk("yes", "stop")) | {"context": known}
    server.lines = (f"data: {json.dumps(event)}", "data: [DONE]")
    answer = bot.stream(CONVERSATION)
    list(answer)
    assert answer.context is not None
    assert answer.context.is_known is is_known
    assert answer.context.counted_by == ("server" if is_known else "estimate")
    if is_known:
        assert (answer.context.seen, answer.context.tokens, answer.context.token_budget) == ((0,), 9, 20)
