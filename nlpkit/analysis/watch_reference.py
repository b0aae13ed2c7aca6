"""What a stream of texts is watched against: a reference's answers, tokens and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.analysis.watch_bets import BINS
from nlpkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 200
"""Rows of a reference below which nothing is watched."""
FEWEST_OF_LABEL = 20
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
        import numpy as np

        numbers = np.arange(len(self))[rows]
        return TextAnswers(
            probabilities=self.probabilities[numbers],
            tokens=[self.tokens[row] for row in numbers],
            truth=None if self.truth is None else self.truth[numbers],
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Reference:
    """One half of the reference decides how texts are measured; the other half is what they are compared
    with.
    """

    labels: tuple[str, ...]
    surprisals: Mapping[int, float]
    """Bits of each token of the first half."""
    unseen: float
    """Bits of a token that it does not hold."""
    edges: NDArray[Any]
    """(labels + measures, bins - 1): between equally many rows of the first half."""
    probabilities: NDArray[Any]
    """(rows, labels), of the second half, as all that follows."""
    measures: NDArray[Any]
    """(rows, measures)."""
    truth: NDArray[Any] | None
    """(rows,); None where the reference has no labels."""

    @classmethod
    def of(cls, texts: TextAnswers, labels: Sequence[str], *, source: str, seed: int) -> Reference:
        """Return the reference that texts make; the seed draws the halves.

        Raises:
            DataError: there are too few texts, or a label has none, where labels are known.
        """
        import numpy as np

        if len(texts) < FEWEST:
            raise DataError(
                f"{source}: {len(texts):,} rows; expected at least {FEWEST} to compare a stream with; "
                "hint: texts of some weeks that were as they should be"
            )
        if texts.truth is not None:
            counts = np.bincount(texts.truth, minlength=len(labels))
            if (counts < FEWEST_OF_LABEL).any():
                label = labels[int(counts.argmin())]
                raise DataError(
                    f"{source}: {counts.min()} rows of {label!r}; expected at least {FEWEST_OF_LABEL} of "
                    "each label; hint: leave out --label, or add rows"
                )
        order = np.random.default_rng(seed).permutation(len(texts))
        first, second = texts.taken(order[::2]), texts.taken(order[1::2])
        ids, times = np.unique(np.concatenate([np.array(each, dtype=int) for each in first.tokens]),
                               return_counts=True)  # fmt: skip
        bits = np.log2(times.sum() + (len(ids) + 1) / 2)
        surprisals = dict(zip(ids.tolist(), (bits - np.log2(times + 0.5)).tolist(), strict=True))
        reference = cls(
            labels=tuple(labels), surprisals=surprisals, unseen=float(bits + 1), edges=np.zeros((0, 0)),
            probabilities=second.probabilities, measures=np.zeros((0, 0)), truth=second.truth,
        )  # fmt: skip
        columns = np.hstack([first.probabilities, reference.measured(first)])
        edges = np.quantile(columns, np.arange(1, BINS) / BINS, axis=0).T
        return cls(**{**vars(reference), "edges": edges, "measures": reference.measured(second)})

    def measured(self, texts: TextAnswers) -> NDArray[Any]:
        """Return (texts, measures)."""
        import numpy as np

        lengths = np.array([len(each) for each in texts.tokens])
        known = self.surprisals
        bits = np.array([known.get(token, self.unseen) for each in texts.tokens for token in each])
        owner = np.repeat(np.arange(len(texts)), lengths)
        sums = np.bincount(owner, weights=bits, minlength=len(texts))
        certainty = texts.probabilities.max(axis=1)
        return np.stack([sums / np.maximum(lengths, 1), np.log(lengths + 1), certainty], axis=1)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values for JSON."""
        return {
            "labels": list(self.labels),
            "surprisals": {str(token): round(bits, 4) for token, bits in self.surprisals.items()},
            "unseen": self.unseen,
            "edges": self.edges.tolist(),
            "probabilities": self.probabilities.tolist(),
            "measures": self.measures.tolist(),
            "truth": None if self.truth is None else self.truth.tolist(),
        }

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Reference:
        """Return what `as_dict` gave."""
        import numpy as np

        return cls(
            labels=tuple(tree["labels"]),
            surprisals={int(token): bits for token, bits in tree["surprisals"].items()},
            unseen=tree["unseen"],
            edges=np.array(tree["edges"]),
            probabilities=np.array(tree["probabilities"]),
            measures=np.array(tree["measures"]),
            truth=None if tree["truth"] is None else np.array(tree["truth"]),
        )
