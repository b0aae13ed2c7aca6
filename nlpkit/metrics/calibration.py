"""Probabilities that mean what they say: one temperature for the logits, and a table of confidence against
accuracy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.errors import DataError
from nlpkit.metrics.label_probabilities import BINS, confidence_bins
from nlpkit.metrics.metric import Bootstrap, Metric
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.score import Bin

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

COLDEST, HOTTEST = 0.05, 20.0
"""Temperatures beyond these say that the model or the data is at fault, not its confidence."""


def fit_temperature(logits: Array, truth: Array) -> float:
    """Return the temperature T for which softmax(logits / T) fits the truth best (Guo et al. 2017,
    arXiv:1706.04599).

    Each truth counts as (n + 1) / (n + 2) right, as in Platt 1999, and the rest is spread over the other
    labels: a small or perfect validation set then gives the confidence that its size can justify, and not
    T = 0. How many labels there are changes nothing of that.

    Args:
        logits: (n, k), of rows that the model was not trained on.
        truth: (n,), the index of the true label.

    Raises:
        DataError: there are no rows, or a logit is not finite.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    logits = np.asarray(logits, dtype=float)
    if len(logits) == 0 or not np.isfinite(logits).all():
        raise DataError(
            f"temperature: {len(logits)} rows of logits, some of them perhaps not finite; "
            "expected at least one, all finite"
        )
    rows, labels = logits.shape
    target = np.full(logits.shape, 1 / ((rows + 2) * max(1, labels - 1)))
    target[np.arange(rows), truth] = (rows + 1) / (rows + 2)

    def loss(log_temperature: float) -> float:
        return -float((target * log_softmax(logits / np.exp(log_temperature), axis=1)).sum() / rows)

    fitted = minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(fitted.x))


def fit_bias(logits: Array, truth: Array) -> Array:
    """Return what to add to the logits of each label so that labels are predicted as often as they are true.

    Args:
        logits: (n, k), of rows that the model was not trained on.
        truth: (n,), the index of the true label.
    """
    scale, bias = fit_scaling(logits, truth)
    added: Array = bias / scale
    return added


def fit_scaling(logits: Array, truth: Array, *, by_label: bool = False) -> tuple[Array, Array]:
    """Return scales and biases, (k,) each, for which softmax(scale x logits + bias) fits the truth best.

    A normal prior keeps the bias of a label with few rows near 0 (vector scaling, Guo et al. 2017,
    arXiv:1706.04599).

    Args:
        logits: (n, k), of rows that the model was not trained on.
        truth: (n,), the index of the true label.
        by_label: whether each label has a scale of its own; else all have one.
    """
    import numpy as np
    from scipy.optimize import minimize
    from scipy.special import log_softmax, softmax

    rows, labels = logits.shape
    deviation = max(float(np.std(logits)), 1e-9)
    scaled = logits / deviation
    target = np.zeros((rows, labels))
    target[np.arange(rows), truth] = 1
    slopes = labels if by_label else 1

    def loss(parameters: Array) -> tuple[float, Array]:
        # parameters: the logs of the slopes, then the biases, both of scaled logits
        slope, bias = np.exp(parameters[:slopes]), parameters[slopes:]
        values = slope * scaled + bias
        excess = softmax(values, axis=1) - target
        of_slopes = (excess * slope * scaled).sum(axis=0)
        of_slopes = of_slopes if by_label else of_slopes.sum(keepdims=True)
        gradient = np.concatenate([of_slopes, excess.sum(axis=0)]) + parameters
        fit = -float((target * log_softmax(values, axis=1)).sum())
        return fit + float(parameters @ parameters) / 2, gradient

    fitted = minimize(loss, np.zeros(slopes + labels), jac=True, method="L-BFGS-B").x
    scale: Array = np.resize(np.exp(fitted[:slopes]), labels) / deviation
    bias: Array = fitted[slopes:]
    return scale, bias


def reliability(outcomes: LabelOutcomes, bins: int = BINS) -> tuple[Bin, ...]:
    """Return mean confidence and accuracy of the rows in each bin of the top probability."""
    return binned(outcomes.probabilities.max(axis=1), outcomes.right, confidence_bins(outcomes, bins), bins)


def binned(confidence: Array, right: Array, where: Array, bins: int = BINS) -> tuple[Bin, ...]:
    """Return mean confidence and share of right answers in each of `bins` equal bins; `where` names each
    answer's bin.
    """
    import numpy as np

    edges = np.linspace(0, 1, bins + 1)
    counts = np.bincount(where, minlength=bins)
    sums = (
        np.bincount(where, weights=confidence, minlength=bins),
        np.bincount(where, weights=right, minlength=bins),
    )
    return tuple(
        Bin(
            low=float(edges[number]),
            high=float(edges[number + 1]),
            count=int(count),
            # A mean of ones can come out a rounding error above 1.
            confidence=min(1.0, float(sums[0][number] / count)) if count else None,
            accuracy=float(sums[1][number] / count) if count else None,
        )
        for number, count in enumerate(counts)
    )


def equal_mass_error(outcomes: LabelOutcomes) -> float:
    """Return the gap between confidence and accuracy in 15 bins of equally many rows, weighted by rows
    (Nixon et al. 2019, arXiv:1904.01685).
    """
    import numpy as np

    return float(np.abs(_equal_mass_gaps(outcomes).sum(axis=0)).sum() / len(outcomes))


def _equal_mass_gaps(outcomes: LabelOutcomes) -> Array:
    """Return (n, bins): confidence minus accuracy of each row, in its bin's column."""
    import numpy as np

    confidence = outcomes.probabilities.max(axis=1)
    gaps = np.zeros((len(outcomes), min(BINS, len(outcomes))))
    for number, rows in enumerate(np.array_split(np.argsort(confidence, kind="stable"), gaps.shape[1])):
        gaps[rows, number] = confidence[rows] - outcomes.right[rows]
    return gaps


def _equal_mass_resampled(outcomes: LabelOutcomes) -> Bootstrap:
    """Return the error of resampled rows in the bins of all rows."""
    import numpy as np

    gaps = _equal_mass_gaps(outcomes)
    return Bootstrap(statistic=lambda drawn: np.abs(drawn @ gaps).sum(axis=1) / len(gaps))


EQUAL_MASS_ERROR = Metric[LabelOutcomes](
    name="equal_mass_calibration_error",
    title="Calibration error, bins of equally many texts",
    meaning="Mean gap between confidence and accuracy.",
    higher_is_better=False,
    percent=True,
    scale=(0, 0.5),
    compute=equal_mass_error,
    resample=_equal_mass_resampled,
)
