"""Metrics of what a chat model makes of people's replies.

To add one, write an object and name it in `RANKING_METRICS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.metric import Measured, Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

NO_OTHERS = "other conversations hold no other reply"
_BY_LIKELIHOOD = "ranked by likelihood a token, which favors what is often said"
_BY_PMI = "ranked by how much likelier the history makes each (PMI)"


@dataclass(frozen=True, kw_only=True, eq=False)
class RankingOutcomes:
    """What a model makes of the true reply of each item, and where it ranks it among replies from other
    conversations.
    """

    losses: Array
    """(items,): nats of the true reply."""
    tokens: Array
    """(items,): of the true reply."""
    ranks: Array
    """(items,): of the true reply among all candidates, by likelihood a token."""
    pmi_ranks: Array
    """(items,): of the true reply among all candidates, by how much likelier the history makes each."""
    candidates: int
    """How many replies each rank is among, the true one included."""

    def __len__(self) -> int:
        return len(self.losses)

    def same_rows(self, outcomes: RankingOutcomes) -> bool:
        """Whether both have the same items, as far as the length of the true replies tells."""
        return len(self) == len(outcomes)

    def chosen(self, rows: Array) -> RankingOutcomes:
        """Return the outcomes of these items only."""
        return RankingOutcomes(
            losses=self.losses[rows],
            tokens=self.tokens[rows],
            ranks=self.ranks[rows],
            pmi_ranks=self.pmi_ranks[rows],
            candidates=self.candidates,
        )


def perplexity_metric(parts: Callable[[Measured], Ratio], *, title: str, meaning: str) -> Metric[Measured]:
    """Return exp(nats / tokens), all items together: a long reply counts as much as its tokens."""
    return ratio_metric(
        parts,
        after=_exponential,
        name="perplexity",
        title=title,
        meaning=meaning,
        higher_is_better=False,
        hub_name="perplexity",
    )


def _exponential(values: Array) -> Array:
    import numpy as np

    powers: Array = np.exp(values)
    return powers


PERPLEXITY: Metric[RankingOutcomes] = perplexity_metric(
    lambda outcomes: Ratio.of(outcomes.losses, outcomes.tokens),
    title="Perplexity",
    meaning="Of people's replies, by token: among how many equally likely tokens the model seems to choose. "
    "Compare within one tokenizer.",
)
TOKEN_LOSS: Metric[RankingOutcomes] = ratio_metric(
    lambda outcomes: Ratio.of(outcomes.losses, outcomes.tokens),
    name="token_loss",
    title="Token loss",
    meaning="Nats a token of the person's reply.",
    higher_is_better=False,
)


def hits_metric(among: int, *, pmi: bool = False) -> Metric[RankingOutcomes]:
    """Return the share of items whose true reply stands among the first; a tie with another reply is no hit
    at the edge.
    """
    rank = "first" if among == 1 else f"among the first {among}"
    return ratio_metric(
        lambda outcomes: _ranked(outcomes, (_ranks(outcomes, pmi=pmi) <= among)),
        nothing=NO_OTHERS,
        name=f"{'pmi_' if pmi else ''}hits@{among}",
        title=f"hits@{among}/{{candidates}}{' by PMI' if pmi else ''}",
        meaning=f"Share of items whose true reply ranks {rank} of {{candidates}}, the others from other "
        "conversations; "
        f"{{chance:.0%}} by chance; {_BY_PMI if pmi else _BY_LIKELIHOOD}.",
        words=lambda outcomes: _words(outcomes, among),
        percent=True,
    )


def mrr_metric(*, pmi: bool = False) -> Metric[RankingOutcomes]:
    """Return the mean of 1 / rank (MRR)."""
    return ratio_metric(
        lambda outcomes: _ranked(outcomes, 1 / _ranks(outcomes, pmi=pmi)),
        nothing=NO_OTHERS,
        name="pmi_mrr" if pmi else "mrr",
        title="MRR by PMI" if pmi else "MRR",
        meaning="Mean of 1 / the rank of the true reply among the candidates: 1 is always first; "
        f"{_BY_PMI if pmi else _BY_LIKELIHOOD}.",
    )


def _ranks(outcomes: RankingOutcomes, *, pmi: bool) -> Array:
    return outcomes.pmi_ranks if pmi else outcomes.ranks


def _ranked(outcomes: RankingOutcomes, values: Array) -> Ratio:
    """Return the mean of the values; nothing to measure where each true reply stands alone."""
    return Ratio.of(values, None if outcomes.candidates > 1 else values * 0.0)


def _words(outcomes: RankingOutcomes, among: int) -> Mapping[str, object]:
    chance = min(1.0, among / outcomes.candidates) if outcomes.candidates else math.nan
    return {"candidates": outcomes.candidates, "chance": chance}


RANKING_METRICS: tuple[Metric[RankingOutcomes], ...] = (
    PERPLEXITY,
    hits_metric(1),
    hits_metric(5),
    mrr_metric(),
    hits_metric(1, pmi=True),
    mrr_metric(pmi=True),
)
"""In the order in which they are shown."""
