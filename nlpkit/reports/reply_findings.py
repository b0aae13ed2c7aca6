"""What an evaluation of a chat model found besides its scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

from pydantic import AliasChoices, ConfigDict, Field

from nlpkit.metrics.score import Part, Score
from nlpkit.reports.parts import Baseline

History: TypeAlias = Literal["shuffled", "other", "none"]
"""The same turns in another order, the turns of another conversation, or no turn at all."""


class ContextGain(Part):
    """What the true history is worth compared with another one; a model that ignores its context gains
    nothing.
    """

    history: History
    loss: Score
    """Nats a token: loss with this history minus loss with the true one, paired; above 0 when the model uses
    the true one.
    """
    hits: Score
    """hits@1 with the true history minus hits@1 with this one, paired."""


class TurnsBack(Part):
    """The loss when the model sees only the last turns before the reply."""

    turns: int
    """0: nothing at all."""
    loss: Score
    """Nats a token."""


class ContextUse(Part):
    """How much of what was said before a model uses (after Sankar et al. 2019, arXiv:1906.01603)."""

    gains: tuple[ContextGain, ...] = ()
    turns_back: tuple[TurnsBack, ...] = ()

    @property
    def details(self) -> dict[str, Score]:
        """The gains by name, for a report."""
        losses = {f"loss gain over {gain.history}": gain.loss for gain in self.gains}
        return losses | {f"hits@1 gain over {gain.history}": gain.hits for gain in self.gains}


NO_CONTEXT = ContextUse()


class Exchange(Part):
    """A conversation of the held-out rows, and what was answered."""

    model_config: ClassVar[ConfigDict] = ConfigDict(populate_by_name=True)

    where: str = ""
    system: str = ""
    history: tuple[tuple[str, str], ...]
    """(role, text) of each turn before the reply."""
    truth: str
    """What the person answered."""
    reply: str
    baseline: str | None = Field(default=None, validation_alias=AliasChoices("baseline", "rival"))
    """The baseline's reply; `rival` in reports of nlpkit 0.1."""


class JudgeVerdict(Part):
    """What a judge preferred, who saw each pair of replies in both orders."""

    judge: str
    wins: int
    losses: int
    ties: int
    """Those that the judge called equal, or decided by the order."""
    rate: Score
    """The share of wins, ties counting half."""
    unreadable: int = 0
    """Answers of the judge that named no winner."""


@dataclass(frozen=True, kw_only=True)
class ReplyFindings:
    """All that the sections and the summary of a chat model's report are made from."""

    scores: dict[str, Score]
    candidates: int = 20
    """Replies that hits@k and mrr rank, the true one among them."""
    context: ContextUse = NO_CONTEXT
    baseline: Baseline | None = None
    baseline_context: ContextUse = NO_CONTEXT
    exchanges: tuple[Exchange, ...] = ()
    verdict: JudgeVerdict | None = None

    @property
    def models(self) -> dict[str, ContextUse]:
        """Each model's use of its context, by name."""
        name = self.baseline.name if self.baseline else ""
        return {"this run": self.context, **({name: self.baseline_context} if self.baseline else {})}
