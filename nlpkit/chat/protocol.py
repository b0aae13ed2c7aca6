"""Parse a request of OpenAI's chat protocol.

Bytes become a conversation and settings, or an error that names the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from nlpkit.chat.request_models import (
    MESSAGE_WITHOUT_EFFECT,
    NEUTRAL,
    SAMPLED,
    WITHOUT_EFFECT,
    ChatRequest,
    DecisionQuestion,
    DecisionRequest,
    FeedbackRequest,
    RequestMessage,
    ScoreRequest,
    ServerLimits,
)
from nlpkit.chat.serialization import ApiError, bad_format, too_long
from nlpkit.chat.text_limits import clean
from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.data.formats.json_lines import KINDS
from nlpkit.data.rows import unreadable_text
from nlpkit.errors import nearest
from nlpkit.generation.reply_format import ReplyFormat, ReplyFormatError
from nlpkit.generation.sampling import MAX_NEW_TOKENS, Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionRequest:
    """A valid request for a reply."""

    conversation: Conversation
    sampling: Sampling
    stop: tuple[str, ...]
    stream: bool
    with_usage: bool
    reply_format: ReplyFormat | None = None
    """None: any text."""


Body = TypeVar("Body", bound=BaseModel)


def parse_chat_request(
    body: bytes, limits: ServerLimits, *, model: str, defaults: Sampling
) -> CompletionRequest:
    """Return the conversation and the settings in the body of a request.

    Raises:
        ApiError: names the field and what was expected, without the value that was sent.
    """
    fields = _without_nulls(_parse_json(body))
    for name in NEUTRAL.keys() & fields.keys():
        if not _is_neutral(name, fields[name]):
            expected = " or ".join(repr(value) for value in NEUTRAL[name])
            raise ApiError(
                400,
                f"{name}: not supported here; expected {expected}, or nothing",
                param=name,
                code="unsupported_parameter",
            )
    known = {
        name: value for name, value in fields.items() if name not in NEUTRAL and name not in WITHOUT_EFFECT
    }
    request = _validate(ChatRequest, known)
    _check_model(request.model, model)
    return CompletionRequest(
        conversation=conversation_of(request.messages, limits),
        sampling=_sampling(request, defaults),
        stop=tuple(request.stop),
        stream=request.stream,
        with_usage=request.stream_options.include_usage,
        reply_format=_reply_format(request),
    )


def parse_score_request(body: bytes, limits: ServerLimits, *, model: str) -> list[str]:
    """Return the texts to score.

    Raises:
        ApiError: names the field and what was expected.
    """
    request = _validate(ScoreRequest, _without_nulls(_parse_json(body)))
    _check_model(request.model, model)
    if len(request.texts) > limits.texts:
        raise ApiError(
            400,
            f"texts: {len(request.texts):,}; expected at most {limits.texts:,}",
            param="texts",
            code="array_above_max_length",
        )
    for index, text in enumerate(request.texts):
        param = f"texts.{index}"
        _check_length(text, param, limits)
        if reason := unreadable_text(text):
            raise ApiError(400, f"{param}: {reason}", param=param, code="invalid_value")
    return request.texts


@dataclass(frozen=True, kw_only=True, slots=True)
class DecisionText:
    """A valid request for decisions about a text."""

    text: str
    questions: Mapping[str, DecisionQuestion]


def parse_decision_request(body: bytes, limits: ServerLimits, *, model: str) -> DecisionText:
    """Return the text and the questions about it.

    Raises:
        ApiError: names the field and what was expected.
    """
    request = _validate(DecisionRequest, _without_nulls(_parse_json(body)))
    _check_model(request.model, model)
    _check_length(request.state, "state", limits)
    if reason := unreadable_text(request.state):
        raise ApiError(400, f"state: {reason}", param="state", code="invalid_value")
    return DecisionText(text=request.state, questions=request.questions)


def parse_feedback_request(body: bytes) -> FeedbackRequest:
    """Return the rating in the body of a request, without control characters in its reason.

    Raises:
        ApiError: names the field and what was expected.
    """
    request = _validate(FeedbackRequest, _without_nulls(_parse_json(body)))
    reason = clean(request.reason, len(request.reason), what="the reason")
    return request.model_copy(update={"reason": reason})


def conversation_of(messages: list[RequestMessage], limits: ServerLimits) -> Conversation:
    """Return the messages as turns; consecutive messages of one role become one turn, as in training data.

    An empty reply is left out, because no turn is empty. All system messages together are the system prompt.
    """
    if len(messages) > limits.messages:
        reason = f"messages: {len(messages):,}; expected at most {limits.messages:,}"
        raise ApiError(400, reason, param="messages", code="array_above_max_length")
    system: list[str] = []
    turns: list[Turn] = []
    last = ""
    for index, message in enumerate(messages):
        if len(message.content) > limits.characters:
            param = f"messages.{index}.content"
            raise too_long(
                f"{param}: {len(message.content):,} characters; expected at most {limits.characters:,}",
                param=param,
            )
        if message.role in ("system", "developer"):
            system.append(message.content)
            continue
        last = message.role
        if not message.content.strip():
            if message.role == "assistant":
                continue  # the model said nothing
            reason = f"messages.{index}.content: empty; expected a text"
            raise ApiError(400, reason, param=f"messages.{index}.content", code="invalid_value")
        role: Role = "user" if message.role == "user" else "assistant"
        before = turns.pop().text + "\n" if turns and turns[-1].role == role else ""
        turns.append(Turn(role=role, text=before + message.content))
    if last != "user":
        raise ApiError(
            400,
            "messages: the last one is not the user's, so that there is nothing to answer",
            param=f"messages.{len(messages) - 1}.role",
        )
    return Conversation(turns=tuple(turns), system="\n\n".join(text for text in system if text.strip()))


def _parse_json(body: bytes) -> dict[str, Any]:
    import orjson

    try:
        fields = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # The message of orjson quotes nothing of the body
        raise ApiError(
            400, f"the body is not valid JSON: {error.msg} at byte {error.pos:,}", code="invalid_json"
        ) from None
    if not isinstance(fields, dict):
        raise ApiError(400, f"the body is {KINDS[type(fields)]}; expected a JSON object", code="invalid_json")
    return fields


def _without_nulls(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without nulls, which clients send for fields that they do not set."""
    set_fields = {name: value for name, value in fields.items() if value is not None}
    if isinstance(messages := set_fields.get("messages"), list):
        set_fields["messages"] = [
            _plain_message(message) if isinstance(message, dict) else message for message in messages
        ]
    return set_fields


