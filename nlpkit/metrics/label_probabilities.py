"""Metrics of the probabilities of labels: how well they rank, and how far they can be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.metric import Bootstrap, Metric
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.ratio import mean_statistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.metrics.metric import Statistic

    Array: TypeAlias = NDArray[Any]

BINS = 15
"""Bins of equal width for the calibration error, as in Guo et al. 2017."""


def one_label(outcomes: LabelOutcomes) -> str | None:
    """Return why nothing tells labels apart where only one occurs; None where there are more."""
    if (outcomes.truth == outcomes.truth[0]).all():
        return f"every row is truly {outcomes.labels[int(outcomes.truth[0])]!r}"
    return None


def auroc(outcomes: LabelOutcomes) -> float:
    """Return the chance that a row of a label gets a higher probability of it than a row of another.

    For two labels of the second one; for more the mean over those that occur, each against the rest.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    areas = [
        roc_auc_score(outcomes.truth == label, outcomes.probabilities[:, label])
        for label in ranked_labels(outcomes)
    ]
    return float(np.mean(areas))


def ranked_labels(outcomes: LabelOutcomes) -> list[int]:
    """Return the labels whose ranking AUROC measures: the second of two, else all that occur in the truth."""
    import numpy as np

    return [1] if len(outcomes.labels) == 2 else [int(label) for label in np.unique(outcomes.truth)]


def row_log_losses(outcomes: LabelOutcomes) -> Array:
    """Return (n,): -ln of the true label's probability, at most 36 (a probability of 0 counts as 2e-16)."""
    import numpy as np

    given = outcomes.probabilities[np.arange(len(outcomes)), outcomes.truth]
    losses: Array = -np.log(np.clip(given, np.finfo(float).eps, 1.0))
    return losses


def row_briers(outcomes: LabelOutcomes) -> Array:
    """Return (n,): the squared distance between the probabilities and the truth, summed over labels."""
    import numpy as np

    errors = outcomes.probabilities - np.eye(len(outcomes.labels))[outcomes.truth]
    distances: Array = (errors**2).sum(axis=1)
    return distances


def log_loss(outcomes: LabelOutcomes) -> float:
    """Return the mean of minus the natural logarithm of the true label's probability."""
    return float(row_log_losses(outcomes).mean())


def brier(outcomes: LabelOutcomes) -> float:
    """Return the Brier score as in Brier 1950: squared errors summed over labels, 0 to 2."""
    return float(row_briers(outcomes).mean())


def confidence_bins(outcomes: LabelOutcomes, bins: int = BINS) -> Array:
    """Return (n,): the number of the equal-width bin ((b / bins, (b + 1) / bins]) that holds the top
    probability.
    """
    import numpy as np

    edges = np.linspace(0, 1, bins + 1)[1:-1]
    bins_of: Array = np.digitize(outcomes.probabilities.max(axis=1), edges, right=True)
    return bins_of


def expected_calibration_error(outcomes: LabelOutcomes) -> float:
    """Return the gap between confidence and accuracy in 15 bins, weighted by rows (Guo et al. 2017,
    arXiv:1706.04599).
    """
    import numpy as np

    gaps = outcomes.probabilities.max(axis=1) - outcomes.right
    return float(np.abs(np.bincount(confidence_bins(outcomes), weights=gaps)).sum() / len(outcomes))


def _calibration_resampled(outcomes: LabelOutcomes) -> Bootstrap:
    import numpy as np

    gaps = outcomes.probabilities.max(axis=1) - outcomes.right
    binned = np.eye(BINS)[confidence_bins(outcomes)] * gaps[:, None]
    return Bootstrap(statistic=lambda drawn: np.abs(drawn @ binned).sum(axis=1) / len(gaps))


def ranking(scores: Array, positive: Array) -> Statistic:
    """Return how AUROC is resampled, as the Mann-Whitney statistic: pairs that are ranked right, ties
    counting half; sorted once.
    """
    import numpy as np

    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=-np.inf))
    sorted_positive = positive[order].astype(float)

    def statistic(drawn: Array) -> Array:
        drawn = drawn[:, order]
        above = np.add.reduceat(drawn * sorted_positive, starts, axis=1)
        below = np.add.reduceat(drawn, starts, axis=1) - above
        pairs = (above * (below.cumsum(axis=1) - below / 2)).sum(axis=1)
        areas: Array = pairs / (above.sum(axis=1) * below.sum(axis=1))
        return areas

    return statistic


def _auroc_resampled(outcomes: LabelOutcomes) -> Bootstrap:
    import numpy as np

    rankings = [
        ranking(outcomes.probabilities[:, label], outcomes.truth == label)
        for label in ranked_labels(outcomes)
    ]

    def statistic(drawn: Array) -> Array:
        areas = np.stack([ranking(drawn) for ranking in rankings])
        known = np.isfinite(areas)
        means: Array = np.where(known, areas, 0).sum(axis=0) / known.sum(axis=0)  # nan where no label is left
        return means

    return Bootstrap(statistic=statistic)


AUROC = Metric[LabelOutcomes](
    name="auroc",
    title="AUROC",
    meaning="How well the probabilities rank: the chance that a text of a label outranks one of another; "
    "0.5 is chance.",
    scale=(0, 1),
    compute=auroc,
    resample=_auroc_resampled,
    undefined=one_label,
    hub_name="roc_auc",
    class_name="AUROC",
    inputs="probabilities",
)
LOG_LOSS = Metric[LabelOutcomes](
    name="log_loss",
    title="Log loss",
    meaning="Mean of -ln(probability given to the true label): punishes confident mistakes hardest.",
    higher_is_better=False,
    compute=log_loss,
    resample=lambda outcomes: mean_statistic(row_log_losses(outcomes)),
    class_name="LogLoss",
    inputs="probabilities",
)
BRIER = Metric[LabelOutcomes](
    name="brier",
    title="Brier score",
    meaning="Squared error of the probabilities, summed over labels: 0 is perfect, 2 is certain and wrong.",
    higher_is_better=False,
    scale=(0, 2),
    compute=brier,
    resample=lambda outcomes: mean_statistic(row_briers(outcomes)),
    hub_name="brier_score",
    class_name="Brier",
    inputs="probabilities",
)
CALIBRATION_ERROR = Metric[LabelOutcomes](
    name="expected_calibration_error",
    title="Calibration error",
    meaning="Mean gap between confidence and accuracy.",
    higher_is_better=False,
    percent=True,
    scale=(0, 0.5),
    compute=expected_calibration_error,
    resample=_calibration_resampled,
    class_name="ECE",
    inputs="probabilities",
)
