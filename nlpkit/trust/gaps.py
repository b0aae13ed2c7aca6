"""Differences between groups: their means with 95% intervals, tested together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROUNDS = 9999
"""Resamples, and draws of signs."""
MOST_SIGNS = 1000
"""Differences above which a t-test takes the place of drawn signs."""
CELLS = 2_000_000
LEVEL = 0.05
"""Of all comparisons together."""
SMALLEST = 0.0005
"""Smaller gaps are shown as 0.000, and none at all: a classifier that hardly reads its texts has many."""


@dataclass(frozen=True, kw_only=True)
class Swapped:
    """A text of the user's, and the same with two groups exchanged."""

    text: str
    swapped: str
    label: str
    swapped_label: str
    difference: float
    """The score of the text minus that of the swapped one."""
    where: str = ""

    @property
    def is_changed(self) -> bool:
        """Whether it gets another label."""
        return self.label != self.swapped_label


@dataclass(frozen=True, kw_only=True)
class Gap:
    """How a group's scores differ from those of what it is compared with, in the same sentences."""

    kind: str
    group: str
    against: str
    count: int
    """Templates, or texts, that the mean and its interval are of."""
    gap: float
    """The mean difference of the scores, in [-2, 2]; below 0 the group is scored as more negative."""
    low: float
    high: float
    p: float
    """Two-sided, of this comparison alone."""
    corrected_p: float = 1.0
    """Corrected for all comparisons (Holm 1979)."""
    changed: float
    """The share of pairs whose label changes with the group."""
    control: float | None = None
    """The same for two people of this group; None where there are no such pairs."""
    contexts: Mapping[str, float] = field(default_factory=dict)
    """The mean difference in each context, such as the neutral sentences."""
    examples: tuple[Swapped, ...] = ()

    @property
    def is_significant(self) -> bool:
        """Whether there is a gap that can be seen, all comparisons considered."""
        return self.corrected_p < LEVEL and abs(self.gap) >= SMALLEST

    @property
    def name(self) -> str:
        """The groups that are compared, in words."""
        return f"{self.group} / {self.against}"


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean with its 95% interval, and the p-value against a mean of 0."""

    mean: float
    low: float
    high: float
    p: float


def mean_of(differences: Sequence[float] | NDArray[Any], seed: int) -> Mean:
    """Return the mean with its interval by percentile bootstrap, and its test.

    The test draws the signs of the differences; of many it is a t-test.
    """
    import numpy as np
    from scipy import stats

    values = np.asarray(differences, dtype=float)
    mean = float(values.mean())
    if np.ptp(values) == 0:  # equal throughout: there is nothing to draw
        p = 1.0 if mean == 0 else 2.0 ** (1 - len(values))
        return Mean(mean=mean, low=mean, high=mean, p=p)
    batch = max(1, CELLS // len(values))
    draws: dict[str, Any] = {"batch": batch, "rng": np.random.default_rng(seed)}
    rounds = min(ROUNDS, max(999, 10 * batch))
    drawn = stats.bootstrap((values,), np.mean, n_resamples=rounds, method="percentile", **draws)
    if len(values) <= MOST_SIGNS:
        test = stats.permutation_test(
            (values,), np.mean, permutation_type="samples", n_resamples=ROUNDS, **draws
        )
    else:
        test = stats.ttest_1samp(values, 0.0)
    low, high = drawn.confidence_interval
    return Mean(mean=mean, low=float(low), high=float(high), p=float(test.pvalue))


def corrected(gaps: Sequence[Gap]) -> tuple[Gap, ...]:
    """Return the gaps with their p-values corrected for all of them (Holm 1979)."""
    p_values = holm([gap.p for gap in gaps])
    return tuple(dataclasses.replace(gap, corrected_p=p) for gap, p in zip(gaps, p_values, strict=True))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for all of these comparisons (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda row: p_values[row])
    largest, adjusted = 0.0, list(p_values)
    for rank, row in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[row]))
        adjusted[row] = largest
    return adjusted


def largest(gaps: Sequence[Gap]) -> list[Gap]:
    """Return gaps with the largest first."""
    return sorted(gaps, key=lambda gap: -abs(gap.gap))


def scores_of(predictions: Sequence[Prediction]) -> NDArray[Any]:
    """Return the score of each answer."""
    import numpy as np

    return np.array([answer.score for answer in predictions], dtype=float)
