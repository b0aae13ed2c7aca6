"""Clusters of vectors: found in a sample, described by their centers, and measured on bootstraps of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sklearn.decomposition import PCA

NONE = -1
"""The cluster of what lies in none."""
AXES = 20
"""Principal components in which clusters are looked for: in hundreds of dimensions all lie equally far."""
FEWEST = 50
"""Vectors below which there are no clusters."""
SMALLEST, SHARE = 10, 0.01
"""A cluster has at least so many vectors, and this share of all."""
CORE = 5
"""HDBSCAN's `min_samples`."""
MOST_NONE, MOST_IN_ONE, FEWEST_CLUSTERS = 0.5, 0.6, 3
"""HDBSCAN's answer is taken when it leaves out at most this share, no cluster holds more than this share, and
there are so many clusters; else KMeans cuts the vectors."""
COUNTS = (3, 4, 6, 8, 12, 16, 24, 32)
"""Numbers of clusters that KMeans tries; the one with the highest silhouette is taken."""
SILHOUETTE = 2000
FARTHEST = 0.01
"""The share of a cluster's own vectors that lie too far from its center; what lies farther has no cluster."""
BOOTSTRAPS = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Clusters:
    """Clusters as centers: any vector belongs to the nearest one, or to none where it lies too far."""

    method: str
    """`HDBSCAN`, or `KMeans`."""
    axes: PCA
    """The principal components of the vectors that the clusters were found in."""
    centers: NDArray[Any]
    """(clusters, axes), of length 1."""
    floors: NDArray[Any]
    """(clusters,): the cosine to the center below which a vector lies too far."""

    def __len__(self) -> int:
        return len(self.centers)

    def cosines(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Return (vectors, clusters): how near each vector lies to each center."""
        cosines: NDArray[Any] = _unit(self.axes.transform(vectors)) @ self.centers.T
        return cosines

    def assign(self, vectors: NDArray[Any]) -> NDArray[Any]:
        """Return (vectors,): the number of each one's cluster, NONE where it lies too far from all."""
        import numpy as np

        cosines = self.cosines(vectors)
        nearest = cosines.argmax(axis=1)
        assigned: NDArray[Any] = np.where(cosines.max(axis=1) >= self.floors[nearest], nearest, NONE)
        return assigned


@dataclass(frozen=True, kw_only=True)
class Stability:
    """How alike the clusters are that are found in bootstraps of the vectors."""

    ari: float
    """The mean adjusted Rand index of a bootstrap's clusters and these (Hubert and Arabie 1985): 1 for the
    same, 0 for chance."""
    lowest: float
    highest: float
    bootstraps: int
    of_cluster: tuple[float, ...]
    """The mean Jaccard similarity of each cluster and the most alike one of a bootstrap (Hennig 2007)."""


def find_clusters(vectors: NDArray[Any], *, count: int | None = None, seed: int) -> Clusters:
    """Find clusters, the largest first.

    Args:
        vectors: (vectors, size).
        count: how many clusters KMeans cuts; default: as many as HDBSCAN finds, or where that finds no usable
            ones, as have the highest silhouette.
        seed: starts KMeans.

    Raises:
        DataError: there are too few vectors.
    """
    import numpy as np
    from sklearn.decomposition import PCA

    least = max(FEWEST, 2 * (count or 0))
    if len(vectors) < least:
        raise DataError(f"{len(vectors)} different texts; expected at least {least} for themes")
    axes = PCA(min(AXES, *vectors.shape), random_state=seed, svd_solver="full").fit(vectors)
    points = _unit(axes.transform(vectors))
    method, labels = _labels(points, count, seed)
    order = np.argsort(-np.bincount(labels[labels >= 0]), kind="stable")
    centers = _unit(np.stack([points[labels == cluster].mean(axis=0) for cluster in order]))
    floors = [
        np.quantile(points[labels == cluster] @ center, FARTHEST)
        for cluster, center in zip(order, centers, strict=True)
    ]
    return Clusters(method=method, axes=axes, centers=centers, floors=np.array(floors))


def stability_of(
    clusters: Clusters, vectors: NDArray[Any], *, count: int | None = None, seed: int
) -> Stability:
    """Find clusters in bootstraps of the vectors, and compare them with these on all vectors.

    A vector that is drawn twice counts once: HDBSCAN would take equal vectors for a dense place.
    """
    import numpy as np
    from sklearn.metrics import adjusted_rand_score

    random = np.random.default_rng(seed)
    own = clusters.assign(vectors)
    indexes, alike = [], []
    for number in range(BOOTSTRAPS):
        drawn = np.unique(random.integers(len(vectors), size=len(vectors)))
        again = find_clusters(vectors[drawn], count=count, seed=seed + number + 1).assign(vectors)
        indexes.append(float(adjusted_rand_score(own, again)))
        alike.append(_jaccard(own, again, len(clusters)))
    return Stability(
        ari=float(np.mean(indexes)),
        lowest=min(indexes),
        highest=max(indexes),
        bootstraps=BOOTSTRAPS,
        of_cluster=tuple(np.mean(alike, axis=0).tolist()),
    )


def _labels(points: NDArray[Any], count: int | None, seed: int) -> tuple[str, NDArray[Any]]:
    """Return how the points were clustered, and the cluster of each, NONE for none."""
    import numpy as np

    if count is None:
        labels = _dense(points)
        sizes = np.bincount(labels[labels >= 0]) / len(points)
        if len(sizes) >= FEWEST_CLUSTERS and sizes.max() <= MOST_IN_ONE and sizes.sum() >= 1 - MOST_NONE:
            return "HDBSCAN", labels
    return "KMeans", _cut(points, count, seed)


def _dense(points: NDArray[Any]) -> NDArray[Any]:
    from sklearn.cluster import HDBSCAN

    size = max(SMALLEST, int(SHARE * len(points)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        labels: NDArray[Any] = HDBSCAN(min_cluster_size=size, min_samples=CORE, copy=True).fit_predict(points)
    return labels


def _cut(points: NDArray[Any], count: int | None, seed: int) -> NDArray[Any]:
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    def cut(number: int) -> NDArray[Any]:
        labels: NDArray[Any] = KMeans(number, n_init=3, random_state=seed).fit_predict(points)
        return labels

    if count is not None:
        return cut(count)
    tried = [cut(number) for number in COUNTS if number * SMALLEST <= len(points)]
    size = min(SILHOUETTE, len(points))
    return max(
        tried,
        key=lambda labels: silhouette_score(
            points, labels, metric="cosine", sample_size=size, random_state=seed
        ),
    )


def _jaccard(own: NDArray[Any], again: NDArray[Any], count: int) -> list[float]:
    """Return for each own cluster its Jaccard similarity with the most alike one that was found."""
    import numpy as np

    table = np.zeros((count + 1, int(again.max()) + 2))
    np.add.at(table, (own, again), 1)  # NONE is the last row, and the last column
    union = table.sum(axis=1, keepdims=True) + table.sum(axis=0) - table
    best: list[float] = (table / np.maximum(union, 1))[:count, :-1].max(axis=1, initial=0).tolist()
    return best


def _unit(points: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    unit: NDArray[Any] = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-12)
    return unit
