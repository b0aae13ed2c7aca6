"""What a model makes of the true reply: how likely it is, and where it stands among replies from other conversations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.data.examples import Conversation
from nlpkit.errors import RunError
from nlpkit.evaluation.speaker import Likelihood, Speaker
from nlpkit.metrics.sums import Look, Sums, ratio

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

PERPLEXITY = Look(
    title="Perplexity",
    higher_is_better=False,
    meaning="Of people's replies, by token: among how many equally likely tokens the model seems to choose. Compare within one tokenizer.",
)
NOISE = 1e-5
"""Nats a token: losses that differ by less are equal. The same sums in other places of a batch differ by about 1e-6 in single precision."""

_BY_LIKELIHOOD = "ranked by likelihood a token, which favours what is often said"
_BY_PMI = "ranked by how much likelier the history makes each (PMI)"


def hits_look(among: int, candidates: int, *, pmi: bool = False) -> Look:
    """How a share of hits is called and read."""
    place = "first" if among == 1 else f"among the first {among}"
    chance = min(1.0, among / candidates)
    meaning = f"Share of items whose true reply ranks {place} of {candidates}, the others from other conversations; {chance:.0%} by chance"
    title = f"hits@{among}/{candidates}"
    return Look(
        title=f"{title} by PMI" if pmi else title,
        percent=True,
        meaning=f"{meaning}; {_BY_PMI if pmi else _BY_LIKELIHOOD}.",
    )


def mrr_look(*, pmi: bool = False) -> Look:
    """How a mean reciprocal rank is called and read."""
    meaning = "Mean of 1 / the rank of the true reply among the candidates: 1 is always first"
    return Look(
        title="MRR by PMI" if pmi else "MRR", meaning=f"{meaning}; {_BY_PMI if pmi else _BY_LIKELIHOOD}."
    )


def heard(speaker: Speaker, history: Conversation, replies: Sequence[str]) -> list[Likelihood]:
    """What the speaker makes of the replies, checked.

    Raises:
        RunError: an answer is no likelihood.
    """
    found = list(speaker.log_likelihoods(history, replies))
    if len(found) != len(replies):
        raise RunError(f"{speaker.name}: {len(found)} likelihoods for {len(replies)} replies")
    for one in found:
        if one.tokens < 1 or not math.isfinite(one.total):
            where = f" ({history.where})" if history.where else ""
            raise RunError(
                f"{speaker.name}: a likelihood of {one.total} over {one.tokens} tokens{where}; expected a finite number"
            )
    return found


def expected_rank(likelihoods: Sequence[Likelihood]) -> float:
    """Where the first of the replies stands by its mean log-probability a token; of equals, the middle of their places."""
    return _rank([one.total / one.tokens for one in likelihoods])


def pmi_rank(given: Sequence[Likelihood], alone: Sequence[Likelihood]) -> float:
    """Where the first of the replies stands by its pointwise mutual information with the history, log p(reply | history) - log p(reply).

    The others were drawn from what people say anyway, so that by Bayes' rule the likeliest to be the true one is the one whose likelihood
    the history raised most (Li et al. 2016, arXiv:1510.03055). To a model that ignores the history all are equal: the middle.

    Args:
        given: what the speaker makes of each reply after the history.
        alone: of the same replies, after no turn at all.
    """
    gains = []
    for one, other in zip(given, alone, strict=True):
        raised = one.total - other.total
        gains.append(raised if abs(raised) > NOISE * one.tokens else 0.0)
    return _rank(gains)


def _rank(values: Sequence[float]) -> float:
    """Of equals, the middle of their places."""
    own, *others = values
    return 1 + sum(other > own for other in others) + sum(other == own for other in others) / 2


def perplexity(losses: Array, tokens: Array) -> Sums:
    """exp(nats / tokens), all items together: a long reply counts as much as its tokens.

    Args:
        losses: (items,): nats of each reply.
        tokens: (items,): how many tokens each has.
    """
    import numpy as np

    return ratio(PERPLEXITY, losses, tokens, after=np.exp)


def hits(ranks: Array, among: int, candidates: int, *, pmi: bool = False) -> Sums:
    """The share of items whose true reply stands among the first; a tie with another reply is no hit at the edge."""
    return ratio(hits_look(among, candidates, pmi=pmi), ranks <= among)


def mean_reciprocal_rank(ranks: Array, *, pmi: bool = False) -> Sums:
    """The mean of 1 / rank (MRR)."""
    return ratio(mrr_look(pmi=pmi), 1 / ranks)
