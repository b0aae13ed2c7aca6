"""Membership inference: whether who sees a model's answers can guess which rows it was trained on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.errors import DataError
from nlpkit.metrics.intervals import NORMAL, exact_share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

FALSE_ALARMS = 0.01
"""The share of the other rows that an attack may take for members, where its recall is measured."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """How well scores tell members from other rows."""

    auc: float
    """The probability that a member's score is above another row's: 0.5 is a coin."""
    low: float
    high: float
    """The 95% interval (DeLong et al. 1988)."""
    recall: float
    """The share of members above all others but a share of `FALSE_ALARMS`."""
    members: int
    others: int


def attack(members: Array, others: Array) -> Attack:
    """Return how well scores tell members from other rows; the higher, the likelier a member.

    Args:
        members: (rows,), the scores of rows that were trained on.
        others: (rows,), those of rows from the same source that were not.

    Raises:
        DataError: there are fewer than two of either.
    """
    import numpy as np

    if min(len(members), len(others)) < 2:
        raise DataError(f"{len(members):,} members and {len(others):,} others; expected at least two of each")
    ordered, ranked = np.sort(others), np.sort(members)
    below = np.searchsorted(ordered, members, "left"), np.searchsorted(ordered, members, "right")
    above = np.searchsorted(ranked, others, "left"), np.searchsorted(ranked, others, "right")
    wins = (below[0] + below[1]) / 2 / len(others)  # of each member: the share of others that it beats
    losses = 1 - (above[0] + above[1]) / 2 / len(members)  # of each other row: the share that beats it
    auc = float(wins.mean())
    error = math.sqrt(wins.var(ddof=1) / len(members) + losses.var(ddof=1) / len(others))
    low, high = max(0.0, auc - NORMAL * error), min(1.0, auc + NORMAL * error)
    if auc in (0.0, 1.0):  # no overlap: so many rows can only say that much
        count = min(len(members), len(others))
        low, high = exact_share(round(auc * count), count)
    threshold = ordered[-1 - int(FALSE_ALARMS * len(others))]
    return Attack(
        auc=auc, low=low, high=high, recall=float((members > threshold).mean()),
        members=len(members), others=len(others),
    )  # fmt: skip


def log_probabilities(logits: Array, labels: Array) -> Array:
    """Return the log-probability of each row's own label, (rows,): the negative loss (Yeom et al. 2018,
    arXiv:1709.01604). `logits` is (rows, labels).
    """
    from scipy.special import log_softmax

    chosen: Array = log_softmax(logits, axis=1)[range(len(labels)), labels]
    return chosen


def confidences(logits: Array, labels: Array) -> Array:
    """Return the log-odds of each row's own label, (rows,), which are nearly normal over trainings (Carlini
    et al. 2022, arXiv:2112.03570).
    """
    import numpy as np
    from scipy.special import logsumexp

    rows = np.arange(len(labels))
    others = np.array(logits, dtype=float)
    others[rows, labels] = -np.inf
    odds: Array = logits[rows, labels] - logsumexp(others, axis=1)
    return odds


def likelihood_ratios(target: Array, shadows: Array, inside: Array) -> Array:
    """Return how much likelier each row's confidence is of a model trained on it: LiRA, with one variance for
    all rows, as few shadow models allow no better (Carlini et al. 2022).

    Args:
        target: (rows,), the confidences of the attacked model.
        shadows: (models, rows), those of models trained in the same way on other draws of rows.
        inside: (models, rows), whether a model was trained on a row.

    Raises:
        DataError: a row is in, or out of, the rows of fewer than two models.
    """
    import numpy as np

    means, variances = [], []
    for chosen in (inside, ~inside):
        counts = chosen.sum(0)
        if counts.min() < 2:
            raise DataError(
                "a row is in, or out of, the rows of fewer than two shadow models; expected two of each"
            )
        mean = np.where(chosen, shadows, 0).sum(0) / counts
        squares = np.where(chosen, (shadows - mean) ** 2, 0).sum(0) / (counts - 1)
        means.append(mean)
        variances.append(max(float(squares.mean()), 1e-12))
    densities = [
        -((target - mean) ** 2) / (2 * variance) - math.log(variance) / 2
        for mean, variance in zip(means, variances, strict=True)
    ]
    ratios: Array = densities[0] - densities[1]
    return ratios


def highest_auc(epsilon: float, delta: float) -> float:
    """Return the highest AUC that any attack can have against a model with such a promise: what the trade-off
    curve of Kairouz et al. (arXiv:1311.0776) leaves.
    """
    return 1 - (1 - delta) ** 2 / (1 + math.exp(epsilon)) if math.isfinite(epsilon) else 1.0
