"""A chat model on a server that speaks OpenAI's chat protocol, such as vLLM or `nlpkit serve`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from nlpkit.data.examples import Conversation
from nlpkit.errors import ConfigError, DataError
from nlpkit.generation.addresses import endpoint, public_address, split_address
from nlpkit.generation.remote_completion import RemoteCompletion
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.sampling import Sampling
from nlpkit.generation.server_errors import (
    ServerError,
    hidden,
    is_page,
    not_a_reply,
    read_text,
    refusal,
    unreachable,
)
from nlpkit.generation.server_events import Connection

if TYPE_CHECKING:
    import httpx2

TIMEOUT = 60.0
"""Seconds without a word from the server."""

CONNECT_TIMEOUT = 10.0

REFUSABLE = ("repetition_penalty", "top_k", "seed", "stream_options", "temperature", "top_p")
"""Settings that are left out where a server refuses them by name."""

FIRST_REFUSED = (("repetition_penalty", "top_k"), ("stream_options",))
"""Settings that are left out one after the other where a server does not say what it refuses."""


class RemoteBot:
    """A model behind an OpenAI-compatible address, up to and with `/v1`."""

    def __init__(self, address: str, model: str, key: str | None = None, *, timeout: float = TIMEOUT) -> None:
        """Name a server; it is not asked before the first reply.

        Raises:
            ConfigError: the address or the key is invalid.
        """
        import httpx2

        address, _ = split_address(address)
        self.address: str = public_address(address)
        self.model = model
        self._key = key
        self._endpoint = endpoint(address, "chat/completions")
        self._client = httpx2.Client(
            headers=authorization(key, self.address),
            timeout=httpx2.Timeout(timeout, connect=CONNECT_TIMEOUT),
            # A stop ends the connection, which therefore serves no other request
            limits=httpx2.Limits(max_keepalive_connections=0),
        )
        self._refused: frozenset[str] = frozenset()

    @property
    def name(self) -> str:
        """The model and its address, without secrets."""
        return server_name(self.model, self.address)

    @property
    def left_out(self) -> list[str]:
        """Return the sampling settings that the server refused, and that are not sent to it any more."""
        return [name for name in REFUSABLE if name in self._refused and name != "stream_options"]

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling | None = None,
        session: str = "",
        reply_format: ReplyFormat | None = None,
    ) -> RemoteCompletion:
        """Return the reply to the last turn; the server is asked when it is read.

        The server decides what of the conversation the model sees, and keeps to the format. Reading raises
        ServerError where it cannot be reached, refuses, or answers something else; a stop works at any time.

        Raises:
            DataError: the conversation ends with a reply, which servers cannot continue.
        """
        if conversation.turns and conversation.turns[-1].role == "assistant":
            raise DataError(f"{self.address}: a server cannot continue a reply; hint: retry the message")
        body = self._body(conversation, sampling or Sampling())
        if reply_format:
            body["response_format"] = reply_format.request_field
        return RemoteCompletion(
            lambda connection: self._send(body, connection), self.address, conversation, key=self._key
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _body(self, conversation: Conversation, sampling: Sampling) -> dict[str, Any]:
        """Return the request with all settings."""
        system = [{"role": "system", "content": conversation.system}] if conversation.system else []
        turns = [{"role": turn.role, "content": turn.text} for turn in conversation.turns]
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [*system, *turns],
            "stream": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "max_tokens": sampling.max_new_tokens,
            "stream_options": {"include_usage": True},
            "repetition_penalty": sampling.repetition_penalty,
        }
        if sampling.seed is not None:
            body["seed"] = sampling.seed
        if sampling.top_k:
            body["top_k"] = sampling.top_k
        return body

    def _send(self, body: dict[str, Any], connection: Connection) -> httpx2.Response:
        """Ask with all settings that the server accepts, and return its answer, which is a stream.

        Raises:
            ServerError: it cannot be reached, or refuses.
        """
        refused = self._refused
        while (response := self._post(_accepted(body, refused), connection)).status_code != 200:
            error = refusal(response, self.address)
            words = str(error).removeprefix(self.address) if response.status_code in (400, 422) else ""
            more = _refused_in(words, refused) if words else frozenset()
            if not more:
                raise error
            refused |= more
        self._refused = refused
        if is_page(response):
            response.close()
            raise not_a_reply(self.address, "<html")
        return response

    def _post(self, body: dict[str, Any], connection: Connection) -> httpx2.Response:
        import httpx2

        try:
            request = self._client.build_request(
                "POST", self._endpoint, json=body, extensions={"trace": connection.trace}
            )
            return self._client.send(request, stream=True)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise unreachable(self.address, error) from None


def server_name(model: str, address: str) -> str:
    """Return the name of a server's model, without secrets."""
    return f"{model} at {public_address(address)}"


def list_models(address: str, key: str | None = None, *, timeout: float = CONNECT_TIMEOUT) -> list[str]:
    """Return the names of the models that a server offers.

    Raises:
        ConfigError: the address or the key is invalid.
        ServerError: it cannot be reached, or is not OpenAI-compatible.
    """
    import httpx2

    address, _ = split_address(address)
    public = public_address(address)
    headers = authorization(key, public)
    try:
        with (
            httpx2.Client(headers=headers, timeout=timeout) as client,
            client.stream("GET", endpoint(address, "models")) as response,
        ):
            if response.status_code != 200:
                raise hidden(refusal(response, public), key)
            text = read_text(response)
            if is_page(response, text):
                raise not_a_reply(public, "<html")
        names = [str(model["id"]) for model in json.loads(text)["data"]]
        return [name for name in names if name.isprintable()]
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
        raise unreachable(public, error) from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise ServerError(
            f"{public}: does not list its models as OpenAI-compatible servers do; hint: check the address"
        ) from None


def _accepted(body: dict[str, Any], refused: frozenset[str]) -> dict[str, Any]:
    """Return the request without the settings that were refused."""
    accepted = {name: value for name, value in body.items() if name not in refused}
    if "max_tokens" in refused:  # never left out: OpenAI's newer models have another name for it
        accepted["max_completion_tokens"] = body["max_tokens"]
    return accepted


def _refused_in(words: str, refused: frozenset[str]) -> frozenset[str]:
    """Return which further settings a server refuses, by what it says; empty if it refuses something else."""
    names = REFUSABLE + (("max_tokens",) if "max_completion_tokens" in words else ())
    named = frozenset(name for name in names if re.search(rf"\b{name}\b", words)) - refused
    return named or next((left for names in FIRST_REFUSED if (left := frozenset(names) - refused)), named)


def authorization(key: str | None, address: str) -> dict[str, str]:
    """Return the header that holds a key.

    Raises:
        ConfigError: no header can hold it.
    """
    if key and not (key.isascii() and key.isprintable()):
        raise ConfigError(f"the key for {address}: has characters that no key has; hint: copy it again")
    return {"Authorization": f"Bearer {key}"} if key else {}
