"""Shares of labels from a hundred labels: drawn by strata, as `--aim shares` does, or at random."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeAlias

import numpy as np

from nlpkit.labeling.strata import StrataSampler, stratified_shares

Array: TypeAlias = Any


def shares(vectors: Array, labels: Array, *, count: int, draws: int) -> dict[str, dict[str, float]]:
    """Return how wide and how right intervals of shares are, from labels drawn by strata and at random.

    The probabilities are those of a probe on 200 labels; the shares are those of all other texts.
    """
    from sklearn.linear_model import LogisticRegression

    known = np.random.default_rng(1).permutation(len(labels))
    model = LogisticRegression(C=10.0, max_iter=100, tol=1e-3)
    model.fit(vectors[known[:200]], labels[known[:200]])
    rest = known[200:]
    probabilities, truth = model.predict_proba(vectors[rest]), labels[rest]
    of = int(labels.max()) + 1
    names = [str(label) for label in range(of)]
    true = np.bincount(truth, minlength=of) / len(rest)
    figures_of: dict[str, list[list[float]]] = {"strata": [], "random": []}
    for seed in range(draws):
        sampler = StrataSampler[int](count, seed=seed)
        sampler.add(probabilities, range(len(rest)))
        by_strata = [(each.stratum, each.texts, each.item) for each in sampler.draw()]
        chosen = np.random.default_rng(seed).choice(len(rest), count, replace=False).tolist()
        for way, drawn in (("strata", by_strata), ("random", [(1, len(rest), item) for item in chosen])):
            counts: dict[int, Counter[str]] = {}
            for stratum, _, item in drawn:
                counts.setdefault(stratum, Counter())[str(truth[item])] += 1
            sizes = {stratum: texts for stratum, texts, _ in drawn}
            for share, real in zip(stratified_shares(counts, sizes, names), true, strict=True):
                inside = share.low <= real <= share.high
                figures_of[way].append([abs(share.share - real), (share.high - share.low) / 2, float(inside)])
    figures = ("error", "half_width", "coverage")
    return {
        way: dict(zip(figures, np.mean(each, axis=0).tolist(), strict=True))
        for way, each in figures_of.items()
    }
