"""Responses of OpenAI's chat protocol: replies, chunks of replies and errors as JSON."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from nlpkit.chat.messages import context_record
from nlpkit.generation.completion import Usage
from nlpkit.generation.context import Context
from nlpkit.generation.reply_format import ReplyFormatError


class ApiError(Exception):
    """An error response. Its message never contains what people wrote."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code
        self.retry = retry
        """Seconds after which a new request makes sense."""

    @property
    def body(self) -> dict[str, Any]:
        """Return the error as JSON of the protocol."""
        kinds = {401: "authentication_error", 429: "rate_limit_error", 503: "overloaded_error"}
        kind = kinds.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


def too_long(reason: str, *, param: str = "messages") -> ApiError:
    """Return the error for a prompt that the model can't read.

    Clients know it by the code, or by words of the sentence: the first half is OpenAI's (LiteLLM), the second
    Anthropic's (LangChain).
    """
    sentence = "this model's maximum context length is exceeded, the prompt is too long; hint: send less text"
    return ApiError(400, f"{reason}: {sentence}", param=param, code="context_length_exceeded")


def bad_format(error: ReplyFormatError) -> ApiError:
    """Return the error for a format in which the model cannot write."""
    return ApiError(400, f"response_format: {error}", param="response_format", code=error.code)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyEnd:
    """How a reply ended."""

    finish: Literal["stop", "length"]
    usage: Usage | None = None
    context: Context | None = None


class ReplyWriter:
    """Writes one reply as JSON of the protocol."""

    def __init__(self, model: str) -> None:
        self.id: str = f"chatcmpl-{secrets.token_hex(12)}"
        self._head = {"id": self.id, "created": int(time.time()), "model": model}

    def whole(self, text: str, ended: ReplyEnd) -> dict[str, Any]:
        """Return the body of a reply that is not streamed."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": ended.finish}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": _usage(ended.usage),
            **_seen(ended.context),
        }

    def chunk(self, text: str, *, first: bool = False) -> dict[str, Any]:
        """Return a chunk of the text."""
        return self._chunk({**({"role": "assistant"} if first else {}), "content": text}, None)

    def end(self, ended: ReplyEnd, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        """Yield the last chunks."""
        yield {**self._chunk({}, ended.finish), **_seen(ended.context)}
        if with_usage:
            yield {
                **self._head,
                "object": "chat.completion.chunk",
                "choices": [],
                "usage": _usage(ended.usage),
            }

    def _chunk(self, delta: dict[str, Any], finish: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return {**self._head, "object": "chat.completion.chunk", "choices": [choice]}


def _usage(usage: Usage | None) -> dict[str, Any] | None:
    if usage is None:
        return None
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.new_tokens,
        "total_tokens": usage.prompt_tokens + usage.new_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    }


def _seen(context: Context | None) -> dict[str, Any]:
    """Return which turns the model saw, as an addition to the protocol, without the text of the summary."""
    if context is None or not context.is_known:
        return {}
    turns = context_record(context)
    turns.pop("summary", None)
    return {"context": turns}
