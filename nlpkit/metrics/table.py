"""What is measured: pure functions from outcomes to numbers, and the table that names them.

Every function takes `Outcomes`, which are never empty, and returns a finite number. Whether a metric is defined at all for
these outcomes is asked first, with `why_undefined`; `measure` does both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.errors import ConfigError, nearest
from nlpkit.metrics.outcomes import Kind, Outcomes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

BINS = 15
"""Bins of equal width for the calibration error, as in Guo et al. 2017."""


def confusion_matrix(outcomes: Outcomes) -> Array:
    """Counts (labels, labels): a row for each true label, a column for each predicted one."""
    from sklearn.metrics import confusion_matrix as count

    counts: Array = count(outcomes.truth, outcomes.predicted, labels=range(len(outcomes.labels)))
    return counts


def accuracy(outcomes: Outcomes) -> float:
    """The share of rows whose most probable label is the true one."""
    return float((outcomes.truth == outcomes.predicted).mean())


def macro_f1(outcomes: Outcomes) -> float:
    """The mean of the F1 of every label that occurs in the truth, each counting the same."""
    import numpy as np
    from sklearn.metrics import f1_score

    return float(
        f1_score(
            outcomes.truth,
            outcomes.predicted,
            labels=np.unique(outcomes.truth),
            average="macro",
            zero_division=0.0,
        )
    )


def mcc(outcomes: Outcomes) -> float:
    """Matthews correlation between truth and prediction, for any number of labels (Gorodkin 2004); 0 if one label is always predicted."""
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(outcomes.truth, outcomes.predicted))


def auroc(outcomes: Outcomes) -> float:
    """The chance that a row of a label gets a higher probability of it than a row of another.

    For two labels of the second one; for more the mean over those that occur, each against the rest.
    """
    import numpy as np
    from sklearn.metrics import roc_auc_score

    return float(
        np.mean(
            [
                roc_auc_score(outcomes.truth == one, outcomes.probabilities[:, one])
                for one in ranked_labels(outcomes)
            ]
        )
    )


def ranked_labels(outcomes: Outcomes) -> list[int]:
    """The labels whose ranking AUROC looks at: the second of two, else all that occur in the truth."""
    import numpy as np

    return [1] if len(outcomes.labels) == 2 else [int(one) for one in np.unique(outcomes.truth)]


def row_log_losses(outcomes: Outcomes) -> Array:
    """(n,): minus the natural logarithm of the true label's probability, at most 36 (a probability of 0 counts as 2e-16)."""
    import numpy as np

    given = outcomes.probabilities[np.arange(len(outcomes)), outcomes.truth]
    losses: Array = -np.log(np.clip(given, np.finfo(float).eps, 1.0))
    return losses


def row_briers(outcomes: Outcomes) -> Array:
    """(n,): the squared distance between the probabilities and the truth, summed over labels."""
    import numpy as np

    distances: Array = ((outcomes.probabilities - np.eye(len(outcomes.labels))[outcomes.truth]) ** 2).sum(
        axis=1
    )
    return distances


def log_loss(outcomes: Outcomes) -> float:
    """The mean of minus the natural logarithm of the true label's probability."""
    return float(row_log_losses(outcomes).mean())


def brier(outcomes: Outcomes) -> float:
    """The Brier score as in Brier 1950: squared errors summed over labels, 0 to 2; for two labels twice the half-scaled one."""
    return float(row_briers(outcomes).mean())


def confidence_bins(outcomes: Outcomes, bins: int = BINS) -> Array:
    """(n,): the number of the equal-width bin ((b / bins, (b + 1) / bins]) that holds the top probability."""
    import numpy as np

    bins_of: Array = np.digitize(
        outcomes.probabilities.max(axis=1), np.linspace(0, 1, bins + 1)[1:-1], right=True
    )
    return bins_of


def expected_calibration_error(outcomes: Outcomes) -> float:
    """The gap between confidence and accuracy in 15 bins of the top probability, weighed by rows (Guo et al. 2017, arXiv:1706.04599)."""
    import numpy as np

    gaps = outcomes.probabilities.max(axis=1) - (outcomes.truth == outcomes.predicted)
    return float(np.abs(np.bincount(confidence_bins(outcomes), weights=gaps)).sum() / len(outcomes))


def pearson(outcomes: Outcomes) -> float:
    """The linear correlation between true and predicted values."""
    from scipy.stats import pearsonr

    return float(pearsonr(outcomes.truth, outcomes.predicted).statistic)


def spearman(outcomes: Outcomes) -> float:
    """The correlation between the ranks of true and predicted values, ties sharing their mean rank."""
    from scipy.stats import spearmanr

    return float(spearmanr(outcomes.truth, outcomes.predicted).statistic)


def mae(outcomes: Outcomes) -> float:
    """The mean absolute error, in the units of the data."""
    return float(abs(outcomes.truth - outcomes.predicted).mean())


def rmse(outcomes: Outcomes) -> float:
    """The root of the mean squared error, in the units of the data."""
    return float(((outcomes.truth - outcomes.predicted) ** 2).mean() ** 0.5)


