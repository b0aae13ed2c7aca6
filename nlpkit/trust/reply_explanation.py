"""An explanation of a chat model's reply: what each earlier turn adds to its likelihood."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal, TypeAlias

from nlpkit.trust.explained import heaviest_first
from nlpkit.trust.faithfulness import Faithfulness

Speaks: TypeAlias = Literal["system", "user", "assistant"]


@dataclass(frozen=True, kw_only=True)
class ExplainedTurn:
    """The system prompt, or a message before the reply."""

    number: int
    """0 is the system prompt, 1 the first message of the conversation."""
    role: Speaks
    text: str
    weight: float | None
    """What it adds to the log-likelihood of the reply, in nats; None where the model did not read it."""
    per_token: float | None
    """The same, in nats per token of the reply."""
    start: int
    end: int
    """Its characters in `ReplyExplanation.text`: from `start` up to, without, `end`."""

    @property
    def shown(self) -> str:
        """Its number, role and text on one line."""
        return f"{self.number or ''} {self.role}: {' '.join(self.text.split())}".lstrip()

    @property
    def detail(self) -> str:
        """What it adds per token."""
        return "" if self.per_token is None else f"{self.per_token:+.2f} a token"


@dataclass(frozen=True, kw_only=True)
class ReplyExplanation:
    """Why a chat model gives a reply, as far as its earlier turns drive it.

    Likelihoods are natural logarithms, in nats, and include the token that ends the reply.
    """

    parts_are: ClassVar[str] = "turns"
    method: ClassVar[str] = "occlusion"

    reply: str
    tokens: int
    """Of the reply, the one that ends it included."""
    log_likelihood: float
    """Of the reply after all turns that the model read."""
    base: float
    """Of the reply after none of them."""
    turns: tuple[ExplainedTurn, ...]
    """The system prompt if there is one, and all messages before the reply, in their order."""
    faithfulness: Faithfulness
    """In nats per token of the reply."""
    is_generated: bool = False
    """Whether the run made the reply for this explanation."""
    is_cut: bool = False
    """Whether it made it, and reached the maximum length."""
    where: str = ""
    """The file and the row of the conversation."""

    @property
    def headline(self) -> str:
        """The reply."""
        return self.reply

    @property
    def text(self) -> str:
        """The turns before the reply, each on lines of its own."""
        return transcript(self.turns)

    @property
    def parts(self) -> tuple[ExplainedTurn, ...]:
        """The turns."""
        return self.turns

    @property
    def by_weight(self) -> list[ExplainedTurn]:
        """The turns that were read, those that drive the reply most first."""
        return heaviest_first(self.turns)

    @property
    def unread(self) -> int:
        """How many turns did not fit in the window."""
        return sum(turn.weight is None for turn in self.turns)

    @property
    def facts(self) -> str:
        """How likely the reply is, with its turns and without."""
        return (
            f"log-likelihood {self._nats(self.log_likelihood)} with all turns, "
            f"{self._nats(self.base)} without any \u00b7 {self.tokens:,} tokens \u00b7 {self.method}"
        )

    def _nats(self, value: float) -> str:
        return f"{value:.1f} nats ({value / self.tokens:.2f} a token)".replace("-", "\u2212")

    def notes(self) -> list[str]:
        """Return in words where the reply comes from, and what of the conversation was not read."""
        notes = []
        if self.is_generated:
            notes.append("the run gave this reply now")
        if self.is_cut:
            notes.append("the reply reached its maximum length and was cut")
        if self.unread:
            notes.append(
                f"{self.unread:,} of {len(self.turns):,} turns did not fit in the window, and have no weight"
            )
        return notes

    def findings(self) -> list[str]:
        """Return in words how faithful the weights are."""
        return [f"faithfulness in nats per token {self.faithfulness.line('turns')}"]

    def as_dict(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        turns = [
            {
                "number": turn.number,
                "role": turn.role,
                "text": turn.text,
                "weight": turn.weight,
                "weight_per_token": turn.per_token,
            }
            for turn in self.turns
        ]
        return {
            "reply": self.reply,
            "generated": self.is_generated,
            "cut": self.is_cut,
            "method": self.method,
            "tokens": self.tokens,
            "log_likelihood": self.log_likelihood,
            "base": self.base,
            "turns": turns,
            "faithfulness": asdict(self.faithfulness),
            "unread": self.unread,
            "notes": self.notes(),
            "where": self.where,
        }


def transcript(turns: Sequence[ExplainedTurn]) -> str:
    """Return turns as one text, in which each stands at its characters."""
    return "\n".join(line_of(turn.role, turn.text) for turn in turns)


def line_of(role: Speaks, text: str) -> str:
    """Return a turn as it stands in the transcript."""
    return f"{role}: {text}"
