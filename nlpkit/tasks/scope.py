"""Whether a text belongs to any of the labels: a score of how much it does, and the least that is enough."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from nlpkit.errors import DataError
from nlpkit.settings import Settings

if TYPE_CHECKING:
    import numpy as np

Certainty: TypeAlias = Literal["probability", "logit", "energy"]

FEW = 20
"""Rows outside of all labels from which on they choose the score."""


class Scope(Settings):
    """How a text outside of all labels is recognized: fitted to held-out rows."""

    score: Certainty = "energy"
    """`probability`: the highest of a label (Hendrycks and Gimpel 2017); `logit`: the highest output
    (Hendrycks et al. 2022); `energy`: ln of the sum of exp of the outputs (Liu et al. 2020)."""
    threshold: float = 0.0
    """A text whose score is lower belongs to no label."""
    slope: float = -1.0
    """See `offset`."""
    offset: float = 0.0
    """The probability that a text belongs to no label is sigmoid(slope x score + offset)."""
    false_alarms: float = 0.0
    """The share of held-out rows inside that are taken for outside."""
    recall: float | None = None
    """The share of held-out rows outside that are recognized; None without such rows."""


def certainty(score: Certainty, logits: np.ndarray, labels: int) -> np.ndarray:
    """Return how much each text belongs to the first `labels` outputs, (texts,).

    An output beyond them is the one for texts outside: of logit and energy it is subtracted.
    """
    from scipy.special import logsumexp, softmax

    outputs = logits.astype(float)
    inside = outputs[:, :labels]
    beyond = logsumexp(outputs[:, labels:], axis=1) if outputs.shape[1] > labels else 0.0
    if score == "probability":
        chances: np.ndarray = softmax(outputs, axis=1)[:, :labels].max(axis=1)
        return chances
    value: np.ndarray = inside.max(axis=1) if score == "logit" else logsumexp(inside, axis=1)
    return value - beyond


def fit_scope(logits: np.ndarray, inside: np.ndarray, labels: int, *, false_alarms: float) -> Scope:
    """Return the score that tells rows inside and outside apart best, with the threshold for a rate of false
    alarms.

    Args:
        logits: (rows, outputs), of rows that the model was not trained on.
        inside: (rows,), whether each row has one of the labels.
        labels: the number of labels.
        false_alarms: the share of rows inside that may be taken for outside.

    Raises:
        DataError: no row is inside.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    if not inside.any():
        raise DataError("calibration: no validation row has a label of the task; expected some")
    names: tuple[Certainty, ...] = get_args(Certainty)
    scores = {name: certainty(name, logits, labels) for name in names}
    name: Certainty = "energy"
    if (~inside).sum() >= FEW:
        name = max(names, key=lambda each: float(roc_auc_score(inside, scores[each])))
    values = scores[name]
    threshold = _between(values, float(np.quantile(values[inside], false_alarms, method="lower")))
    refused = values < threshold
    if inside.all():
        slope = -1 / (float(values.std()) or 1.0)
        offset = -slope * threshold
    else:
        fitted = LogisticRegression(C=1e3).fit(values[:, None], ~inside)
        slope, offset = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return Scope(
        score=name,
        threshold=threshold,
        slope=slope,
        offset=offset,
        false_alarms=float(refused[inside].mean()),
        recall=None if inside.all() else float(refused[~inside].mean()),
    )


def with_outside(
    scope: Scope, outputs: np.ndarray, probabilities: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return (texts, labels + 1), the probabilities with that of a text outside as the last; and the answers.

    Args:
        scope: how a text outside is recognized.
        outputs: (texts, outputs), those of the labels first.
        probabilities: (texts, labels).
    """
    import numpy as np
    from scipy.special import expit

    labels = probabilities.shape[1]
    value = certainty(scope.score, outputs, labels)
    beyond = expit(scope.slope * value + scope.offset)[:, None]
    answers = np.where(value < scope.threshold, labels, probabilities.argmax(axis=1))
    return np.concatenate([probabilities * (1 - beyond), beyond], axis=1), answers


def _between(values: np.ndarray, value: float) -> float:
    """Return the middle between a value and the next lower one, so that rounding moves no row across it."""
    lower = values[values < value]
    return (value + float(lower.max())) / 2 if lower.size else value - 1e-3
