"""Near-duplicates: which texts are the same text for a reader, though not for a computer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

PERMUTATIONS = 128
LONGEST = 2_000
"""Words of a text that are compared: longer texts count as near-equal when they begin alike."""

_MISSES = 1e-6  # how often a pair exactly at the threshold may be overlooked
_PAIRS = 4_000_000  # pairs compared at once; bounds the memory
# Scripts written without spaces: each character counts as a word, else a whole sentence would be one.
_UNSPACED = re.compile(
    "([\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff])"
)
_WORD = re.compile(r"[^\W_]+")


def normalized(text: str) -> str:
    """Return the words in one case and Unicode form, without punctuation; a text without words keeps its
    signs.
    """
    text = unicodedata.normalize("NFKC", text).casefold()
    if not text.isascii():
        text = _UNSPACED.sub(r" \1 ", text)
    words = _WORD.findall(text)
    return " ".join(words or text.split())


def near_groups(texts: Sequence[str], *, threshold: float, seed: int) -> list[int]:
    """Group texts, numbered by first appearance: equal and near-equal ones share a group, through chains too.

    Two texts are near-equal when their pairs of adjacent words have a Jaccard similarity of at least
    `threshold`; a text of one word is compared by the word. Candidates come from MinHash with banding (Broder
    1997; Leskovec, Rajaraman and Ullman, Mining of Massive Datasets, chapter 3) and are then compared
    exactly, so that no group is a guess; a pair at the threshold is overlooked about once in a million times.
    """
    keys = [normalized(text) for text in texts]
    distinct = {key: index for index, key in enumerate(dict.fromkeys(keys))}
    labels = _components(list(distinct), threshold, seed)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(labels[distinct[key]], len(numbers)) for key in keys]


def turn_groups(examples: Sequence[Any], *, near_duplicates: float, seed: int) -> list[int]:
    """Group turns by their conversation, together with those of equal and near-equal conversations."""
    spoken: dict[str, list[str]] = {}
    for example in examples:
        spoken.setdefault(example.conversation, []).append(example.text)
    texts = ["\n".join(turns) for turns in spoken.values()]
    groups = dict(zip(spoken, near_groups(texts, threshold=near_duplicates, seed=seed), strict=True))
    return [groups[example.conversation] for example in examples]


def _components(keys: list[str], threshold: float, seed: int) -> list[int]:
    """Return for each distinct text the number of its component in the graph of near-equal texts."""
    import numpy as np

    if len(keys) < 2:
        return list(range(len(keys)))
    shingles = _shingles(keys)
    signatures = _signatures(shingles, seed)
    labels = np.arange(len(keys))
    rows = _rows_per_band(threshold)
    for start in range(0, PERMUTATIONS - rows + 1, rows):
        labels = _joined(shingles, _hashed(signatures[:, start : start + rows]), labels, threshold)
    return [int(label) for label in labels]


def _rows_per_band(threshold: float) -> int:
    """Return the longest bands (fewest candidates) that still find nearly every pair at the threshold."""
    fits = [rows for rows in range(1, 17) if (1 - threshold**rows) ** (PERMUTATIONS // rows) <= _MISSES]
    return max(fits, default=1)


def _shingles(keys: list[str]) -> Any:
    """Mark which word pairs occur in which text: a sparse matrix of ones, (texts, pairs)."""
    import numpy as np
    from scipy.sparse import csr_array

    numbers: dict[str, int] = {}
    rows = []
    for key in keys:
        words = np.array(
            [numbers.setdefault(word, len(numbers)) for word in key.split(" ", LONGEST)[:LONGEST]],
            dtype=np.int64,
        )
        # Two word numbers in one integer: exact, and the same whatever PYTHONHASHSEED.
        rows.append(np.unique((words[:-1] << 32) | (words[1:] + 1)) if len(words) > 1 else words << 32)
    pairs, columns = np.unique(np.concatenate(rows), return_inverse=True)
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return csr_array((np.ones(len(columns), dtype=np.int32), columns, starts), shape=(len(keys), len(pairs)))


def _signatures(shingles: Any, seed: int) -> Any:
    """Return the MinHash of each text: (texts, PERMUTATIONS)."""
    import numpy as np
    from datasketch import MinHash

    rows = np.split(shingles.indices, shingles.indptr[1:-1])
    # The default scheme mixes its input, so the column number serves as the hash.
    hashes = MinHash.generator(rows, num_perm=PERMUTATIONS, seed=seed, hashfunc=int)
    return np.stack([text.hashvalues for text in hashes])


def _hashed(band: Any) -> Any:
    """Hash each row of a band to a number; a collision only adds a candidate."""
    import numpy as np

    mixed = np.zeros(len(band), dtype=np.uint64)
    for column in band.T:
        mixed = (mixed ^ column) * np.uint64(0x9E3779B97F4A7C15)
        mixed ^= mixed >> np.uint64(29)
    return mixed


def _joined(shingles: Any, hashes: Any, labels: Any, threshold: float) -> Any:
    """Return the components after the texts with the same hash have been compared."""
    import numpy as np
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    buckets = np.unique(hashes, return_inverse=True)[1]
    # A bucket whose texts are in one component adds nothing: big families are compared once, not in each
    # band.
    mixed = np.bincount(np.unique(np.stack([buckets, labels]), axis=1)[0]) > 1
    candidates = np.flatnonzero(mixed[buckets])
    if not len(candidates):
        return labels
    candidates = candidates[np.argsort(buckets[candidates], kind="stable")]
    edges = [candidates[pairs] for pairs in _near_pairs(shingles[candidates], buckets[candidates], threshold)]
    left, right = np.concatenate(edges, axis=1)
    graph = coo_array(
        (np.ones(len(left), dtype=bool), (labels[left], labels[right])), shape=(len(labels), len(labels))
    )
    return connected_components(graph, directed=False)[1][labels]


def _near_pairs(shingles: Any, buckets: Any, threshold: float) -> Iterator[Any]:
    """Yield pairs of rows of one bucket that are near-equal: arrays of (2, pairs). Rows must be sorted by
    bucket.
    """
    import numpy as np
    from scipy.sparse import csr_array

    sizes = np.diff(shingles.indptr)
    # A column for each bucket and word pair: rows of different buckets share nothing, and one product counts
    # all.
    private = np.repeat(buckets, sizes) * shingles.shape[1] + shingles.indices
    columns, places = np.unique(private, return_inverse=True)
    apart = csr_array((shingles.data, places, shingles.indptr), shape=(len(sizes), len(columns)))
    across = apart.T.tocsr()
    costs = np.cumsum(np.bincount(buckets)[buckets])
    cuts = np.searchsorted(costs, np.arange(_PAIRS, costs[-1], _PAIRS))
    for rows in np.split(np.arange(len(sizes)), np.unique(cuts)):
        if not len(rows):
            continue
        common = (apart[rows] @ across).tocoo()
        left, right = rows[common.row], common.col
        union = sizes[left] + sizes[right] - common.data
        yield np.stack([left, right])[:, (common.data >= threshold * union - 1e-9) & (left < right)]