def _plain_message(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message without what says nothing; a reply without content is an empty one."""
    plain = {
        name: value
        for name, value in message.items()
        if value is not None and name not in MESSAGE_WITHOUT_EFFECT and (name, value) != ("tool_calls", [])
    }
    return {"content": "", **plain} if plain.get("role") == "assistant" else plain


def _is_neutral(name: str, value: object) -> bool:
    if name in ("frequency_penalty", "presence_penalty") and type(value) is float:
        return value == 0
    return any(type(value) is type(neutral) and value == neutral for neutral in NEUTRAL[name])


def _validate(model: type[Body], fields: Mapping[str, Any]) -> Body:
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        raise _refusal(error, model) from None


def _refusal(
    error: ValidationError, model: type[BaseModel], names: Mapping[str, str] | None = None
) -> ApiError:
    """Return the first of pydantic's problems as an error, without the value that pydantic would quote."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    loc = [(names or {}).get(str(part), str(part)) for part in first["loc"]]
    param = ".".join(part if len(part) <= 60 else part[:60] + "..." for part in loc)
    reason = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = (
            [*model.model_fields, *NEUTRAL, *WITHOUT_EFFECT]
            if len(loc) == 1
            else [*RequestMessage.model_fields, *MESSAGE_WITHOUT_EFFECT]
            if loc[0] == "messages"
            else []
        )
        reason = f"unknown field{nearest(loc[-1], known) if len(loc[-1]) <= 60 else ''}"
    return ApiError(400, f"{param}: {reason}", param=param, code="invalid_value")


def _check_model(name: str | None, served: str) -> None:
    if name not in (None, "", served):
        raise ApiError(
            404, f"model: not served here; expected {served!r}", param="model", code="model_not_found"
        )


def _check_length(text: str, param: str, limits: ServerLimits) -> None:
    if len(text) > limits.characters:
        reason = f"{param}: {len(text):,} characters; expected at most {limits.characters:,}"
        raise ApiError(400, reason, param=param, code="string_above_max_length")


def _reply_format(request: ChatRequest) -> ReplyFormat | None:
    try:
        return request.response_format.reply_format
    except ReplyFormatError as error:
        raise bad_format(error) from None


def _sampling(request: ChatRequest, defaults: Sampling) -> Sampling:
    max_tokens = {
        name: getattr(request, name)
        for name in ("max_completion_tokens", "max_tokens")
        if getattr(request, name) is not None
    }
    if len(set(max_tokens.values())) > 1:
        raise ApiError(
            400,
            "max_tokens: differs from max_completion_tokens, its newer name; expected one of the two",
            param="max_tokens",
        )
    given = {name: getattr(request, name) for name in SAMPLED if getattr(request, name) is not None}
    if max_tokens:
        given["max_new_tokens"] = min(next(iter(max_tokens.values())), MAX_NEW_TOKENS)
    if "seed" in given:
        given["seed"] %= 2**63  # the protocol's seeds are signed
    try:
        return Sampling.model_validate({**defaults.model_dump(), **given})
    except ValidationError as error:
        raise _refusal(error, Sampling, {"max_new_tokens": next(iter(max_tokens), "max_tokens")}) from None
