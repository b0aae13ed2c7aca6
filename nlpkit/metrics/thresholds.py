"""Labels that apply each by itself: what makes their probabilities true, and from which on each is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

FEW = 20
"""A label that fewer rows have shares the threshold that is best for all labels together."""
NEVER = 1.0
"""The threshold of a label that is never given."""


def fit_scale(logits: Array, truth: Array) -> tuple[float, float]:
    """Return slope and offset for which sigmoid(slope x logit + offset) fits the truth best (Platt 1999).

    Both are the same for all labels, so that rare ones do not need rows of their own for it.

    Args:
        logits: (rows, labels), of rows that the model was not trained on.
        truth: (rows, labels), whether each label applies.

    Raises:
        DataError: there are no rows, or a logit is not finite.
    """
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    if len(logits) == 0 or not np.isfinite(logits).all():
        raise DataError(
            f"calibration: {len(logits)} rows of outputs, some of them perhaps not finite; "
            "expected at least one, all finite"
        )
    cells = truth.ravel()
    if cells.all() or not cells.any():
        return 1.0, 0.0
    fitted = LogisticRegression(C=1e3).fit(logits.reshape(-1, 1).astype(float), cells)
    return float(fitted.coef_[0, 0]), float(fitted.intercept_[0])


def best_thresholds(
    probabilities: Array, truth: Array, *, precision: float | None = None
) -> tuple[float, ...]:
    """Return for each label the probability above which it is given.

    Args:
        probabilities: (rows, labels).
        truth: (rows, labels), whether each label applies.
        precision: choose the lowest threshold at which so large a share of what is given is right; default:
            the threshold with the highest F1.
    """
    shared = _best(probabilities.ravel(), truth.ravel(), precision)
    columns = zip(probabilities.T, truth.T, strict=True)
    return tuple(_best(scores, true, precision) if true.sum() >= FEW else shared for scores, true in columns)


def _best(scores: Array, true: Array, precision: float | None) -> float:
    import numpy as np

    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(true[order])
    given = np.arange(1, len(ranked) + 1)
    between = np.append(ranked[:-1] > ranked[1:], True)  # equal scores are given together
    if precision is None:
        value = np.where(between, 2 * right / (given + true.sum()), -1.0)
        last = int(value.argmax())
        reached = right[last] > 0
    else:
        enough = np.flatnonzero(between & (right >= precision * given))
        reached, last = enough.size > 0, int(enough[-1]) if enough.size else 0
    if not reached:
        return NEVER
    following = ranked[last + 1] if last + 1 < len(ranked) else 0.0
    return float((ranked[last] + following) / 2)
