"""OpenAI's chat protocol, the way out: answers, pieces of answers and errors in the protocol's own shapes."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from nlpkit.generation.completion import Usage
from nlpkit.generation.context import Context


class ApiError(Exception):
    """What is answered instead of a reply. The message never holds what people wrote."""

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
        """Seconds after which asking again makes sense."""

    @property
    def body(self) -> dict[str, Any]:
        """The error as the protocol writes it."""
        kinds = {401: "authentication_error", 429: "rate_limit_error", 503: "overloaded_error"}
        kind = kinds.get(self.status, "invalid_request_error" if self.status < 500 else "server_error")
        return {"error": {"message": str(self), "type": kind, "param": self.param, "code": self.code}}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReplyEnd:
    """How an answer ended."""

    finish: Literal["stop", "length"]
    usage: Usage | None = None
    context: Context | None = None


class ReplyWriter:
    """One answer in the protocol's words."""

    def __init__(self, model: str) -> None:
        self._head = {"id": f"chatcmpl-{secrets.token_hex(12)}", "created": int(time.time()), "model": model}

    def whole(self, text: str, ended: ReplyEnd) -> dict[str, Any]:
        """The body of an answer that is given at once."""
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": ended.finish}
        return {
            **self._head,
            "object": "chat.completion",
            "choices": [choice],
            "usage": _usage(ended.usage),
            **_seen(ended.context),
        }

    def piece(self, text: str, *, first: bool = False) -> dict[str, Any]:
        """A chunk with a piece of the text."""
        return self._chunk({**({"role": "assistant"} if first else {}), "content": text}, None)

    def end(self, ended: ReplyEnd, *, with_usage: bool) -> Iterator[dict[str, Any]]:
        """The last chunks."""
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
    """Which turns the model saw: an addition to the protocol, which has no word for it. The summary is a text and stays out."""
    if context is None:
        return {}
    ledger = asdict(context)
    ledger.pop("summary", None)
    return {"context": ledger}
