"""How far raters agree on the texts that several of them labeled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from nlpkit.metrics.agreement import krippendorff_alpha
from nlpkit.metrics.intervals import percentiles
from nlpkit.metrics.metric import RESAMPLES
from nlpkit.metrics.score import Score


def agreement(labels: Iterable[Sequence[str]]) -> Score:
    """Return Krippendorff's alpha for names of labels, over the texts that have several.

    Its 95% interval is a percentile bootstrap over texts (Zapf et al. 2016, doi:10.1186/s12874-016-0200-9).

    Args:
        labels: those of each text, one of each rater.
    """
    import numpy as np

    shared = [given for given in labels if len(given) > 1]
    names = {name: number for number, name in enumerate(sorted({name for given in shared for name in given}))}
    alpha = krippendorff_alpha([[names[name] for name in given] for given in shared], "nominal")
    if alpha is None:
        why = "all labels are equal" if shared else "no text has labels of two raters"
        return Score(value=None, count=len(shared), undefined=why)
    # Texts with the same labels are drawn together
    patterns = Counter(tuple(sorted(given)) for given in shared)
    counts = np.array([[pattern.count(name) for name in names] for pattern in patterns], dtype=float)
    raters = counts.sum(axis=1)
    # As in `krippendorff_alpha`: ordered pairs of a text that differ, over its raters but one
    differing = (raters**2 - (counts**2).sum(axis=1)) / (raters - 1)
    shares = np.array(list(patterns.values())) / len(shared)
    drawn = np.random.default_rng(0).multinomial(len(shared), shares, RESAMPLES).astype(float)
    totals = drawn @ counts
    whole = totals.sum(axis=1)
    expected = (whole**2 - (totals**2).sum(axis=1)) / (whole - 1)
    is_defined = expected > 0
    low, high = percentiles(1 - (drawn @ differing)[is_defined] / expected[is_defined])
    if low == high:
        return Score(value=alpha, count=len(shared), undefined="no interval: the texts are too few or alike")
    return Score(value=alpha, low=low, high=high, count=len(shared))


def agreement_line(score: Score, raters: Sequence[str]) -> str:
    """Return the agreement in a sentence; empty where there is one rater."""
    who = " and ".join(raters)
    if score.value is not None:
        alpha = f"Krippendorff's alpha is {score.shown_with_interval}"
        return f"{alpha} on {score.count:,} texts with several labels"
    if score.count:
        return f"Krippendorff's alpha is undefined on {score.count:,} texts: {score.undefined}"
    if len(raters) > 1:
        return f"{who} have no text in common: their agreement is undefined"
    return ""
