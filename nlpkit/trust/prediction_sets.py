"""Prediction sets: the labels that a text may have, of which one is the true one as often as is asked for;
and intervals, which hold a number so often.

Split conformal prediction: a label is in the set where it is at least as probable as the true label nearly
always was in the held-out rows (Sadinle et al. 2019, arXiv:1609.00451); a number is in the interval where
it is no farther from the answer than the true one nearly always was (Lei et al. 2018, arXiv:1604.04173).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.errors import DataError
from nlpkit.trust.calibration_rows import CalibrationRows, ValueRows

if TYPE_CHECKING:
    from numpy.typing import NDArray


def least_probabilities(rows: CalibrationRows, coverage: float, *, by_label: bool = True) -> NDArray[Any]:
    """Return for each label the least probability with which it is in the set, (labels,).

    Args:
        rows: what the classifier answers to rows with one label each.
        coverage: the share of texts whose set must hold the true label.
        by_label: whether that holds among the texts of each label (class-conditional), and so in a file of
            any shares of labels; else among all, in files with the shares of the rows only.

    Raises:
        DataError: a label has too few rows for this.
    """
    import numpy as np

    fewest = _fewest(coverage)
    groups = list(rows.truth.T) if by_label else [np.ones(len(rows), dtype=bool)]
    for group, name in zip(groups, rows.labels if by_label else [""], strict=True):
        if group.sum() < fewest:
            of = f" of {name!r}" if by_label else ""
            raise DataError(
                f"{rows.source}: {group.sum():,} rows{of}; expected at least {fewest:,} for sets that "
                f"hold the truth in {coverage:.0%}; hint: a lower --sets, or more rows with --held-out FILE"
            )
    of_truth = (rows.probabilities * rows.truth).sum(axis=1)
    least = [_smallest(of_truth[group], coverage) for group in groups]
    return np.resize(np.array(least), len(rows.labels))


def interval(rows: ValueRows, coverage: float) -> Interval:
    """Return the interval around each answer that holds the number that people give.

    Where the run has learned how much people disagree, its width follows that.

    Raises:
        DataError: too few rows for this.
    """
    import numpy as np

    if len(rows) < _fewest(coverage):
        raise DataError(
            f"{rows.source}: {len(rows):,} rows; expected at least {_fewest(coverage):,} for intervals that "
            f"hold the number in {coverage:.0%}; hint: a lower --sets, or more rows with --held-out FILE"
        )
    least = 0.0
    sizes = np.ones(len(rows))
    if rows.spreads is not None and rows.spreads.max() > 0:
        # An expected spread of nearly 0 must not make an interval of no width
        least = float(np.quantile(rows.spreads, 0.1)) or float(rows.spreads.max())
        sizes = np.maximum(rows.spreads, least)
    ratio = -_smallest(-abs(rows.values - rows.truth) / sizes, coverage)
    return Interval(ratio=ratio, least=least)


@dataclass(frozen=True, kw_only=True)
class Interval:
    """How far from an answer the number that people give may lie."""

    ratio: float
    """In units of the data; with `least` in expected spreads."""
    least: float
    """The least spread that counts; 0: the width is the same for all texts."""

    def around(self, value: float, spread: float | None) -> tuple[float, float]:
        """Return the ends of the interval around an answer."""
        half = self.ratio * (max(spread or 0.0, self.least) if self.least else 1.0)
        return value - half, value + half


def _fewest(coverage: float) -> int:
    """Return how many rows it takes at least."""
    return math.ceil(coverage / (1 - coverage) - 1e-9)


def _smallest(values: NDArray[Any], coverage: float) -> float:
    """Return the value that another one of its kind reaches with the probability `coverage`, or more."""
    import numpy as np

    rank = len(values) + 1 - math.ceil((len(values) + 1) * coverage - 1e-9)
    return float(np.sort(values)[rank - 1])


def in_set(probabilities: NDArray[Any], given: NDArray[Any], least: NDArray[Any]) -> NDArray[Any]:
    """Return (texts, labels): whether each label is in the set. The one that is given always is."""
    inside: NDArray[Any] = (probabilities >= least) | given
    return inside
