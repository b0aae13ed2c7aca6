"""Metrics of labels. To add one, write an object and name it in `LABEL_METRICS`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.label_probabilities import AUROC, BRIER, CALIBRATION_ERROR, LOG_LOSS, one_label
from nlpkit.metrics.metric import Bootstrap, Metric
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.ratio import mean_statistic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.metrics.metric import Statistic

    Array: TypeAlias = NDArray[Any]


def confusion_matrix(outcomes: LabelOutcomes) -> Array:
    """Return counts (labels, labels): a row for each true label, a column for each predicted one."""
    from sklearn.metrics import confusion_matrix as count

    counts: Array = count(outcomes.truth, outcomes.predicted, labels=range(len(outcomes.labels)))
    return counts


def accuracy(outcomes: LabelOutcomes) -> float:
    """Return the share of rows whose most probable label is the true one."""
    return float(outcomes.right.mean())


def macro_f1(outcomes: LabelOutcomes) -> float:
    """Return the mean of the F1 of every label that occurs in the truth, each counting the same."""
    import numpy as np
    from sklearn.metrics import f1_score

    present = np.unique(outcomes.truth)
    return float(
        f1_score(outcomes.truth, outcomes.predicted, labels=present, average="macro", zero_division=0.0)
    )


def weighted_f1(outcomes: LabelOutcomes) -> float:
    """Return the mean of the F1 of every label, each counting by how many rows truly have it."""
    from sklearn.metrics import f1_score

    return float(f1_score(outcomes.truth, outcomes.predicted, average="weighted", zero_division=0.0))


def mcc(outcomes: LabelOutcomes) -> float:
    """Return the Matthews correlation for any number of labels (Gorodkin 2004); 0 if one label is always
    predicted.
    """
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(outcomes.truth, outcomes.predicted))


@dataclass(frozen=True, kw_only=True)
class PerClass:
    """The scores of one label. A ratio over nothing is None, not 0."""

    label: str
    precision: float | None
    """Of the rows given this label, the share that truly has it; None if none was."""
    recall: float | None
    """Of the rows that truly have this label, the share that was given it; None if none has."""
    f1: float | None
    """None where recall is."""
    support: int
    """Rows that truly have this label."""


def per_class(outcomes: LabelOutcomes) -> tuple[PerClass, ...]:
    """Return precision, recall, F1 and support of each label, in the order of `labels`."""
    import numpy as np
    from sklearn.metrics import precision_recall_fscore_support

    columns = precision_recall_fscore_support(
        outcomes.truth, outcomes.predicted, labels=range(len(outcomes.labels)), zero_division=np.nan
    )
    rows = zip(outcomes.labels, *(column.tolist() for column in columns), strict=True)
    return tuple(
        PerClass(
            label=label,
            precision=None if precision != precision else precision,  # nan: never given
            recall=recall if support else None,
            f1=f1 if support else None,
            support=int(support),
        )
        for label, precision, recall, f1, support in rows
    )


def _confusions(outcomes: LabelOutcomes) -> Statistic:
    """Return how many drawn rows fall into each cell: (resamples, labels, labels)."""
    import numpy as np
    from scipy.sparse import csr_array

    labels = len(outcomes.labels)
    cells = outcomes.truth * labels + outcomes.predicted
    shape = (len(cells), labels * labels)
    one_hot = csr_array((np.ones(len(cells)), cells, np.arange(len(cells) + 1)), shape=shape)
    transposed = one_hot.T.tocsr()
    return lambda drawn: (transposed @ drawn.T).T.reshape(-1, labels, labels)


def _f1_resampled(outcomes: LabelOutcomes, *, weighted: bool) -> Bootstrap:
    import numpy as np

    confusions = _confusions(outcomes)

    def statistic(drawn: Array) -> Array:
        counts = confusions(drawn)
        right, true, given = np.einsum("rii->ri", counts), counts.sum(axis=2), counts.sum(axis=1)
        f1 = np.where(true > 0, 2 * right / np.maximum(true + given, 1), np.nan)
        means: Array = np.nansum(f1 * true, axis=1) / true.sum(axis=1) if weighted else np.nanmean(f1, axis=1)
        return means

    return Bootstrap(statistic=statistic)


def _mcc_resampled(outcomes: LabelOutcomes) -> Bootstrap:
    """Return Gorodkin's R_K from counts; 0 if one label is always predicted, nan if a resample has one true
    label.
    """
    import numpy as np

    confusions = _confusions(outcomes)

    def statistic(drawn: Array) -> Array:
        counts = confusions(drawn)
        total = counts.sum(axis=(1, 2))
        right, true, given = np.einsum("rii->r", counts), counts.sum(axis=2), counts.sum(axis=1)
        spread_true, spread_given = total**2 - (true**2).sum(axis=1), total**2 - (given**2).sum(axis=1)
        ratios = (right * total - (true * given).sum(axis=1)) / np.sqrt(spread_true * spread_given)
        return np.where(spread_true == 0, np.nan, np.where(spread_given == 0, 0.0, ratios))

    return Bootstrap(statistic=statistic)


ACCURACY = Metric[LabelOutcomes](
    name="accuracy",
    title="Accuracy",
    meaning="Share of texts that get the right label.",
    percent=True,
    scale=(0, 1),
    compute=accuracy,
    resample=lambda outcomes: mean_statistic(outcomes.right.astype(float), share=True),
    right=lambda outcomes: outcomes.right,
    class_name="Accuracy",
)
MACRO_F1 = Metric[LabelOutcomes](
    name="macro_f1",
    title="Macro F1",
    meaning="Precision and recall in one number, every label counting the same however rare.",
    scale=(0, 1),
    compute=macro_f1,
    resample=partial(_f1_resampled, weighted=False),
    hub_name="f1",
    class_name="MacroF1",
)
WEIGHTED_F1 = Metric[LabelOutcomes](
    name="weighted_f1",
    title="Weighted F1",
    meaning="Precision and recall in one number, every label counting by how many texts have it.",
    scale=(0, 1),
    compute=weighted_f1,
    resample=partial(_f1_resampled, weighted=True),
    hub_name="f1",
)
MCC = Metric[LabelOutcomes](
    name="mcc",
    title="MCC",
    meaning="Matthews correlation of truth and prediction: 1 is perfect, 0 is chance.",
    scale=(-1, 1),
    compute=mcc,
    resample=_mcc_resampled,
    undefined=one_label,
    hub_name="matthews_correlation",
    class_name="MCC",
)

LABEL_METRICS: tuple[Metric[LabelOutcomes], ...] = (
    ACCURACY,
    MACRO_F1,
    MCC,
    AUROC,
    LOG_LOSS,
    BRIER,
    CALIBRATION_ERROR,
)
"""In the order in which they are shown."""
