"""Metrics of labels with probabilities. To add one, write an object and name it in `LABEL_METRICS`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
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


def _one_label(outcomes: LabelOutcomes) -> str | None:
    if (outcomes.truth == outcomes.truth[0]).all():
        return f"every row is truly {outcomes.labels[int(outcomes.truth[0])]!r}"
    return None


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
    undefined=_one_label,
    hub_name="matthews_correlation",
    class_name="MCC",
)
AUROC = Metric[LabelOutcomes](
    name="auroc",
    title="AUROC",
    meaning="How well the probabilities rank: the chance that a text of a label outranks one of another; "
    "0.5 is chance.",
    scale=(0, 1),
    compute=auroc,
    resample=_auroc_resampled,
    undefined=_one_label,
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
