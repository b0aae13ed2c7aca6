"""Requests of OpenAI's chat protocol: the fields that the server accepts, and how much it accepts."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from nlpkit.data.text_parts import join_parts
from nlpkit.generation.reply_format import ReplyFormat
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
    "modalities": (["text"],),
}
"""Fields of the protocol that the server does not support, with the values that ask for nothing.

Others are refused.
"""

WITHOUT_EFFECT = frozenset(
    {
        *("user", "metadata", "store", "service_tier", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_retention", "prediction", "reasoning_effort", "verbosity"),
    }
)
"""Fields that are accepted and ignored: they change no reply, or only ask for more or less of one."""

MESSAGE_WITHOUT_EFFECT = frozenset(
    {"name", "annotations", "cache_control", "refusal", "reasoning", "reasoning_content"}
)
"""Fields of a message that are accepted and ignored: clients send back what other servers gave them."""

SAMPLED = ("temperature", "top_p", "top_k", "repetition_penalty", "seed")


class ServerLimits(Settings):
    """How much the server accepts from a client."""

    body: Annotated[int, Field(ge=1)] = 1_000_000
    """Bytes of a request."""
    messages: Annotated[int, Field(ge=1)] = 1000
    """Messages of a conversation."""
    characters: Annotated[int, Field(ge=1)] = 32_000
    """Characters of a message, or of a text to score."""
    texts: Annotated[int, Field(ge=1)] = 256
    """Texts to score in one request."""
    seconds: Annotated[float, Field(gt=0)] = 300
    """Seconds for a reply, waiting included; then the text so far is returned with finish reason `length`."""
    body_seconds: Annotated[float, Field(gt=0)] = 30
    """Seconds for the body of a request to arrive."""
    queue: Annotated[int, Field(ge=1)] = 128
    """Replies being generated or waiting; more are refused with status 503."""
    rate: Annotated[int, Field(ge=1)] = 600
    """Requests per minute of a key or an address."""


class _Strict(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", strict=True)


def _joined(content: object) -> object:
    """Return the text of a message, which the protocol also writes as a list of parts.

    Each part is a line of its own, as in vLLM. Other fields, such as `cache_control`, change no text.
    """
    if not isinstance(content, list):
        return content
    try:
        return join_parts(content)
    except ValueError:  # its message quotes what was sent
        raise ValueError("a part is not {'type': 'text', 'text': ...}; only text is supported") from None


def _describe_message(schema: dict[str, Any]) -> None:
    """Describe the forms of a message's content, which are joined to one text before it is checked."""
    text, word = {"type": "string"}, {"pattern": r"\S"}
    types = {"enum": ["text", "input_text", "output_text"]}
    part = {"type": "object", "required": ["type", "text"], "properties": {"type": types, "text": text}}
    parts = {"type": "array", "items": part}
    schema["properties"]["content"] = {"anyOf": [text, parts, {"type": "null"}]}
    schema["required"] = ["role"]
    filled = [text | word, parts | {"contains": {"properties": {"text": word}}}]
    of = {
        "user": {"anyOf": filled},
        "system": {"type": ["string", "array"]},
        "developer": {"type": ["string", "array"]},
    }
    schema["allOf"] = [
        {
            "if": {"properties": {"role": {"const": role}}},
            "then": {"required": ["content"], "properties": {"content": content}},
        }
        for role, content in of.items()
    ]


class RequestMessage(_Strict):
    """A message of a conversation. A user's says something; the others may be empty."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_describe_message)

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_joined)]


class StreamOptions(_Strict):
    """Options of a streamed reply."""

    include_usage: bool = False
    include_obfuscation: bool = False


class JsonSchema(_Strict):
    """A schema as clients send it. `name` and `description` change no reply; `strict` is always kept to."""

    name: Annotated[str, Field(max_length=64)]
    schema_: Annotated[dict[str, Any], Field(alias="schema")]
    description: str | None = None
    strict: bool | None = None


class ResponseFormat(_Strict):
    """The format of the reply."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        json_schema_extra={
            "if": {"properties": {"type": {"const": "json_schema"}}},
            "then": {"required": ["json_schema"], "properties": {"json_schema": {"type": "object"}}},
            "else": {"properties": {"json_schema": {"type": "null"}}},
        }
    )

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @model_validator(mode="after")
    def _has_schema(self) -> ResponseFormat:
        if (self.type == "json_schema") != (self.json_schema is not None):
            raise ValueError("expected json_schema with the type 'json_schema', and only with it")
        return self

    @property
    def reply_format(self) -> ReplyFormat | None:
        """Return the format for the chat model; None: any text."""
        if self.json_schema is not None:
            return ReplyFormat(schema=self.json_schema.schema_, name=self.json_schema.name)
        return ReplyFormat() if self.type == "json_object" else None


