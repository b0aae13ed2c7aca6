"""Shares of many cells of one file, such as products and weeks, that can be compared with one another.

All cells share the resamples of the held-out rows: what is not known about the classifier's mistakes is
the same for all, and does not count twice in a difference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.shares import ENDS, RESAMPLES, Tally, adjusted, drawn_weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

MANY = 30
"""Labels above which a fifth of the resamples has to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Estimate:
    """The share of each label in a cell, or the difference of two shares."""

    share: NDArray[Any]
    """(labels,), as are the ends of the 95% intervals."""
    low: NDArray[Any]
    high: NDArray[Any]
    draws: NDArray[Any]
    """(resamples, labels)."""

    def minus(self, second: Estimate) -> Estimate:
        """Return the difference from a cell that has none of these texts."""
        import numpy as np

        draws = self.draws - second.draws
        low, high = np.quantile(draws, ENDS, axis=0)
        return Estimate(share=self.share - second.share, low=low, high=high, draws=draws)

    @property
    def p(self) -> NDArray[Any]:
        """(labels,): two-sided p-values against a difference of 0, by a normal distribution."""
        import numpy as np
        from scipy.stats import norm

        deviations = self.draws.std(axis=0, ddof=1)
        ratios = np.divide(
            np.abs(self.share), deviations, out=np.zeros_like(self.share), where=deviations > 0
        )
        p: NDArray[Any] = 2 * norm.sf(ratios)
        return p


class CellShares:
    """Turns the tallies of cells into shares.

    Args:
        labels: how many there are.
        rows: what the classifier answers to rows with known labels; None leaves shares as they are counted,
            with Jeffreys intervals (Brown, Cai and DasGupta 2001).
        is_set: whether a text has any number of labels, so that the share of each stands alone.
        seed: draws the resamples.
    """

    def __init__(self, labels: int, rows: CalibrationRows | None, *, is_set: bool, seed: int = 1) -> None:
        import numpy as np

        self._rows, self._is_set, self._labels = rows, is_set, labels
        self._random = np.random.default_rng((seed, 2))
        self._resamples = RESAMPLES if labels <= MANY else RESAMPLES // 5
        if rows is not None:
            self._confusion = self._means(np.random.default_rng((seed, 1)), rows)

    @property
    def weights(self) -> tuple[NDArray[Any], NDArray[Any]] | None:
        """(labels, labels) and (labels,): a matrix that makes a mean answer into shares, and what is added.

        None where shares are counted.
        """
        import numpy as np

        if self._rows is None:
            return None
        whole = self._confusion[0]
        if self._is_set:  # (with it, without it) of each label
            gaps = _apart(whole[0] - whole[1])
            return np.diag(1 / gaps), -whole[1] / gaps
        return np.linalg.pinv(whole), np.zeros(self._labels)

    def estimate(self, tally: Tally) -> Estimate:
        """Return the shares of a cell with at least one text."""
        import numpy as np

        if self._rows is None:
            return self._counted(tally)
        spread = tally.covariance / tally.texts
        means = np.vstack(
            [
                tally.mean,
                self._random.multivariate_normal(tally.mean, spread, size=self._resamples, method="eigh"),
            ]
        )
        shares = self._of_sets(means) if self._is_set else self._of_labels(means)
        low, high = np.quantile(shares[1:], ENDS, axis=0)
        return Estimate(share=shares[0], low=low, high=high, draws=shares[1:])

    def _counted(self, tally: Tally) -> Estimate:
        from scipy.stats import beta

        with_it, without = tally.given + 0.5, tally.texts - tally.given + 0.5
        draws = self._random.beta(with_it, without, size=(self._resamples, self._labels))
        low, high = (beta.ppf(end, with_it, without) for end in ENDS)
        low[tally.given == 0] = 0.0
        high[tally.given == tally.texts] = 1.0
        return Estimate(share=tally.given / tally.texts, low=low, high=high, draws=draws)

    def _means(self, random: Any, rows: CalibrationRows) -> NDArray[Any]:
        """Return the mean answers to the held-out rows of each label, as they are and in each resample.

        (1 + resamples, labels, labels) with a column for each true label; of sets (1 + resamples, 2, labels):
        the mean probability of a label where it is true, and where it is not.
        """
        import numpy as np

        def resampled(answers: NDArray[Any]) -> NDArray[Any]:
            blocks = [
                drawn_weights(len(answers), random) @ answers
                for _ in range(self._resamples // len(drawn_weights(1, random)))
            ]
            return np.concatenate([[answers.mean(axis=0)], *blocks])

        if not self._is_set:
            return np.stack([resampled(rows.probabilities[column]) for column in rows.truth.T], axis=2)
        halves = [
            np.stack([resampled(of[column]), resampled(of[~column])], axis=1)
            for of, column in zip(rows.probabilities.T, rows.truth.T, strict=True)
        ]
        return np.stack(halves, axis=2)

    def _of_labels(self, means: NDArray[Any]) -> NDArray[Any]:
        """Return (1 + resamples, labels) shares: solved exactly, and where that gives a share below 0 as the
        nearest shares from 0 up.
        """
        import numpy as np

        try:
            solved = np.linalg.solve(self._confusion, means[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            solved = np.full_like(means, -1.0)
        for row in np.flatnonzero((solved < 0).any(axis=1)):
            solved[row] = adjusted(self._confusion[row], means[row])
        shares: NDArray[Any] = solved / solved.sum(axis=1, keepdims=True)
        return shares

    def _of_sets(self, means: NDArray[Any]) -> NDArray[Any]:
        import numpy as np

        with_it, without = self._confusion[:, 0], self._confusion[:, 1]
        shares: NDArray[Any] = np.clip((means - without) / _apart(with_it - without), 0, 1)
        return shares


def _apart(gaps: NDArray[Any]) -> NDArray[Any]:
    """Return differences to divide by: none is 0."""
    import numpy as np

    return np.where(np.abs(gaps) < 1e-6, 1e-6, gaps)
