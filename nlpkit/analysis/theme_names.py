"""Names of themes: the words that are frequent in one and rare in the others (class-based TF-IDF)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray

TERMS = 10
"""Of each theme, in its table."""
IN_NAME = 3
_NO_WORDS = re.compile(r"https?://\S+|www\.\S+|&\w+;|\brt\b", re.IGNORECASE)
_WORD = r"(?u)\b[^\W\d_]\w+\b"


def terms_of(texts: Sequence[str], themes: NDArray[Any], count: int) -> list[list[tuple[str, float]]]:
    """Return the terms of each theme with their weights, the heaviest first: words, and pairs of adjacent
    words.

    Links and English stop words are left out, and what stands in one text only where there are enough texts.

    Args:
        texts: of all themes.
        themes: (texts,): the number of each one's theme, -1 for none.
        count: how many themes there are.
    """
    import numpy as np
    from scipy.sparse import csr_array
    from sklearn.feature_extraction.text import CountVectorizer

    words = CountVectorizer(
        lowercase=True, stop_words="english", ngram_range=(1, 2), token_pattern=_WORD,
        min_df=2 if len(texts) >= 100 else 1,
    )  # fmt: skip
    try:
        counts = words.fit_transform([_NO_WORDS.sub(" ", text) for text in texts])
    except ValueError:  # no words at all
        return [[] for _ in range(count)]
    rows = np.where(themes < 0, count, themes)  # what has no theme is compared with too
    by_theme = csr_array((np.ones(len(texts)), (rows, np.arange(len(texts)))), shape=(count + 1, len(texts)))
    weights = weighted((by_theme @ counts).toarray())
    names = words.get_feature_names_out()
    best = np.argsort(-weights, axis=1, kind="stable")[:count, :TERMS]
    return [
        [(str(names[term]), float(weights[theme, term])) for term in terms if weights[theme, term] > 0]
        for theme, terms in enumerate(best.tolist())
    ]


def weighted(counts: NDArray[Any]) -> NDArray[Any]:
    """Return (classes, terms): class-based TF-IDF (Grootendorst 2022, arXiv:2203.05794).

    A term's share of its class, times log(1 + A / f): A is the mean number of terms of a class, f how often
    the term stands in all classes.

    Args:
        counts: (classes, terms): how often each term stands in each class.
    """
    import numpy as np

    counts = counts.astype(float)
    of_class = counts.sum(axis=1, keepdims=True)
    everywhere = counts.sum(axis=0)
    rare = np.log(1 + of_class.mean() / np.maximum(everywhere, 1))
    weights: NDArray[Any] = counts / np.maximum(of_class, 1) * rare
    return weights


def names_of(terms: Sequence[Sequence[tuple[str, float]]]) -> list[str]:
    """Return a name for each theme, unlike the others: its heaviest terms that share no word."""
    names: list[str] = []
    for number, of_theme in enumerate(terms, 1):
        chosen: list[str] = []
        for term, _ in of_theme:
            if len(chosen) < IN_NAME and not _words(chosen) & _words([term]):
                chosen.append(term)
        name = ", ".join(chosen) or f"theme {number}"
        names.append(name if name not in names else f"{name} ({number})")
    return names


def _words(terms: Sequence[str]) -> set[str]:
    return {word for term in terms for word in term.split()}
