"""What a stream of texts is watched against: a reference's answers, tokens and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpkit.errors import DataError
from nlpkit.watching.bets import BINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST, FEWEST_OF_LABEL = 200, 20
"""Rows of a reference, and of each label, below which nothing is watched."""
UNUSUAL, LENGTH, CERTAINTY = "unusual words", "length", "certainty"
"""What is measured of each text besides its answer: the mean surprisal of its tokens, in bits, by how often
the reference uses them (the cross-entropy of Moore and Lewis 2010); the logarithm of its tokens; and the
probability of its most probable label."""
MEASURES = (UNUSUAL, LENGTH, CERTAINTY)


@dataclass(frozen=True, kw_only=True, eq=False)
class TextAnswers:
    """Texts as the model reads and answers them."""

    probabilities: NDArray[Any]
    """(texts, labels)."""
    tokens: Sequence[Sequence[int]]
    """The ids of each."""
    truth: NDArray[Any] | None = None
    """(texts,): the number of each one's true label; None where they are not known."""

    def __len__(self) -> int:
        return len(self.probabilities)

    def taken(self, rows: NDArray[Any] | slice) -> TextAnswers:
        """Return the texts with these numbers."""
        numbers = np.arange(len(self))[rows]
        return TextAnswers(
            probabilities=self.probabilities[numbers],
            tokens=[self.tokens[row] for row in numbers],
            truth=None if self.truth is None else self.truth[numbers],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """What is known of the reference.

    Tokens are counted in one half of it. The unusual words of a stream are compared with those of the other.
    """

    labels: tuple[str, ...]
    surprisals: Mapping[int, float]
    """Bits of each token of the counted half."""
    unseen: float
    """Bits of a token that it does not hold."""
    edges: NDArray[Any]
    """(bins - 1,): of unusual words, between equally many rows of the counted half."""
    probabilities: NDArray[Any]
    """(rows, labels)."""
    measures: NDArray[Any]
    """(rows, measures)."""
    is_fresh: NDArray[Any]
    """(rows,): whether a row is of the other half, so that its unusual words can be compared."""
    truth: NDArray[Any] | None
    """(rows,); None where the reference has no labels."""

    @classmethod
    def of(cls, texts: TextAnswers, labels: Sequence[str], *, source: str, seed: int) -> Reference:
        """Return the reference that texts make; the seed draws the halves.

        Raises:
            DataError: there are too few texts, or too few of a label, where labels are known.
        """
        if len(texts) < FEWEST:
            raise DataError(
                f"{source}: {len(texts):,} rows; expected at least {FEWEST} to compare a stream with; "
                "hint: texts of some weeks that were as they should be"
            )
        counts = None if texts.truth is None else np.bincount(texts.truth, minlength=len(labels))
        if counts is not None and counts.min() < FEWEST_OF_LABEL:
            raise DataError(
                f"{source}: {counts.min()} rows of {labels[int(counts.argmin())]!r}; expected at least "
                f"{FEWEST_OF_LABEL} of each label; hint: leave out --label, or add rows"
            )
        is_fresh = np.random.default_rng(seed).permutation(len(texts)) % 2 == 1
        counted = [np.array(each, dtype=int) for each in texts.taken(~is_fresh).tokens]
        ids, times = np.unique(np.concatenate(counted), return_counts=True)
        bits = np.log2(times.sum() + (len(ids) + 1) / 2)
        reference = cls(
            labels=tuple(labels), unseen=float(bits + 1), edges=np.zeros(0), measures=np.zeros(0),
            surprisals=dict(zip(ids.tolist(), (bits - np.log2(times + 0.5)).tolist(), strict=True)),
            probabilities=texts.probabilities, is_fresh=is_fresh, truth=texts.truth,
        )  # fmt: skip
        measures = reference.measured(texts)
        words = measures[~is_fresh, MEASURES.index(UNUSUAL)]
        return replace(reference, edges=np.quantile(words, np.arange(1, BINS) / BINS), measures=measures)

    def __len__(self) -> int:
        return len(self.probabilities)

    def edges_of(self, score: str) -> NDArray[Any]:
        """Return the ends of the bins in which a measure, or the probability of a label, is ranked.

        None depends on a row that is ranked.
        """
        if score == UNUSUAL:
            return self.edges
        if score == LENGTH:
            return np.linspace(0, 10, BINS - 1)
        steps: NDArray[Any] = 1 / (1 + np.exp(-np.linspace(-6, 6, BINS - 1)))
        return steps

    def rows_for(self, score: str) -> NDArray[Any]:
        """Return (rows,): whether a row can be compared by a measure, or by a label's probability."""
        return self.is_fresh if score == UNUSUAL else np.ones(len(self), dtype=bool)

    def measured(self, texts: TextAnswers) -> NDArray[Any]:
        """Return (texts, measures)."""
        lengths = np.array([len(each) for each in texts.tokens])
        bits = [self.surprisals.get(token, self.unseen) for each in texts.tokens for token in each]
        owner = np.repeat(np.arange(len(texts)), lengths)
        unusual = np.bincount(owner, weights=bits, minlength=len(texts)) / np.maximum(lengths, 1)
        return np.stack([unusual, np.log(lengths + 1), texts.probabilities.max(axis=1)], axis=1)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Reference:
        """Return the reference whose fields stand in JSON."""
        arrays = {name: np.array(value) for name, value in tree.items() if isinstance(value, list)}
        surprisals = {int(token): bits for token, bits in tree["surprisals"].items()}
        return cls(**{**tree, **arrays, "labels": tuple(tree["labels"]), "surprisals": surprisals})
