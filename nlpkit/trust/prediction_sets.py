"""Prediction sets: the labels that a text may have, of which one is the true one as often as is asked for.

Split conformal prediction: a label is in the set where it is at least as probable as the true label nearly
always was in the held-out rows (Sadinle et al. 2019, arXiv:1609.00451).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from nlpkit.errors import DataError
from nlpkit.trust.calibration_rows import CalibrationRows

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

    fewest = math.ceil(coverage / (1 - coverage) - 1e-9)
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


def _smallest(values: NDArray[Any], coverage: float) -> float:
    """Return the value that another one of its kind reaches with the probability `coverage`, or more."""
    import numpy as np

    rank = len(values) + 1 - math.ceil((len(values) + 1) * coverage - 1e-9)
    return float(np.sort(values)[rank - 1])


def in_set(probabilities: NDArray[Any], given: NDArray[Any], least: NDArray[Any]) -> NDArray[Any]:
    """Return (texts, labels): whether each label is in the set. The one that is given always is."""
    inside: NDArray[Any] = (probabilities >= least) | given
    return inside
