"""Fit on held-out texts how the scores of a candidate become a probability, and which ones are given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.tasks.answers.span_decoding import Candidates, without_rivals

if TYPE_CHECKING:
    import numpy as np

FEWEST = 10
"""Right and wrong candidates below which nothing is fitted."""


def fit_candidates(windows: Sequence[Candidates], true: Sequence[set[tuple[int, ...]]]) -> dict[str, Any]:
    """Return weights and offset of a logistic regression of "this candidate is right" on its scores, and the
    threshold that gives the highest F1, by name; nothing where there is too little to fit.

    Args:
        windows: the candidates of each window.
        true: the opinions of each window, as `opinions_in_window` returns them.
    """
    import numpy as np
    from scipy.special import expit
    from sklearn.linear_model import LogisticRegression

    right = [right_in(window, wanted) for window, wanted in zip(windows, true, strict=True)]
    flags = np.concatenate(right)
    if min(flags.sum(), (~flags).sum()) < FEWEST:
        return {}
    scores = np.concatenate([window.scores for window in windows])
    model = LogisticRegression(C=1.0, max_iter=1000).fit(scores, flags)
    weights, offset = model.coef_[0], float(model.intercept_[0])
    kept: list[tuple[float, bool]] = []
    for window, hits in zip(windows, right, strict=True):
        probabilities = expit(window.scores @ weights + offset)
        kept += [
            (float(probabilities[at]), bool(hits[at])) for at in without_rivals(window.places, probabilities)
        ]
    threshold = best_threshold(kept, sum(map(len, true)))
    return {"weights": tuple(weights.tolist()), "offset": offset, "threshold": threshold}


def right_in(window: Candidates, true: set[tuple[int, ...]]) -> np.ndarray:
    """Return (candidates,): whether each is a true opinion."""
    import numpy as np

    places = np.concatenate([window.places, window.polarity[:, None]], axis=1)
    return np.array([tuple(numbers) in true for numbers in places.tolist()], dtype=bool)


def best_threshold(answers: Sequence[tuple[float, bool]], true: int) -> float:
    """Return the probability above which answers have the highest F1, halfway between two of them.

    Args:
        answers: probability, and whether it is right.
        true: how many there are to find.
    """
    ranked = sorted(answers, reverse=True)
    hits, best, threshold = 0, 0.0, 0.5
    for given, (probability, is_right) in enumerate(ranked, 1):
        hits += is_right
        score = 2 * hits / (given + true)
        if score > best:
            following = ranked[given][0] if given < len(ranked) else 0.0
            best, threshold = score, (probability + following) / 2
    return threshold
