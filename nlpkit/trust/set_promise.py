"""A promise about errors where a text has any number of labels: of those given, at most a share is false.

It holds for files like the labeled rows. It is not corrected for other shares of labels: they are refused.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.shares import BLOCK, SAMPLE, Tally, drawn_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_FALSE = 2
"""So many false ones must be allowed in the file: of fewer answers chance says too much."""
STRICT = 0.001
"""How rarely a file like the labeled rows is taken for one that is not."""


def is_unlike_rows(rows: CalibrationRows, tally: Tally) -> bool:
    """Return whether the probabilities of some label are not distributed as in the labeled rows.

    Kolmogorov-Smirnov tests, one for each label, at a level of STRICT together.
    """
    import numpy as np

    size = math.sqrt(1 / len(rows) + 1 / len(tally.sample))
    critical = math.sqrt(-math.log(STRICT / len(rows.labels) / 2) / 2)
    for known, of_file in zip(
        np.sort(rows.probabilities, axis=0).T, np.sort(tally.sample, axis=0).T, strict=True
    ):
        points = np.concatenate([known, of_file])
        below = [np.searchsorted(each, points, side="right") / len(each) for each in (known, of_file)]
        if np.abs(below[0] - below[1]).max() > critical * size:
            return True
    return False


def false_bounds(
    rows: CalibrationRows, texts: int, *, thresholds: int, level: float, count: int, seed: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return thresholds, and for each what the share of false labels among those given rarely exceeds.

    Resampled are the labeled rows, and from them files; one false label more than was seen is counted. As
    resamples of few rows hold too few that are false, it is never below the exact bound of the share (Clopper
    and Pearson 1934) by the labels that were given; nor below what the probabilities themselves say, which
    luck with a few rows does not change; nor so low that of the labels that the file is expected to get fewer
    than FEWEST_FALSE may be false.

    Args:
        rows: what the classifier answers to rows whose labels are known.
        texts: how many the file has.
        thresholds: how many are tried.
        level: the percentile that is returned, as a share.
        count: how many resamples, a multiple of BLOCK.
        seed: draws the resamples.
    """
    import numpy as np
    from scipy.stats import beta

    least = np.unique(np.quantile(rows.probabilities[rows.given], np.linspace(0, 0.99, thresholds)))
    given = np.stack([((rows.probabilities >= each) & rows.given).sum(axis=1) for each in least], axis=1)
    mistaken = rows.given & ~rows.truth
    false = np.stack([((rows.probabilities >= each) & mistaken).sum(axis=1) for each in least], axis=1)
    random, size = np.random.default_rng(seed), min(texts, SAMPLE)
    shares = []
    for _ in range(count // BLOCK):
        files = random.multinomial(size, drawn_weights(len(rows), random)).astype(float)
        more = size / len(rows)
        shares.append((files @ false + more) / (files @ given + more))
    seen, of = false.sum(axis=0), given.sum(axis=0)
    exact = beta.ppf(level, seen + 1, np.maximum(of - seen, 1e-9))
    enough = np.minimum(FEWEST_FALSE * len(rows) / (of * texts), 1)
    stated = stated_errors(rows.probabilities[rows.given], least)
    drawn = np.quantile(np.concatenate(shares), level, axis=0)
    return least, np.maximum.reduce([drawn, exact, enough, stated])


def stated_errors(certain: NDArray[Any], thresholds: NDArray[Any]) -> NDArray[Any]:
    """Return the share of errors among answers from each threshold up, by their own probabilities."""
    import numpy as np

    doubts = np.sort(1 - certain)
    answers = np.maximum(np.searchsorted(doubts, 1 - thresholds, side="right"), 1)
    stated: NDArray[Any] = np.cumsum(doubts)[answers - 1] / answers
    return stated
