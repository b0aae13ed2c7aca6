"""The interface of a chat model, wherever it runs: a conversation in, a reply out in chunks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from nlpkit.data.examples import Conversation
from nlpkit.errors import NlpkitError
from nlpkit.generation.context import Context
from nlpkit.generation.reply_format import ReplyFormat
from nlpkit.generation.sampling import Sampling

FinishReason: TypeAlias = Literal["stop", "length", "stopped"]
"""Why a reply ended: the model ended it, it reached its maximum length, or someone stopped it."""


class OverloadedError(NlpkitError):
    """More replies are waiting than the chat model accepts. The same request may succeed in a moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a reply cost."""

    prompt_tokens: int
    cached_tokens: int
    """How many of the prompt's tokens were in the prefix cache and not read again."""
    new_tokens: int
    """Tokens that were generated, including the one that ends the reply."""
    first_token_seconds: float
    """From the request to the first new token, including the time in the queue."""
    seconds: float
    """From the request to the end."""


class Completion(Protocol):
    """A reply in chunks of text. Iterating raises what went wrong.

    A chunk never ends inside a character and never holds a control token.
    """

    @property
    def context(self) -> Context | None:
        """What of the conversation the model sees. Of a server only the tokens may be known, at the end."""

    @property
    def usage(self) -> Usage | None:
        """What it cost; None before the end."""

    @property
    def finish(self) -> FinishReason | None:
        """Why it ended; None before the end."""

    def __iter__(self) -> Iterator[str]: ...

    def __next__(self) -> str: ...

    def stop(self) -> None:
        """Stop generation now. Chunks that came before can still be read."""

    def close(self) -> None:
        """Stop generation, as nobody reads on."""


@runtime_checkable
class CountsTokens(Protocol):
    """A chat model whose tokens can be counted before it replies: one on this machine."""

    @property
    def window(self) -> int:
        """Tokens of a conversation and its reply together."""

    def tokens(self, text: str) -> int:
        """Return how many tokens the text has."""


class ChatModel(Protocol):
    """A model that replies in conversations."""

    @property
    def name(self) -> str:
        """Which model replies."""

    def stream(
        self,
        conversation: Conversation,
        *,
        sampling: Sampling,
        session: str = "",
        reply_format: ReplyFormat | None = None,
    ) -> Completion:
        """Start generating the reply to the last turn.

        Args:
            conversation: ends with the user's turn, or with a reply to continue.
            sampling: how tokens are chosen.
            session: names the conversation, so that its earlier turns are not read again.
            reply_format: None: any text.

        Raises:
            DataError: the last turn does not fit, or the model cannot continue a reply.
            OverloadedError: too many replies are waiting.
            SourceError: a server cannot be reached; reading the reply may raise it, too.
            ReplyFormatError: no reply can be in this format.
        """


@runtime_checkable
class LoadedLater(Protocol):
    """A chat model that is loaded only when it answers."""

    def load_now(self) -> ChatModel:
        """Load the chat model.

        Raises:
            NlpkitError: it cannot be loaded, or is gone.
        """


def loaded(chat_model: ChatModel) -> ChatModel:
    """Return a chat model that is ready to answer."""
    return chat_model.load_now() if isinstance(chat_model, LoadedLater) else chat_model
