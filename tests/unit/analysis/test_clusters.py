"""Clusters of vectors: planted ones are found, and what lies far from all has none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from nlpkit.analysis.clusters import NONE, find_clusters, stability_of
from nlpkit.errors import DataError


def planted(sizes: tuple[int, ...], *, seed: int = 1, size: int = 60) -> tuple[Any, Any]:
    """Return vectors of length 1 around so many directions, and which one each is of."""
    random = np.random.default_rng(seed)
    centers = np.linalg.qr(random.normal(size=(size, len(sizes))))[0].T
    known = np.repeat(np.arange(len(sizes)), sizes)
    vectors = centers[known] + random.normal(scale=0.04, size=(len(known), size))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True), known


def test_planted_clusters_are_found_the_largest_first() -> None:
    vectors, known = planted((40, 120, 80))
    clusters = find_clusters(vectors, seed=1)
    found = clusters.assign(vectors)
    is_in_one = found != NONE
    assert len(clusters) == 3
    assert is_in_one.mean() > 0.95
    assert adjusted_rand_score(known[is_in_one], found[is_in_one]) == 1
    assert [int(known[found == number][0]) for number in range(3)] == [1, 2, 0]


def test_what_lies_far_from_all_clusters_has_none() -> None:
    vectors, _ = planted((60, 60, 60))
    clusters = find_clusters(vectors, seed=1)
    others = np.random.default_rng(9).normal(size=(50, vectors.shape[1]))
    others /= np.linalg.norm(others, axis=1, keepdims=True)
    assert (clusters.assign(others) == NONE).mean() > 0.9


def test_stability_is_high_for_planted_clusters_and_low_for_noise() -> None:
    vectors, _ = planted((60, 60, 60))
    stability = stability_of(find_clusters(vectors, seed=1), vectors, seed=1)
    assert stability.ari > 0.9
    assert min(stability.of_cluster) > 0.9
    noise = np.random.default_rng(2).normal(size=(200, 60))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    assert stability_of(find_clusters(noise, seed=1), noise, seed=1).ari < 0.5


def test_as_many_clusters_as_are_asked_for() -> None:
    vectors, _ = planted((60, 60, 60))
    clusters = find_clusters(vectors, count=5, seed=1)
    assert (clusters.method, len(clusters)) == ("KMeans", 5)


def test_too_few_vectors_are_refused() -> None:
    with pytest.raises(DataError, match="12 different texts; expected at least 50"):
        find_clusters(planted((6, 6))[0], seed=1)
    with pytest.raises(DataError, match="expected at least 80"):
        find_clusters(planted((60,))[0], count=40, seed=1)


def test_the_same_seed_finds_the_same() -> None:
    vectors, _ = planted((60, 60, 60))
    one, two = (find_clusters(vectors, count=4, seed=3) for _ in range(2))
    assert (one.centers == two.centers).all()
