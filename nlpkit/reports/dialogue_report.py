"""What an evaluation of a dialogue run found: one frozen value that goes to JSON and back, and to pages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from pydantic import AwareDatetime, Field

from nlpkit.metrics.score import Part, Score
from nlpkit.reports.report import Baseline, Cost, DataCard, Document, Step


class ContextGain(Part):
    """What the true history is worth beside another one; a model that ignores its context gains nothing."""

    history: Literal["shuffled", "other", "none"]
    """The same turns in another order, the turns of another conversation, or no turn at all."""
    loss: Score
    """Nats a token: loss with this history minus loss with the true one, paired; above 0 when the model uses the true one."""
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


class Rival(Baseline):
    """Another model on the same rows: the base before it was tuned, or an older run. Its tests are run minus rival."""

    context: ContextUse = ContextUse()


class Exchange(Part):
    """A conversation of the held-out rows, and what was answered."""

    where: str = ""
    system: str = ""
    history: tuple[tuple[str, str], ...]
    """(role, text) of each turn before the reply."""
    truth: str
    """What the person answered."""
    reply: str
    rival: str | None = None
    """The rival's reply."""


class Verdict(Part):
    """What a judge said, who saw each pair of replies in both orders."""

    judge: str
    wins: int
    losses: int
    ties: int
    """Those that the judge called equal, or decided by the seat."""
    rate: Score
    """The share of wins, ties counting half."""
    unreadable: int = 0
    """Answers of the judge that named no winner."""


class DialogueReport(Document):
    """Everything that one evaluation of one dialogue run on one data set found."""

    format: Literal[1] = 1
    kind: Literal["dialogue"] = "dialogue"
    run: str
    data: str
    created: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    seed: int
    conversations: int | None = None
    """How many were measured on."""
    replies: int | None = None
    """How many replies of people in them."""
    candidates: int = 20
    """Replies that hits@k and mrr rank, the true one among them."""
    scores: dict[str, Score]
    """perplexity, hits@1, hits@5, mrr, the ranks by PMI, and what describes the generated replies, in the order in which they are shown."""
    context: ContextUse = ContextUse()
    rival: Rival | None = None
    exchanges: tuple[Exchange, ...] = ()
    verdict: Verdict | None = None
    curve: tuple[Step, ...] = ()
    data_card: DataCard = DataCard()
    cost: Cost = Cost()
    config: str = ""
    versions: dict[str, str] = Field(default={})
