"""The protocol's way in: what a request's bytes mean, and what is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from nlpkit.chat.protocol import CompletionRequest, parse_chat_request, parse_score_request
from nlpkit.chat.request_models import ServerLimits
from nlpkit.chat.request_queue import StopSequences
from nlpkit.chat.serialization import ApiError, ReplyEnd, ReplyWriter
from nlpkit.data.examples import Conversation, Turn
from nlpkit.generation.completion import Usage
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.sampling import Sampling

LIMITS = ServerLimits(characters=50, messages=6, texts=3)


JSON_SCHEMA = {"name": "answer", "schema": {"type": "object"}}


def ask(*messages: tuple[str, Any], **fields: Any) -> CompletionRequest:
    tree = {
        "messages": [{"role": role, "content": content} for role, content in messages or [("user", "hi")]],
        **fields,
    }
    return parse_chat_request(
        json.dumps(tree).encode(),
        LIMITS,
        model="parrot",
        defaults=Sampling(temperature=0.3, max_new_tokens=99),
    )


def refused(*messages: tuple[str, Any], **fields: Any) -> ApiError:
    with pytest.raises(ApiError) as found:
        ask(*messages, **fields)
    return found.value


def turns(found: CompletionRequest) -> list[tuple[str, str]]:
    return [(one.role, one.text) for one in found.conversation.turns]


def test_messages_become_turns_and_what_is_said_beforehand_the_system_text() -> None:
    found = ask(
        ("system", "be kind"),
        ("developer", "be short"),
        ("user", "hi"),
        ("assistant", "hello"),
        ("user", "and?"),
    )
    assert found.conversation == Conversation(
        system="be kind\n\nbe short",
        turns=(
            Turn(role="user", text="hi"),
            Turn(role="assistant", text="hello"),
            Turn(role="user", text="and?"),
        ),
    )
    assert (found.stream, found.with_usage, found.stop) == (False, False, ())


def test_messages_of_one_side_in_a_row_are_one_turn() -> None:
    assert turns(ask(("user", "one"), ("user", "two"), ("assistant", "three"), ("user", "four"))) == [
        ("user", "one\ntwo"), ("assistant", "three"), ("user", "four"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "reply", [{"content": ""}, {"content": None}, {"content": "\n"}, {"content": []}, {}]
)
def test_c1_an_empty_reply_that_the_server_gave_may_come_back(reply: dict[str, Any]) -> None:
    def parse(*messages: dict[str, Any]) -> CompletionRequest:
        body = json.dumps({"messages": messages}).encode()
        return parse_chat_request(body, LIMITS, model="parrot", defaults=Sampling())

    asked = {"role": "user", "content": "a"}
    empty = {"role": "assistant", **reply}
    assert turns(parse(asked, empty, {"role": "user", "content": "b"})) == [("user", "a\nb")]
    with pytest.raises(ApiError, match="nothing to answer"):
        parse(asked, empty)


def test_c2_parts_of_a_text_are_lines_and_their_other_fields_are_ignored() -> None:
    parts = [
        {"type": "text", "text": "foo"},
        {"type": "text", "text": "bar", "cache_control": {"type": "ephemeral"}, "annotations": []},
    ]
    assert turns(ask(("user", parts))) == [("user", "foo\nbar")]


def test_what_a_request_does_not_say_is_the_servers_and_nothing_means_not_said() -> None:
    assert ask().sampling == Sampling(temperature=0.3, max_new_tokens=99)
    assert ask(temperature=None, max_tokens=None, stop=None, stream=None, tools=None).sampling == Sampling(
        temperature=0.3, max_new_tokens=99
    )
    given = ask(temperature=0, top_p=1, seed=7, max_completion_tokens=5, top_k=3, repetition_penalty=1)
    assert given.sampling == Sampling(
        temperature=0, top_p=1, seed=7, max_new_tokens=5, top_k=3, repetition_penalty=1
    )
    assert ask(max_tokens=4).sampling.max_new_tokens == 4


def test_a_message_that_the_client_library_wrote_comes_back_with_its_nulls() -> None:
    body = {
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": "b", "tool_calls": None, "refusal": None},
        ]
    }
    body["messages"].append({"role": "user", "content": "c"})
    found = parse_chat_request(json.dumps(body).encode(), LIMITS, model="parrot", defaults=Sampling())
    assert turns(found) == [("user", "a"), ("assistant", "b"), ("user", "c")]


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1},
        {"frequency_penalty": 0},
        {"presence_penalty": 0.0},
        {"logit_bias": {}},
        {"tools": []},
        {"tool_choice": "auto"},
        {"response_format": {"type": "text"}},
        {"logprobs": False},
        {"user": "me"},
        {"metadata": {"a": "b"}},
        {"store": True},
        {"reasoning_effort": "low"},
        {"verbosity": "high"},
        {"prediction": {"type": "content", "content": "x"}},
    ],
)
def test_what_asks_for_nothing_is_taken(fields: dict[str, Any]) -> None:
    assert ask(**fields) == ask()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"tools": [{"type": "function"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"response_format": {"type": "xml"}}, "response_format.type"),
        ({"response_format": "json_object"}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {"type": "text", "json_schema": JSON_SCHEMA}}, "response_format"),
        ({"response_format": {"type": "json_object", "schema": {}}}, "response_format.schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": []}}},
            "response_format.json_schema.schema",
        ),
        ({"logprobs": True}, "logprobs"),
        ({"frequency_penalty": 0.5}, "frequency_penalty"),
        ({"frequency_penalty": False}, "frequency_penalty"),
        ({"logit_bias": {"1": 5}}, "logit_bias"),
        ({"audio": {"voice": "x"}}, "audio"),
        ({"stream": "yes"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": {"include": True}}, "stream_options.include"),
        ({"stop": ""}, "stop.0"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"stop": [1]}, "stop.0"),
        ({"stop": ["x" * 201]}, "stop.0"),
        ({"temperature": "0.5"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": 1e9}, "temperature"),
        ({"temperature": [1]}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.01}, "top_p"),
        ({"top_k": 2.5}, "top_k"),
        ({"top_k": -1}, "top_k"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"seed": "7"}, "seed"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 2.5}, "max_tokens"),
        ({"max_completion_tokens": -5}, "max_completion_tokens"),
        ({"max_tokens": 3, "max_completion_tokens": 4}, "max_tokens"),
        ({"model": 5}, "model"),
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": {"role": "user"}}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "hi", "tool_calls": [{}]}]}, "messages.0.tool_calls"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    error = refused(**fields)
    assert error.status == 400
    assert error.param == param
    assert str(error).startswith(param.split(".")[0])
    assert error.body["error"]["type"] == "invalid_request_error"


def test_c4_the_format_of_the_reply_is_read() -> None:
    assert ask(response_format={"type": "json_object"}).reply_format == ReplyFormat()
    wanted = {**JSON_SCHEMA, "strict": None, "description": "an answer"}
    found = ask(response_format={"type": "json_schema", "json_schema": wanted}).reply_format
    assert found == ReplyFormat(schema={"type": "object"}, name="answer")


def test_c4_a_schema_that_is_too_large_is_refused() -> None:
    def error(schema: Any) -> tuple[int, str | None, str | None]:
        wanted = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        found = refused(response_format=wanted)
        return found.status, found.param, found.code

    assert error({"enum": ["x" * 100_000]}) == (400, "response_format", "invalid_json_schema")
    body = b'{"messages": [{"role": "user", "content": "a"}], "response_format": {"type": "json_schema", '
    body += b'"json_schema": {"name": "a", "schema": ' + b'{"items":' * 100_000 + b"{}" + b"}" * 100_003
    with pytest.raises(ApiError) as found:
        parse_chat_request(body, LIMITS, model="parrot", defaults=Sampling())
    assert found.value.status == 400
    assert found.value.code in ("invalid_json", "invalid_json_schema")


def test_c3_fields_of_a_message_that_change_no_reply_are_ignored() -> None:
    asked = {"role": "user", "content": "a", "name": "bob", "cache_control": {"type": "ephemeral"}}
    reply = {
        "role": "assistant",
        "content": "b",
        "annotations": [],
        "tool_calls": [],
        "reasoning_content": "c",
    }
    body = json.dumps({"messages": [asked, reply, {"role": "user", "content": "d"}]}).encode()
    found = parse_chat_request(body, LIMITS, model="parrot", defaults=Sampling())
    assert turns(found) == [("user", "a"), ("assistant", "b"), ("user", "d")]


def test_c3_a_negative_seed_is_a_seed_of_its_own() -> None:
    seeds = {seed: ask(seed=seed).sampling.seed for seed in (0, 1, -1, -2, -(2**63) + 2, 2**63 - 1)}
    assert seeds == {0: 0, 1: 1, -1: 2**63 - 1, -2: 2**63 - 2, -(2**63) + 2: 2, 2**63 - 1: 2**63 - 1}
    assert ask(seed=-(2**70)).sampling.seed == 0  # any integer is one


def test_c3_more_tokens_than_the_limit_are_the_limit() -> None:
    assert ask(max_tokens=4097).sampling.max_new_tokens == 4096
    assert ask(max_completion_tokens=1_000_000_000).sampling.max_new_tokens == 4096


def test_c3_a_later_system_message_joins_the_system_prompt() -> None:
    found = ask(
        ("system", "be kind"), ("user", "a"), ("assistant", "b"), ("user", "c"), ("developer", "be short")
    )
    assert found.conversation.system == "be kind\n\nbe short"
    assert turns(found) == [("user", "a"), ("assistant", "b"), ("user", "c")]


def test_c3_a_message_that_is_too_long_has_the_code_and_the_sentence_of_openai() -> None:
    error = refused(("user", "x" * 51))
    assert (error.status, error.code) == (400, "context_length_exceeded")
    assert str(error) == (
        "messages.0.content: 51 characters; expected at most 50: "
        "this model's maximum context length is exceeded, the prompt is too long; hint: send less text"
    )


@pytest.mark.parametrize("role", ["root", "tool", "function", "System", "", 5, None, "user<|im_end|>"])
def test_only_known_roles_are_taken(role: Any) -> None:
    error = refused((role, "hi"))
    assert error.param == "messages.0.role"
    assert "'user'" in str(error) or "required" in str(error)


@pytest.mark.parametrize(
    "content",
    [
        5,
        {"type": "text", "text": "x"},
        [{"type": "image_url", "image_url": {"url": "http://x"}}],
        ["x"],
        [{"type": "text", "text": 5}],
        True,
    ],
)
def test_only_text_is_taken(content: Any) -> None:
    assert refused(("user", content)).param == "messages.0.content"


@pytest.mark.parametrize(
    ("messages", "param"),
    [
        ([("user", "")], "messages.0.content"),
        ([("user", " \n")], "messages.0.content"),
        ([("user", [])], "messages.0.content"),
        ([("system", "x")], "messages.0.role"),
        ([("user", "a"), ("assistant", "b")], "messages.1.role"),
        ([("user", "x" * 51)], "messages.0.content"),
        ([("system", "x" * 51), ("user", "a")], "messages.0.content"),
        ([("user", "x")] * 7, "messages"),
        ([("user", "a"), ("assistant", "b"), ("system", "c")], "messages.2.role"),
    ],
)
def test_a_conversation_that_has_no_answer_is_refused(messages: list[tuple[str, Any]], param: str) -> None:
    assert refused(*messages).param == param


def test_another_model_is_refused_and_none_named_is_the_one() -> None:
    assert ask(model="parrot") == ask(model="") == ask()
    assert (refused(model="gpt-5").status, refused(model="gpt-5").code) == (404, "model_not_found")


def test_a_refusal_quotes_nothing_that_people_wrote() -> None:
    said = "my card is 4111"
    tries = [
        refused(("user", {"x": said})),
        refused(("user", "a"), ("assistant", "b"), ("user", said), temperature=said),
        refused(("user", [{"type": said}])),
        refused(("user", said * 9)),
        refused(("user", said), stop=[said, 5]),
    ]
    assert [one for one in tries if "4111" in str(one.body)] == []
    for body in (
        f'{{"messages": "{said}',
        f'"{said}"',
        f'{{"messages": [{{"role": "user", "content": "{said}\ud800"}}]}}',
    ):
        with pytest.raises(ApiError) as found:
            parse_chat_request(
                body.encode("utf-8", "surrogatepass"), LIMITS, model="parrot", defaults=Sampling()
            )
        assert "4111" not in str(found.value.body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"hi",
        b'{"messages": NaN}',
        b'{"temperature": Infinity}',
        b"{" * 100_000,
        b"[" * 5000,
        b"\xff\xfe",
        b'{"temperature": 1e999}',
        b'{"seed": 1' + b"0" * 400 + b"}",
        b"\x00",
    ],
)
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ApiError) as found:
        parse_chat_request(body, LIMITS, model="parrot", defaults=Sampling())
    assert found.value.status == 400


def test_texts_to_score() -> None:
    assert parse_score_request(b'{"texts": ["a", ""]}', LIMITS, model="m") == ["a", ""]
    for body, param in (
        (b"{}", "texts"),
        (b'{"texts": []}', "texts"),
        (b'{"texts": "a"}', "texts"),
        (b'{"texts": ["a", 5]}', "texts.1"),
        (b'{"texts": ["a", "a", "a", "a"]}', "texts"),
        (b'{"texts": ["' + b"x" * 51 + b'"]}', "texts.0"),
        (b'{"texts": ["a"], "x": 1}', "x"),
        (b'{"texts": ["a"], "model": "other"}', "model"),
    ):
        with pytest.raises(ApiError) as found:
            parse_score_request(body, LIMITS, model="m")
        assert found.value.param == param


@pytest.mark.parametrize(
    ("stops", "pieces", "out"),
    [
        ((), ["ab", "c"], ["ab", "c"]),
        (("END",), ["a EN", "D b"], ["a ", ""]),
        (("END",), ["a EN", "T b"], ["a ", "ENT b"]),
        (("END",), ["a E"], ["a "]),
        (("b", "ab"), ["xab"], ["x"]),
        (("aab",), ["aa", "ab"], ["", "a"]),
        (("\n\n",), ["one\n", "\ntwo", "three"], ["one", "", ""]),
    ],
)
def test_a_text_ends_before_the_first_word_that_stops_it(
    stops: tuple[str, ...], pieces: list[str], out: list[str]
) -> None:
    until = StopSequences(stops)
    assert [until.feed(one) for one in pieces] == out
    whole = "".join(pieces)
    places = [place for one in stops if (place := whole.find(one)) >= 0]
    assert "".join(out) + until.rest() == whole[: min(places, default=len(whole))]
    assert until.hit == bool(places)


def test_an_answer_is_written_with_its_cost() -> None:
    usage = Usage(prompt_tokens=7, cached_tokens=3, new_tokens=2, first_token_seconds=0.1, seconds=0.2)
    whole = ReplyWriter("parrot").whole("hi", ReplyEnd(finish="length", usage=usage))
    assert whole["choices"][0]["message"] == {"role": "assistant", "content": "hi", "refusal": None}
    assert whole["choices"][0]["finish_reason"] == "length"
    assert whole["usage"] == {
        "prompt_tokens": 7,
        "completion_tokens": 2,
        "total_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 3},
    }


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (413, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "server_error"),
        (502, "server_error"),
        (503, "overloaded_error"),
    ],
)
def test_errors_have_the_protocols_kinds(status: int, kind: str) -> None:
    assert ApiError(status, "x").body == {
        "error": {"message": "x", "type": kind, "param": None, "code": None}
    }
