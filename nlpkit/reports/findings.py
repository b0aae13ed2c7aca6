"""What stands behind the scores: tables, histograms and the worst mistakes, made from outcomes and texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.calibration import reliability
from nlpkit.metrics.labels import confusion_matrix, per_class
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.reports.report import ClassScore, Findings, Histogram, Mistake

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

WORST = 30
LONGEST = 600
"""Characters of a text that a report shows."""
POINTS = 2000
"""Rows that a scatter plot holds at the most."""
HISTOGRAM_BINS = 20


def describe(
    outcomes: LabelOutcomes | ValueOutcomes,
    *,
    texts: Sequence[str] = (),
    where: Sequence[str] = (),
    worst: int = WORST,
    seed: int = 0,
) -> Findings:
    """All tables and counts that a report shows. Without `texts` it holds no mistakes; `seed` chooses the points of the scatter plot."""
    mistakes = _mistakes(outcomes, texts, where, worst) if texts else ()
    if isinstance(outcomes, ValueOutcomes):
        return Findings(histograms=(_residuals(outcomes),), points=_points(outcomes, seed), worst=mistakes)
    return Findings(
        labels=outcomes.labels,
        per_class=tuple(ClassScore.model_validate(one) for one in per_class(outcomes)),
        confusion=tuple(tuple(row) for row in confusion_matrix(outcomes).tolist()),
        reliability=reliability(outcomes),
        histograms=_probabilities(outcomes),
        worst=mistakes,
        mistakes=int((outcomes.truth != outcomes.predicted).sum()),
    )


def _probabilities(outcomes: LabelOutcomes) -> tuple[Histogram, ...]:
    """For each label its probability among the rows that truly have it; of two labels, the second one's among the rows of each."""
    import numpy as np

    made = []
    for number, label in enumerate(outcomes.labels):
        column = 1 if len(outcomes.labels) == 2 else number
        counts, edges = np.histogram(
            outcomes.probabilities[outcomes.truth == number, column], bins=HISTOGRAM_BINS, range=(0, 1)
        )
        made.append(Histogram(name=label, edges=tuple(edges.tolist()), counts=tuple(counts.tolist())))
    return tuple(made)


def _residuals(outcomes: ValueOutcomes) -> Histogram:
    import numpy as np

    residuals = outcomes.predicted - outcomes.truth
    # The same reach on both sides of zero, so that a bias shows as a shift.
    reach = float(abs(residuals).max()) or 1.0
    counts, edges = np.histogram(residuals, bins=2 * HISTOGRAM_BINS + 1, range=(-reach, reach))
    return Histogram(name="predicted - true", edges=tuple(edges.tolist()), counts=tuple(counts.tolist()))


def _points(outcomes: ValueOutcomes, seed: int) -> tuple[tuple[float, float], ...]:
    import numpy as np

    chosen = np.arange(len(outcomes))
    if len(chosen) > POINTS:
        chosen = np.sort(np.random.default_rng(seed).choice(chosen, POINTS, replace=False))
    return tuple(zip(outcomes.truth[chosen].tolist(), outcomes.predicted[chosen].tolist(), strict=True))


def _mistakes(
    outcomes: LabelOutcomes | ValueOutcomes, texts: Sequence[str], where: Sequence[str], most: int
) -> tuple[Mistake, ...]:
    import numpy as np

    if isinstance(outcomes, LabelOutcomes):
        size = np.where(outcomes.truth == outcomes.predicted, -1.0, outcomes.probabilities.max(axis=1))
    else:
        size = np.where(outcomes.truth == outcomes.predicted, -1.0, abs(outcomes.truth - outcomes.predicted))
    # Stable, so that equal mistakes keep the order of the data.
    order = np.argsort(-size, kind="stable")[:most]
    return tuple(
        Mistake(
            text=_cut(texts[row]),
            truth=_said(outcomes, outcomes.truth[row]),
            predicted=_said(outcomes, outcomes.predicted[row]),
            probability=float(outcomes.probabilities[row].max())
            if isinstance(outcomes, LabelOutcomes)
            else None,
            where=where[row] if where else "",
        )
        for row in order.tolist()
        if size[row] >= 0
    )


def _cut(text: str) -> str:
    shown = text if len(text) <= LONGEST else text[:LONGEST] + " …"
    return shown.encode("utf-8", "replace").decode("utf-8")  # JSON cannot hold half a surrogate pair


def _said(outcomes: LabelOutcomes | ValueOutcomes, value: float) -> str:
    return outcomes.labels[int(value)] if isinstance(outcomes, LabelOutcomes) else f"{value:.2f}"
