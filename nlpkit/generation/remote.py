"""A chat model on a server that speaks OpenAI's chat protocol, such as vLLM or `nlpkit serve`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from nlpkit.data.examples import Conversation
from nlpkit.errors import ConfigError, DataError, SourceError
from nlpkit.generation.addresses import endpoint, public_address
from nlpkit.generation.completion import Completion, OverloadedError
from nlpkit.generation.remote_completion import RemoteCompletion
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.sampling import Sampling

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 60.0
"""Seconds without a word from the server."""

CONNECT_TIMEOUT = 10.0


class RemoteBot:
    """A model behind an OpenAI-compatible address, up to and with `/v1`."""

    def __init__(self, address: str, model: str, key: str | None = None, *, timeout: float = TIMEOUT) -> None:
        import httpx2

        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"the address {address!r}; expected one such as http://localhost:8000/v1")
        self.address = public_address(address)
        self.model = model
        self._endpoint = endpoint(address, "chat/completions")
        self._client = httpx2.Client(
            headers=_headers(key), timeout=httpx2.Timeout(timeout, connect=CONNECT_TIMEOUT)
        )
        self._is_strict = False
        """Whether the server refuses settings that OpenAI's own protocol does not have."""

    @property
    def name(self) -> str:
        """The model and its address, without secrets."""
        return f"{self.model} at {self.address}"

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling | None = None,
        session: str = "",
        reply_format: ReplyFormat | None = None,
    ) -> Completion:
        """Start generating the reply to the last turn.

        The server decides what of the conversation the model sees, and keeps to the format.

        Raises:
            DataError: the conversation ends with a reply, which servers cannot continue.
            SourceError: the server cannot be reached, or refuses.
            OverloadedError: the server is overloaded.
        """
        if conversation.turns and conversation.turns[-1].role == "assistant":
            raise DataError(f"{self.address}: a server cannot continue a reply; hint: retry the message")
        sampling = sampling or Sampling()
        started = time.perf_counter()
        field = {"response_format": reply_format.request_field} if reply_format else {}
        response = self._send({**self._body(conversation, sampling, strict=self._is_strict), **field})
        if response.status_code in (400, 422) and not self._is_strict:
            response.close()
            response = self._send({**self._body(conversation, sampling, strict=True), **field})
            self._is_strict = response.status_code == 200
        if response.status_code != 200:
            raise self._refusal(response)
        return RemoteCompletion(response, self.address, started)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _body(self, conversation: Conversation, sampling: Sampling, *, strict: bool) -> dict[str, Any]:
        """Return the request; `strict`: with OpenAI's own settings only."""
        system = [{"role": "system", "content": conversation.system}] if conversation.system else []
        turns = [{"role": turn.role, "content": turn.text} for turn in conversation.turns]
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [*system, *turns],
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if not strict:
            body["stream_options"] = {"include_usage": True}
            body["repetition_penalty"] = sampling.repetition_penalty
            if sampling.top_k:
                body["top_k"] = sampling.top_k
        return body

    def _send(self, body: dict[str, Any]) -> httpx2.Response:
        import httpx2

        try:
            request = self._client.build_request("POST", self._endpoint, json=body)
            return self._client.send(request, stream=True)
        except httpx2.TimeoutException:
            raise SourceError(
                f"{self.address}: no answer in time; hint: check that the server runs, or give it more time"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise SourceError(f"{self.address}: cannot be reached: {error}") from None

    def _refusal(self, response: httpx2.Response) -> SourceError | OverloadedError:
        import httpx2

        try:
            text = " ".join(response.read().decode(errors="replace").split())[:200]
        except httpx2.HTTPError:
            text = ""
        finally:
            response.close()
        status = response.status_code
        if status in (429, 503):
            return OverloadedError(
                f"{self.address}: the server is overloaded ({status}); hint: try again in a moment"
            )
        hint = "; hint: set the key that the server expects" if status in (401, 403) else ""
        return SourceError(f"{self.address}: the server answered {status}: {text}{hint}")


def list_models(address: str, key: str | None = None, *, timeout: float = CONNECT_TIMEOUT) -> list[str]:
    """Return the names of the models that a server offers.

    Raises:
        SourceError: it cannot be reached, or is not OpenAI-compatible.
    """
    import httpx2

    try:
        response = httpx2.get(endpoint(address, "models"), headers=_headers(key), timeout=timeout)
        response.raise_for_status()
        return [str(model["id"]) for model in response.json()["data"]]
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise SourceError(f"{public_address(address)}: cannot be asked for its models: {error}") from None
    except (ValueError, LookupError, TypeError):
        raise SourceError(
            f"{public_address(address)}: does not list its models as OpenAI-compatible servers do"
        ) from None


def _headers(key: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}
