"""What a bot is, wherever it computes: a conversation in, an answer out that comes piece by piece and can be stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from nlpkit.data.examples import Conversation
from nlpkit.errors import NlpkitError
from nlpkit.generation.context import Context
from nlpkit.generation.sampling import Sampling

FinishReason: TypeAlias = Literal["stop", "length", "stopped"]
"""Why an answer ended: the bot ended it, it was as long as it may be, or someone stopped it."""


class OverloadedError(NlpkitError):
    """More answers are waiting than the bot takes; the same question may be asked again in a moment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What an answer cost."""

    prompt_tokens: int
    cached_tokens: int
    """How many of the prompt's tokens were read before and not read again."""
    new_tokens: int
    """Tokens that were made, the one that ends the answer included."""
    first_token_seconds: float
    """From the question to the first new token, waiting included."""
    seconds: float
    """From the question to the end."""


class Completion(Protocol):
    """Pieces of text as they come. Iterating raises what went wrong; a piece is never a part of a character or a control token."""

    @property
    def context(self) -> Context | None:
        """What of the conversation the model sees; None where a server decides."""

    @property
    def usage(self) -> Usage | None:
        """What it cost; None before the end."""

    @property
    def finish(self) -> FinishReason | None:
        """Why it ended; None before the end."""

    def __iter__(self) -> Iterator[str]: ...

    def __next__(self) -> str: ...

    def stop(self) -> None:
        """End the answer now, the computing too. What had come before can still be read."""

    def close(self) -> None:
        """Nobody reads on: as `stop`."""


class ChatModel(Protocol):
    """What holds the other side of a conversation."""

    @property
    def name(self) -> str:
        """Which model answers."""

    def stream(self, conversation: Conversation, *, sampling: Sampling, session: str = "") -> Completion:
        """The answer to the last turn, which is being made from now on.

        Raises:
            DataError: the last turn does not fit.
            OverloadedError: too many answers are waiting.
            SourceError: a server cannot be reached.
        """
