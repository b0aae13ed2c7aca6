"""OpenAI's chat protocol, the way in: a request's bytes become a conversation with its settings, or an error that names the field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from nlpkit.chat.serialization import ApiError
from nlpkit.data.examples import Conversation, Role, Turn
from nlpkit.errors import nearest
from nlpkit.generation.sampling import Sampling
from nlpkit.settings import Settings

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "n": (1,),
    "frequency_penalty": (0,),
    "presence_penalty": (0,),
    "logprobs": (False,),
    "top_logprobs": (0,),
    "logit_bias": ({},),
    "tools": ([],),
    "tool_choice": ("none", "auto"),
    "functions": ([],),
    "function_call": ("none", "auto"),
    "parallel_tool_calls": (True, False),
    "response_format": ({"type": "text"},),
    "modalities": (["text"],),
}
"""What the protocol has and this server has not: taken where the value asks for nothing, refused otherwise, never passed over."""

WITHOUT_EFFECT = frozenset(
    {"user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key"}
)
"""What changes no answer."""

SAMPLED = ("temperature", "top_p", "top_k", "repetition_penalty", "seed")


class ServerLimits(Settings):
    """How much is taken from a client."""

    body: Annotated[int, Field(ge=1)] = 1_000_000
    """Bytes of a request."""
    messages: Annotated[int, Field(ge=1)] = 1000
    """Messages of a conversation."""
    characters: Annotated[int, Field(ge=1)] = 32_000
    """Characters of a message, or of a text to score."""
    texts: Annotated[int, Field(ge=1)] = 256
    """Texts to score in one request."""
    seconds: Annotated[float, Field(gt=0)] = 300
    """For an answer, waiting included; what there is by then is given as `length`."""
    body_seconds: Annotated[float, Field(gt=0)] = 30
    """For a request's bytes to come in."""
    queue: Annotated[int, Field(ge=1)] = 128
    """Answers being made or waiting; more are asked to come back."""
    rate: Annotated[int, Field(ge=1)] = 600
    """Requests a minute, of a key or an address."""


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def _joined(content: object) -> object:
    """The text of a message; the protocol also writes it as a list of parts."""
    if not isinstance(content, list):
        return content
    for place, part in enumerate(content):
        if (
            not isinstance(part, dict)
            or part.get("type") != "text"
            or not isinstance(part.get("text"), str)
            or len(part) != 2
        ):
            raise ValueError(f"part {place} is not {{'type': 'text', 'text': ...}}: only text is read here")
    return "".join(part["text"] for part in content)


