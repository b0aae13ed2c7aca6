"""Metrics of texts with several labels. To add one, write an object and name it in `LABEL_SET_METRICS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.label_probabilities import BINS, ranking
from nlpkit.metrics.metric import Bootstrap, Metric
from nlpkit.metrics.outcomes import LabelSetOutcomes
from nlpkit.metrics.ratio import Ratio, mean_statistic, ratio_metric, summed_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]


def counts(outcomes: LabelSetOutcomes) -> Array:
    """Return (rows, 3 labels): whether each label is given and true, true, given."""
    import numpy as np

    right = outcomes.truth & outcomes.given
    return np.concatenate([right, outcomes.truth, outcomes.given], axis=1).astype(float)


def f1_of(sums: Array) -> Array:
    """Return the F1 of each label, (samples, labels), from sums of `counts`; nan where no text has it."""
    import numpy as np

    right, true, given = np.split(sums, 3, axis=1)
    scores: Array = np.where(true > 0, 2 * right / np.maximum(true + given, 1), np.nan)
    return scores


def _macro_f1(sums: Array) -> Array:
    import numpy as np

    scores = f1_of(sums)
    known = np.isfinite(scores)
    means: Array = np.where(known, scores, 0).sum(axis=1) / known.sum(axis=1)
    return means


def _micro(outcomes: LabelSetOutcomes) -> Ratio:
    right = (outcomes.truth & outcomes.given).sum(axis=1)
    return Ratio.of(2 * right, outcomes.truth.sum(axis=1) + outcomes.given.sum(axis=1))


def exact(outcomes: LabelSetOutcomes) -> Array:
    """Return (rows,): whether exactly the true labels are given."""
    rows: Array = (outcomes.truth == outcomes.given).all(axis=1)
    return rows


def jaccard(outcomes: LabelSetOutcomes) -> Array:
    """Return (rows,): labels that are true and given over those that are true or given; 1 where none is."""
    import numpy as np

    both = (outcomes.truth & outcomes.given).sum(axis=1)
    either = (outcomes.truth | outcomes.given).sum(axis=1)
    rows: Array = np.where(either == 0, 1.0, both / np.maximum(either, 1))
    return rows


def row_log_losses(outcomes: LabelSetOutcomes) -> Array:
    """Return (rows,): the mean over labels of -ln(probability that the label does what it does)."""
    import numpy as np

    probable = np.where(outcomes.truth, outcomes.probabilities, 1 - outcomes.probabilities)
    losses: Array = -np.log(np.clip(probable, np.finfo(float).eps, 1.0)).mean(axis=1)
    return losses


def _mean_rank(outcomes: LabelSetOutcomes) -> Bootstrap:
    import numpy as np

    columns = np.flatnonzero(outcomes.truth.any(axis=0) & ~outcomes.truth.all(axis=0))
    rankings = [ranking(outcomes.probabilities[:, at], outcomes.truth[:, at]) for at in columns]

    def statistic(drawn: Array) -> Array:
        areas = np.stack([each(drawn) for each in rankings])
        known = np.isfinite(areas)
        means: Array = np.where(known, areas, 0).sum(axis=0) / known.sum(axis=0)
        return means

    return Bootstrap(statistic=statistic)


def _unranked(outcomes: LabelSetOutcomes) -> str | None:
    varies = outcomes.truth.any(axis=0) & ~outcomes.truth.all(axis=0)
    return None if varies.any() else "each label applies to every text or to none"


def _auroc(outcomes: LabelSetOutcomes) -> float:
    import numpy as np

    return float(_mean_rank(outcomes).statistic(np.ones((1, len(outcomes))))[0])


def _unlabeled(outcomes: LabelSetOutcomes) -> str | None:
    return None if outcomes.truth.any() else "no text has a label"


def bins_of(outcomes: LabelSetOutcomes) -> Array:
    """Return (rows, labels): the number of the equal-width bin that holds each probability."""
    import numpy as np

    where: Array = np.digitize(outcomes.probabilities, np.linspace(0, 1, BINS + 1)[1:-1], right=True)
    return where


def _calibration_error(outcomes: LabelSetOutcomes) -> Bootstrap:
    import numpy as np

    where, gaps = bins_of(outcomes), outcomes.probabilities - outcomes.truth
    binned = np.stack([np.where(where == each, gaps, 0).sum(axis=1) for each in range(BINS)], axis=1)
    cells = gaps.size
    return Bootstrap(statistic=lambda drawn: np.abs(drawn @ binned).sum(axis=1) / cells)


def calibration_error(outcomes: LabelSetOutcomes) -> float:
    """Return the gap between probability and share in 15 bins, weighted by pairs of a text and a label."""
    import numpy as np

    return float(_calibration_error(outcomes).statistic(np.ones((1, len(outcomes))))[0])


MACRO_F1: Metric[LabelSetOutcomes] = summed_metric(
    counts,
    _macro_f1,
    name="macro_f1",
    title="Macro F1",
    meaning="Precision and recall in one number, every label counting the same however rare.",
    scale=(0, 1),
    undefined=_unlabeled,
    hub_name="f1",
)
MICRO_F1: Metric[LabelSetOutcomes] = ratio_metric(
    _micro,
    name="micro_f1",
    title="Micro F1",
    meaning="Precision and recall in one number, every label that is true or given counting the same.",
    scale=(0, 1),
    nothing="no text has a label, and none was given",
)
JACCARD = Metric[LabelSetOutcomes](
    name="jaccard",
    title="Jaccard index",
    meaning="Of the labels that are true or given, the share that is both; the mean over texts.",
    percent=True,
    scale=(0, 1),
    compute=lambda outcomes: float(jaccard(outcomes).mean()),
    resample=lambda outcomes: mean_statistic(jaccard(outcomes)),
)
EXACT = Metric[LabelSetOutcomes](
    name="exact",
    title="All labels right",
    meaning="Share of texts that get exactly their labels.",
    percent=True,
    scale=(0, 1),
    compute=lambda outcomes: float(exact(outcomes).mean()),
    resample=lambda outcomes: mean_statistic(exact(outcomes).astype(float), share=True),
    right=exact,
)
AUROC = Metric[LabelSetOutcomes](
    name="auroc",
    title="AUROC",
    meaning="How well the probabilities rank, whatever the thresholds: the chance that a text with a label "
    "outranks one without, the mean over labels; 0.5 is chance.",
    scale=(0, 1),
    compute=_auroc,
    resample=_mean_rank,
    undefined=_unranked,
)
LOG_LOSS = Metric[LabelSetOutcomes](
    name="log_loss",
    title="Log loss",
    meaning="Mean of -ln(probability given to what is true of a label): punishes confident mistakes hardest.",
    higher_is_better=False,
    compute=lambda outcomes: float(row_log_losses(outcomes).mean()),
    resample=lambda outcomes: mean_statistic(row_log_losses(outcomes)),
)
CALIBRATION_ERROR = Metric[LabelSetOutcomes](
    name="expected_calibration_error",
    title="Calibration error",
    meaning="Mean gap between the probability of a label and the share of texts that have it.",
    higher_is_better=False,
    percent=True,
    scale=(0, 0.5),
    compute=calibration_error,
    resample=_calibration_error,
)

LABEL_SET_METRICS: tuple[Metric[LabelSetOutcomes], ...] = (
    MACRO_F1,
    MICRO_F1,
    JACCARD,
    EXACT,
    AUROC,
    LOG_LOSS,
    CALIBRATION_ERROR,
)
"""In the order in which they are shown."""
