"""How likely a model finds the true reply, and where it ranks it among replies from other conversations."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.generation.speaker import Likelihood

NOISE = 1e-5
"""Nats a token: losses that differ by less are equal.

The same sums in other places of a batch differ by about 1e-6 in single precision.
"""


def expected_rank(likelihoods: Sequence[Likelihood]) -> float:
    """Return where the first of the replies stands by its mean log-probability a token; of equals, the middle
    of their places.
    """
    return _rank([likelihood.total / likelihood.tokens for likelihood in likelihoods])


def pmi_rank(given: Sequence[Likelihood], alone: Sequence[Likelihood]) -> float:
    """Return where the first of the replies stands by its pointwise mutual information with the history.

    That is log p(reply | history) - log p(reply).

    The others were drawn from what people say anyway, so that by Bayes' rule the likeliest to be the true one
    is the one whose likelihood
    the history raised most (Li et al. 2016, arXiv:1510.03055). To a model that ignores the history all are
    equal: the middle.

    Args:
        given: what the speaker makes of each reply after the history.
        alone: of the same replies, after no turn at all.
    """
    gains = []
    for after, without in zip(given, alone, strict=True):
        raised = after.total - without.total
        gains.append(raised if abs(raised) > NOISE * after.tokens else 0.0)
    return _rank(gains)


def _rank(values: Sequence[float]) -> float:
    """Return the rank of the first value; of equals, the middle of their ranks."""
    own, *others = values
    return 1 + sum(value > own for value in others) + sum(value == own for value in others) / 2