class RequestMessage(_Strict):
    """What one side said."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined)]


class StreamOptions(_Strict):
    """How a stream is written."""

    include_usage: bool = False
    include_obfuscation: bool = False


def _listed(stop: object) -> object:
    return [stop] if isinstance(stop, str) else stop


class ChatRequest(_Strict):
    """The body of /v1/chat/completions."""

    messages: Annotated[list[RequestMessage], Field(min_length=1)]
    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        BeforeValidator(_listed),
        Field(max_length=4),
    ] = []
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    repetition_penalty: float | None = None
    seed: int | None = None


class ScoreRequest(_Strict):
    """The body of /v1/score."""

    texts: Annotated[list[str], Field(min_length=1)]
    model: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CompletionRequest:
    """A request that can be answered."""

    conversation: Conversation
    sampling: Sampling
    stop: tuple[str, ...]
    stream: bool
    with_usage: bool


Body = TypeVar("Body", bound=BaseModel)


def parse_chat_request(
    body: bytes, limits: ServerLimits, *, model: str, defaults: Sampling
) -> CompletionRequest:
    """The conversation and the settings that a request's bytes hold.

    Raises:
        ApiError: naming the field, what was found there by its kind, and what was expected.
    """
    tree = _without_nothing(_tree(body))
    for name in NEUTRAL.keys() & tree.keys():
        if not any(
            type(tree[name]) is type(one) and tree[name] == one for one in NEUTRAL[name]
        ) and not _is_zero(tree[name], name):
            expected = " or ".join(repr(one) for one in NEUTRAL[name])
            raise ApiError(
                400,
                f"{name}: not supported here; expected {expected}, or nothing",
                param=name,
                code="unsupported_parameter",
            )
    kept = {name: value for name, value in tree.items() if name not in NEUTRAL and name not in WITHOUT_EFFECT}
    request = _checked(ChatRequest, kept)
    _same_model(request.model, model)
    return CompletionRequest(
        conversation=conversation_of(request.messages, limits),
        sampling=_sampling(request, defaults),
        stop=tuple(request.stop),
        stream=request.stream,
        with_usage=request.stream_options.include_usage,
    )


def parse_score_request(body: bytes, limits: ServerLimits, *, model: str) -> list[str]:
    """The texts to score.

    Raises:
        ApiError: naming the field.
    """
    request = _checked(ScoreRequest, _without_nothing(_tree(body)))
    _same_model(request.model, model)
    if len(request.texts) > limits.texts:
        raise ApiError(
            400,
            f"texts: {len(request.texts):,}; expected at most {limits.texts:,}",
            param="texts",
            code="array_above_max_length",
        )
    for place, text in enumerate(request.texts):
        _short_enough(text, f"texts.{place}", limits)
    return request.texts


def conversation_of(messages: list[RequestMessage], limits: ServerLimits) -> Conversation:
    """Messages as turns: what one side says in several messages is one turn, as in a file of conversations."""
    if len(messages) > limits.messages:
        found = f"messages: {len(messages):,}; expected at most {limits.messages:,}"
        raise ApiError(400, found, param="messages", code="array_above_max_length")
    told: list[str] = []
    turns: list[Turn] = []
    for place, one in enumerate(messages):
        _short_enough(one.content, f"messages.{place}.content", limits)
        if one.role in ("system", "developer"):
            if turns:
                raise ApiError(
                    400,
                    f"messages.{place}.role: {one.role!r} after the first turn; expected before it",
                    param=f"messages.{place}.role",
                )
            told.append(one.content)
            continue
        if not one.content.strip():
            found = f"messages.{place}.content: empty; expected a text"
            raise ApiError(400, found, param=f"messages.{place}.content", code="invalid_value")
        role: Role = "user" if one.role == "user" else "assistant"
        before = turns.pop().text + "\n" if turns and turns[-1].role == role else ""
        turns.append(Turn(role=role, text=before + one.content))
    if not turns or turns[-1].role != "user":
        raise ApiError(
            400,
            "messages: the last one is not the user's; there is nothing to answer",
            param=f"messages.{len(messages) - 1}.role",
        )
    return Conversation(turns=tuple(turns), system="\n\n".join(one for one in told if one.strip()))


def _tree(body: bytes) -> dict[str, Any]:
    import orjson

    try:
        tree = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        # Its own words quote nothing of the body
        raise ApiError(
            400, f"the body is not valid JSON: {error.msg} at byte {error.pos:,}", code="invalid_json"
        ) from None
    if not isinstance(tree, dict):
        raise ApiError(
            400, f"the body is a JSON {type(tree).__name__}; expected an object", code="invalid_json"
        )
    return tree


def _without_nothing(tree: dict[str, Any]) -> dict[str, Any]:
    """The tree without nulls, which clients write for what they do not set."""
    found = {name: value for name, value in tree.items() if value is not None}
    if isinstance(messages := found.get("messages"), list):
        found["messages"] = [_without_nothing(one) if isinstance(one, dict) else one for one in messages]
    return found


def _is_zero(value: object, name: str) -> bool:
    return name in ("frequency_penalty", "presence_penalty") and type(value) is float and value == 0


def _checked(model: type[Body], tree: Mapping[str, Any]) -> Body:
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise _refusal(error, model) from None


def _refusal(
    error: ValidationError, model: type[BaseModel], names: Mapping[str, str] | None = None
) -> ApiError:
    """The first of the problems that pydantic found, without the value that it would quote."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    loc = [(names or {}).get(str(part), str(part)) for part in first["loc"]]
    param = ".".join(one if len(one) <= 60 else one[:60] + "..." for one in loc)
    said = first["msg"].removeprefix("Value error, ")
    if first["type"] == "extra_forbidden":
        known = (
            [*model.model_fields, *NEUTRAL, *WITHOUT_EFFECT] if len(loc) == 1 else RequestMessage.model_fields
        )
        said = f"not a field that is known here{nearest(loc[-1], known) if len(loc[-1]) <= 60 else ''}"
    return ApiError(400, f"{param}: {said}", param=param, code="invalid_value")


def _same_model(name: str | None, served: str) -> None:
    if name not in (None, "", served):
        raise ApiError(
            404, f"model: not served here; expected {served!r}", param="model", code="model_not_found"
        )


def _short_enough(text: str, param: str, limits: ServerLimits) -> None:
    if len(text) > limits.characters:
        found = f"{param}: {len(text):,} characters; expected at most {limits.characters:,}"
        raise ApiError(400, found, param=param, code="string_above_max_length")


def _sampling(request: ChatRequest, defaults: Sampling) -> Sampling:
    longest = {
        name: getattr(request, name)
        for name in ("max_completion_tokens", "max_tokens")
        if getattr(request, name) is not None
    }
    if len(set(longest.values())) > 1:
        raise ApiError(
            400,
            "max_tokens: not equal to max_completion_tokens, its newer name; expected one of the two",
            param="max_tokens",
        )
    given = {name: getattr(request, name) for name in SAMPLED if getattr(request, name) is not None}
    if longest:
        given["max_new_tokens"] = next(iter(longest.values()))
    try:
        return Sampling.model_validate({**defaults.model_dump(), **given})
    except ValidationError as error:
        raise _refusal(error, Sampling, {"max_new_tokens": next(iter(longest), "max_tokens")}) from None