def _one_label(outcomes: Outcomes) -> str | None:
    if (outcomes.truth == outcomes.truth[0]).all():
        return f"every row is truly {outcomes.labels[int(outcomes.truth[0])]!r}"
    return None


def _no_variation(outcomes: Outcomes) -> str | None:
    if len(outcomes) < 2:
        return "a correlation needs at least two rows"
    for name, values in (("true", outcomes.truth), ("predicted", outcomes.predicted)):
        if (values == values[0]).all():
            return f"all {name} values are equal"
    return None


def _always(outcomes: Outcomes) -> str | None:
    return None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One row of the table: how a number is called, computed and read."""

    title: str
    kind: Kind
    higher_is_better: bool
    meaning: str
    """One line, shown in reports."""
    compute: Callable[[Outcomes], float]
    undefined: Callable[[Outcomes], str | None] = _always
    """Why the metric has no value for these outcomes; None where it has."""
    percent: bool = False
    """Shown as a percentage."""


METRICS: dict[str, Metric] = {
    "accuracy": Metric(
        title="Accuracy",
        kind="labels",
        higher_is_better=True,
        compute=accuracy,
        percent=True,
        meaning="Share of texts that get the right label.",
    ),
    "macro_f1": Metric(
        title="Macro F1",
        kind="labels",
        higher_is_better=True,
        compute=macro_f1,
        meaning="Precision and recall in one number, every label counting the same however rare.",
    ),
    "mcc": Metric(
        title="MCC",
        kind="labels",
        higher_is_better=True,
        compute=mcc,
        undefined=_one_label,
        meaning="Matthews correlation of truth and prediction: 1 is perfect, 0 is chance.",
    ),
    "auroc": Metric(
        title="AUROC",
        kind="labels",
        higher_is_better=True,
        compute=auroc,
        undefined=_one_label,
        meaning="How well the probabilities rank: the chance that a text of a label outranks one of another; 0.5 is chance.",
    ),
    "log_loss": Metric(
        title="Log loss",
        kind="labels",
        higher_is_better=False,
        compute=log_loss,
        meaning="Mean of -ln(probability given to the true label): punishes sure mistakes hardest.",
    ),
    "brier": Metric(
        title="Brier score",
        kind="labels",
        higher_is_better=False,
        compute=brier,
        meaning="Squared error of the probabilities, summed over labels: 0 is perfect, 2 is surely wrong.",
    ),
    "expected_calibration_error": Metric(
        title="Calibration error",
        kind="labels",
        higher_is_better=False,
        compute=expected_calibration_error,
        percent=True,
        meaning="Mean gap between how sure the model says it is and how often it is right.",
    ),
    "pearson": Metric(
        title="Pearson r",
        kind="values",
        higher_is_better=True,
        compute=pearson,
        undefined=_no_variation,
        meaning="Linear correlation with the true values: 1 is perfect, 0 is none.",
    ),
    "spearman": Metric(
        title="Spearman rho",
        kind="values",
        higher_is_better=True,
        compute=spearman,
        undefined=_no_variation,
        meaning="Correlation of the ranks: whether it sorts texts as people do.",
    ),
    "mae": Metric(
        title="Mean absolute error",
        kind="values",
        higher_is_better=False,
        compute=mae,
        meaning="How far off a prediction is, on average, in the units of the data.",
    ),
    "rmse": Metric(
        title="RMSE",
        kind="values",
        higher_is_better=False,
        compute=rmse,
        meaning="Root mean squared error, in the units of the data: large misses count more.",
    ),
}


def names(kind: Kind) -> tuple[str, ...]:
    """The metrics that apply to labels, or to values."""
    return tuple(name for name, metric in METRICS.items() if metric.kind == kind)


def find(name: str, kind: Kind) -> Metric:
    """The metric of that name.

    Raises:
        ConfigError: there is none, or it is not for this kind of outcomes.
    """
    if name not in names(kind):
        raise ConfigError(f"metric {name!r} is not one for {kind}{nearest(name, names(kind))}")
    return METRICS[name]


def why_undefined(outcomes: Outcomes, name: str) -> str | None:
    """Why this metric has no value for these outcomes; None where it has one."""
    return find(name, outcomes.kind).undefined(outcomes)


def measure(outcomes: Outcomes, name: str) -> float | None:
    """The metric's value; None where it is undefined (`why_undefined` says why)."""
    return None if why_undefined(outcomes, name) else METRICS[name].compute(outcomes)


@dataclass(frozen=True, kw_only=True)
class PerClass:
    """How one label fares. A ratio over nothing is None, not 0."""

    label: str
    precision: float | None
    """Of the rows given this label, the share that truly has it; None if none was."""
    recall: float | None
    """Of the rows that truly have this label, the share that was given it; None if none has."""
    f1: float | None
    """None where recall is."""
    support: int
    """Rows that truly have this label."""


def per_class(outcomes: Outcomes) -> tuple[PerClass, ...]:
    """Precision, recall, F1 and support of each label, in the order of `labels`."""
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
