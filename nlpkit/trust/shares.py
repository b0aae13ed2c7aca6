"""The share of each label in a file, corrected for what the classifier confuses, with its interval.

Counting what a classifier says is biased: its mistakes do not cancel out where the shares of a file are not
those of its training (Forman 2008, doi:10.1007/s10618-008-0097-y). A label shift is assumed: texts of a label
look the same in both, only the shares of the labels differ.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.errors import DataError
from nlpkit.trust.calibration_rows import CalibrationRows

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEWEST = 10
"""Held-out rows of a label, or texts of a group, below which nothing is said."""
RESAMPLES, BLOCK = 1000, 50
"""How many there are, and how many are computed at once."""
ENDS = (0.025, 0.975)
SAMPLE = 20_000
"""Texts that are looked at one by one, whose sums do not suffice."""
SAME = 1e-6
"""A singular value of the mean answers below which some label's is a mixture of those of others."""
LEAST_LIKE = 1.95
"""The critical value of the Kolmogorov-Smirnov test for a level of 0.001."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """The share of one label."""

    label: str
    counted: float
    """The share of the texts that were given the label."""
    share: float
    """Corrected: the probabilistic adjusted count (Bella et al. 2010, doi:10.1109/ICDM.2010.75)."""
    low: float
    high: float
    likeliest: float
    """By another correction, which needs calibrated probabilities: expectation maximization."""


class Tally:
    """Sums over the answers for a file or a group of it: all that the shares need, however many texts."""

    def __init__(self, labels: int, seed: int = 1, sample: int = SAMPLE) -> None:
        import numpy as np

        self.texts: int = 0
        self._size = sample
        self.given: NDArray[Any] = np.zeros(labels)
        """Texts that were given each label."""
        self.mass: NDArray[Any] = np.zeros(labels)
        """The sum of the probabilities."""
        self.products: NDArray[Any] = np.zeros((labels, labels))
        """The sum of their products."""
        self.sample: NDArray[Any] = np.zeros((0, labels))
        """Probabilities of texts drawn at random: at most SAMPLE, or as many as asked for."""
        self._keys = np.zeros(0)
        self._random = np.random.default_rng(seed)

    @property
    def mean(self) -> NDArray[Any]:
        """(labels,): the mean answer."""
        return self.mass / self.texts

    @property
    def covariance(self) -> NDArray[Any]:
        """(labels, labels): the covariance of the answers."""
        import numpy as np

        return self.products / self.texts - np.outer(self.mean, self.mean)

    def add(self, probabilities: NDArray[Any], given: NDArray[Any]) -> None:
        """Add texts: (texts, labels) probabilities, and whether each was given each label."""
        import numpy as np

        self.texts += len(probabilities)
        self.given += given.sum(axis=0)
        self.mass += probabilities.sum(axis=0)
        self.products += probabilities.T @ probabilities
        if not self._size:
            return
        keys = np.concatenate([self._keys, self._random.random(len(probabilities))])
        kept = np.argsort(keys, kind="stable")[: self._size]
        self._keys, self.sample = keys[kept], np.concatenate([self.sample, probabilities])[kept]

    def state(self) -> dict[str, Any]:
        """Return all of it as plain values; `of_state` gives the same tally back."""
        sums = {
            name: getattr(self, name).tolist() for name in ("given", "mass", "products", "sample", "_keys")
        }
        return {"texts": self.texts, "size": self._size, "random": self._random.bit_generator.state, **sums}

    @classmethod
    def of_state(cls, state: Mapping[str, Any]) -> Tally:
        """Return the tally of such values."""
        import numpy as np

        tally = cls(len(state["given"]), sample=state["size"])
        tally.texts, tally._random.bit_generator.state = state["texts"], state["random"]
        for name in ("given", "mass", "products", "sample", "_keys"):
            setattr(
                tally, name, np.array(state[name], dtype=float).reshape(-1, *getattr(tally, name).shape[1:])
            )
        return tally

    def plus(self, second: Tally, sign: int = 1) -> Tally:
        """Return the tally of the texts of both, or with the sign -1 of those that are not in the second.

        It has no sample.
        """
        both = Tally(len(self.given), sample=0)
        both.texts = self.texts + sign * second.texts
        both.given = self.given + sign * second.given
        both.mass = self.mass + sign * second.mass
        both.products = self.products + sign * second.products
        return both


class SharesEstimator:
    """Turns the tally of any file into shares. It is fitted to held-out rows.

    Args:
        rows: what the classifier answers to rows whose labels are known.
        is_set: whether a text has any number of labels, so that the share of each stands alone.
        seed: draws the resamples.

    Raises:
        DataError: a label has too few held-out rows, or the answers do not tell the labels apart.
    """

    def __init__(self, rows: CalibrationRows, *, is_set: bool = False, seed: int = 1) -> None:
        import numpy as np

        self._rows, self._is_set, self._seed = rows, is_set, seed
        for label, count in zip(rows.labels, rows.truth.sum(axis=0), strict=True):
            if min(count, len(rows) - count if is_set else FEWEST) < FEWEST:
                raise DataError(
                    f"{rows.source}: {count:,} of {len(rows):,} are {label!r}; expected at least {FEWEST} "
                    "with and without it, to know how often it is confused; "
                    "hint: more labeled rows, with --held-out FILE"
                )
        columns = [rows.probabilities[column].mean(axis=0) for column in rows.truth.T]
        if not is_set and np.linalg.matrix_rank(np.stack(columns), tol=SAME) < len(columns):
            raise DataError(
                f"{rows.source}: the mean answers to the rows of each label do not differ enough to tell how "
                "many texts have it; hint: a run that is better than the same answer for every text"
            )

    def shares(self, tally: Tally) -> list[Share]:
        """Return the share of each label.

        Raises:
            DataError: there are too few texts.
        """
        import numpy as np

        if tally.texts < FEWEST:
            raise DataError(f"{tally.texts} texts; expected at least {FEWEST} for a share with an interval")
        rows, mean = self._rows, tally.mean
        if not self._is_set:
            parts = [self._estimate(rows.probabilities, rows.truth, mean, tally.texts, tally.sample)]
        else:
            parts = [
                self._estimate(
                    _pair(rows.probabilities[:, label]),
                    _pair(rows.truth[:, label]),
                    _pair(mean[label])[0],
                    tally.texts,
                    _pair(tally.sample[:, label]),
                )[:1]
                for label in range(len(rows.labels))
            ]
        numbers = np.concatenate(parts)
        return [
            Share(
                label=label, counted=count / tally.texts, share=share, low=low, high=high, likeliest=likeliest
            )
            for label, count, (share, low, high, likeliest) in zip(
                rows.labels, tally.given.tolist(), numbers.tolist(), strict=True
            )
        ]

    def is_unlike(self, tally: Tally, shares: Sequence[Share]) -> bool:
        """Return whether the file's texts of some label do not look like its held-out rows.

        By the shares, the certainties of the file must be a mixture of those of the labels' rows: a
        Kolmogorov-Smirnov test at a level of 0.001. Where a text has several labels it is not known.
        """
        import numpy as np

        if self._is_set:
            return False
        file = np.sort(tally.sample.max(axis=1))
        certain, truth = self._rows.probabilities.max(axis=1), self._rows.truth
        counts = truth.sum(axis=0)
        weights = truth @ np.array([share.share for share in shares] / counts)
        order = np.argsort(certain)
        known = certain[order]
        # Of equal certainties, as isotonic regression makes them, the last one counts: all are below or equal
        mixture = np.cumsum(weights[order])[np.searchsorted(known, known, side="right") - 1]
        below = np.searchsorted(file, known, side="right") / len(file)
        distance = float(np.abs(mixture - below).max())
        return distance > LEAST_LIKE * float(np.sqrt((weights**2).sum() + 1 / len(file)))

    def _estimate(
        self,
        probabilities: NDArray[Any],
        truth: NDArray[Any],
        mean: NDArray[Any],
        texts: int,
        sample: NDArray[Any],
    ) -> NDArray[Any]:
        """Return (labels, 4): the share, the ends of its interval, and what expectation maximization says.

        Resampled are the held-out rows of each label, and the mean of the file by its normal distribution:
        among files with as many texts of each label, since the share is that of this file.
        """
        import numpy as np

        by_label = [probabilities[column] for column in truth.T]
        random = np.random.default_rng(self._seed)
        share = adjusted(np.stack([rows.mean(axis=0) for rows in by_label], axis=1), mean)
        spread = sum(part * np.cov(rows.T) for part, rows in zip(share, by_label, strict=True)) / texts
        drawn = np.concatenate([shares for _, shares in resamples(by_label, mean, spread, random)])
        maximized = maximized_likelihood(sample, truth.mean(axis=0))
        return np.stack([share, *np.quantile(drawn, ENDS, axis=0), maximized], axis=1)


def resamples(
    by_label: Sequence[NDArray[Any]],
    mean: NDArray[Any],
    covariance: NDArray[Any],
    random: np.random.Generator,
    count: int = RESAMPLES,
) -> Iterator[tuple[list[NDArray[Any]], NDArray[Any]]]:
    """Yield, in blocks, how much each held-out row counts in each resample, and the shares that follow.

    Args:
        by_label: for each label the answers to its held-out rows, (rows, labels).
        mean: (labels,), the mean answer to the file.
        covariance: (labels, labels), of the mean.
        random: draws.
        count: how many resamples, a multiple of BLOCK.
    """
    import numpy as np

    means = random.multivariate_normal(mean, covariance, size=count, method="eigh")
    for drawn in means.reshape(-1, BLOCK, len(mean)):
        weights = [drawn_weights(len(rows), random) for rows in by_label]
        columns = [weight @ rows for weight, rows in zip(weights, by_label, strict=True)]
        shares = map(adjusted, np.stack(columns, axis=2), drawn)
        yield weights, np.stack(list(shares))


def drawn_weights(rows: int, random: np.random.Generator) -> NDArray[Any]:
    """Return (BLOCK, rows): the share of each row in as many draws with replacement."""
    import numpy as np

    drawn = random.integers(rows, size=(BLOCK, rows)) + rows * np.arange(BLOCK)[:, None]
    return np.bincount(drawn.ravel(), minlength=BLOCK * rows).reshape(BLOCK, rows) / rows


def adjusted(confusion: NDArray[Any], mean: NDArray[Any]) -> NDArray[Any]:
    """Return the shares, at least 0 and of sum 1, whose mixture of answers comes closest to the mean answer.

    Args:
        confusion: (labels, labels), a column for each true label: the mean answer to its rows.
        mean: (labels,), the mean answer to the file.
    """
    import numpy as np
    from scipy.optimize import nnls

    heavy = 1e4  # the sum is as good as a constraint
    left = np.vstack([confusion, np.full(confusion.shape[1], heavy)])
    parts = nnls(left, np.append(mean, heavy))[0]
    shares: NDArray[Any] = parts / parts.sum()
    return shares


def maximized_likelihood(probabilities: NDArray[Any], prior: NDArray[Any]) -> NDArray[Any]:
    """Return the shares that make the answers likeliest (Saerens et al. 2002).

    Args:
        probabilities: (texts, labels), calibrated where the labels have the shares `prior`.
        prior: (labels,).
    """
    import numpy as np

    shares = prior
    for _ in range(1000):
        weighted = probabilities * (shares / prior)
        before, shares = shares, (weighted / weighted.sum(axis=1, keepdims=True)).mean(axis=0)
        if np.abs(shares - before).max() < 1e-6:
            break
    return shares


def _pair(values: Any) -> NDArray[Any]:
    """Return (rows, 2): a label's values, and those of not having it."""
    import numpy as np

    values = np.atleast_1d(values)
    return np.stack([values, ~values if values.dtype == bool else 1 - values], axis=1)