def _listed(stop: object) -> object:
    return [stop] if isinstance(stop, str) else stop


def _describe(schema: dict[str, Any]) -> None:
    """Describe what is checked elsewhere: the sampling's ranges, and `stop` as one text."""
    ranges, fields = Sampling.model_json_schema()["properties"], schema["properties"]
    for name in SAMPLED:
        fields[name] = {key: value for key, value in ranges[name].items() if key != "default"}
    fields["seed"] = {"anyOf": [{"type": "integer"}, {"type": "null"}]}
    for name in ("max_tokens", "max_completion_tokens"):
        fields[name] = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]}
    # One of the two names; JSON Schema cannot say that two values must be equal
    both = {name: {"type": "integer"} for name in ("max_tokens", "max_completion_tokens")}
    schema["not"] = {"required": list(both), "properties": both}
    fields["stop"] = {"anyOf": [fields["stop"]["items"], fields["stop"]]}


def _whole(number: object) -> object:
    return int(number) if isinstance(number, float) and number.is_integer() else number


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer, which JSON may also write as 2.0."""


class ChatRequest(_Strict):
    """The body of /v1/chat/completions."""

    model_config: ClassVar[ConfigDict] = ConfigDict(json_schema_extra=_describe)

    messages: Annotated[
        list[RequestMessage],
        Field(
            min_length=1,
            description="The last one, system messages aside, must be the user's. JSON Schema cannot say so.",
            json_schema_extra={"contains": {"properties": {"role": {"const": "user"}}, "required": ["role"]}},
        ),
    ]
    model: str | None = None
    stream: bool = False
    stream_options: StreamOptions = StreamOptions()
    stop: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        BeforeValidator(_listed),
        Field(max_length=4),
    ] = []
    max_tokens: Whole | None = None
    max_completion_tokens: Whole | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: Whole | None = None
    repetition_penalty: float | None = None
    seed: Whole | None = None
    response_format: ResponseFormat = ResponseFormat(type="text")


class ScoreRequest(_Strict):
    """The body of /v1/score."""

    texts: Annotated[
        list[Annotated[str, Field(json_schema_extra={"pattern": r"^[^\u0000]*$"})]], Field(min_length=1)
    ]
    model: str | None = None


class DecisionQuestion(_Strict):
    """A question about a text, of the decision protocol."""

    type: Literal["choice", "score", "noul"]
    instructions: Any = None
    """A classifier reads none: the question is known by its options, or by its name."""
    criteria: Annotated[
        dict[str, Any] | list[Any] | None,
        Field(
            description="Options and what they mean; of `score` a list of levels; of `noul` true and false."
        ),
    ] = None

    @model_validator(mode="after")
    def _has_options(self) -> DecisionQuestion:
        if self.type == "noul":
            is_valid = self.criteria is None or (
                isinstance(self.criteria, dict) and self.criteria.keys() <= {"true", "false"}
            )
            expected = "an object with 'true' and 'false', or nothing"
        else:
            kind = dict if self.type == "choice" else list
            is_valid = isinstance(self.criteria, kind) and bool(self.criteria)
            expected = "options with descriptions" if self.type == "choice" else "a list of levels"
        if not is_valid:
            raise ValueError(f"criteria: expected {expected} for the type {self.type!r}")
        return self


def _state_text(state: object) -> object:
    """Return the text of a state, which the protocol also writes as an object or as a list of parts."""
    if isinstance(state, dict):
        if len(state) != 1 or not isinstance(text := next(iter(state.values())), str):
            raise ValueError("a classifier reads one text; expected a text, or an object with a single text")
        return text
    return _joined(state)


_STATE = {
    "anyOf": [
        {"type": "string", "pattern": r"^[^\u0000]*$"},
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": {"type": "string"},
        },
        {"type": "array", "items": {"type": "object"}},
    ]
}


class DecisionRequest(_Strict):
    """The body of /v1/systemone."""

    state: Annotated[str, BeforeValidator(_state_text), WithJsonSchema(_STATE)]
    questions: Annotated[dict[str, DecisionQuestion], Field(min_length=1, max_length=64)]
    model: str | None = None
    assets: Annotated[dict[str, Any], Field(max_length=0, description="Images: not read here.")] = {}


class FeedbackRequest(_Strict):
    """The body of /v1/feedback."""

    completion_id: Annotated[str, Field(min_length=1, max_length=200)]
    rating: Literal["up", "down"]
    reason: Annotated[str, Field(max_length=2000)] = ""
