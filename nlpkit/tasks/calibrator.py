"""What is done to logits beyond a temperature, so that probabilities are right as often as they say.

The method is chosen on held-out rows by cross-fitting: each row is answered by what the others fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from nlpkit.metrics.calibration import fit_scaling, fit_temperature
from nlpkit.settings import Settings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Probability = Annotated[float, Field(gt=0, lt=1)]

FOLDS = 5
TIES = 1e-6
"""How much of the probability before a step function is added after it: equal ones keep their order."""


class Steps(Settings):
    """A rising function of one label's probability, linear between points."""

    at: tuple[Finite, ...]
    """Probabilities before, rising."""
    value: tuple[Probability, ...]
    """The probability after, for each of `at`."""


class Calibrator(Settings):
    """A change of the logits after the temperature: scale x logit + bias, or steps of the probabilities."""

    method: Literal["bias", "vector", "isotonic"]
    """`bias`: one for each label; `vector`: also a scale for each (Guo et al. 2017, arXiv:1706.04599);
    `isotonic`: a rising function for each (Zadrozny and Elkan 2002), whose values are brought to sum 1."""
    scale: tuple[Finite, ...] = ()
    """Of each label's logit; fitted after the training, so leave it out."""
    bias: tuple[Finite, ...] = ()
    """Added to each label's logit; fitted after the training, so leave it out."""
    steps: tuple[Steps, ...] = ()


def calibrated(logits: Array, calibrator: Calibrator | None) -> Array:
    """Return (texts, labels): the probabilities that logits, divided by the temperature, stand for."""
    import numpy as np
    from scipy.special import softmax

    if calibrator is None:
        plain: Array = softmax(logits, axis=1)
        return plain
    if not calibrator.steps:
        scaled: Array = softmax(logits * calibrator.scale + calibrator.bias, axis=1)
        return scaled
    before = softmax(logits, axis=1)
    columns = [
        np.interp(column, steps.at, steps.value)
        for column, steps in zip(before.T, calibrator.steps, strict=True)
    ]
    values = np.stack(columns, axis=1) + TIES * before
    stepped: Array = values / values.sum(axis=1, keepdims=True)
    return stepped


def fit_calibration(logits: Array, truth: Array) -> dict[str, Any]:
    """Return the temperature and the calibrator that fit held-out logits best, as far as they are of use.

    Tried are, from the simplest: nothing, a temperature, a bias for each label, vector scaling, isotonic
    regression. By cross-fitted log loss a temperature must beat nothing; the others must beat what is best
    before them by more than one standard error of the difference. As they can change labels, no fewer may be
    right; and they need rows of each label in each fold.

    Args:
        logits: (rows, labels), of rows that the model was not trained on.
        truth: (rows,), the index of the true label.

    Raises:
        DataError: there are no rows, or a logit is not finite.
    """
    import numpy as np

    temperature = fit_temperature(logits, truth)
    if len(truth) < 2 * FOLDS:
        return {"temperature": temperature, "calibrator": None}
    is_in_each_fold = np.bincount(truth, minlength=logits.shape[1]).min() >= FOLDS
    answers = crossfitted(logits, truth, METHODS if is_in_each_fold else METHODS[:2])
    losses = {method: log_losses(probabilities, truth) for method, probabilities in answers.items()}
    right = {method: (answer.argmax(axis=1) == truth).sum() for method, answer in answers.items()}
    best = "none"
    for method, loss in losses.items():
        gain = losses[best] - loss
        needed = gain.std() / np.sqrt(len(gain)) if method in FITS else 0.0
        if gain.mean() > needed and (method not in FITS or right[method] >= right[best]):
            best = method
    return {
        "temperature": 1.0 if best == "none" else temperature,
        "calibrator": FITS[best](logits / temperature, truth) if best in FITS else None,
    }


def crossfitted(logits: Array, truth: Array, methods: tuple[str, ...]) -> dict[str, Array]:
    """Return for each method (rows, labels): the probabilities by what the other folds fitted."""
    import numpy as np
    from scipy.special import softmax

    logits = np.asarray(logits, dtype=float)
    fold = _folds(truth)
    answers = {method: softmax(logits, axis=1) for method in methods}
    for number in range(FOLDS):
        held, others = fold == number, fold != number
        temperature = fit_temperature(logits[others], truth[others])
        for method, probabilities in answers.items():
            if method == "none":
                continue
            fit = FITS.get(method)
            fitted = None if fit is None else fit(logits[others] / temperature, truth[others])
            probabilities[held] = calibrated(logits[held] / temperature, fitted)
    return answers


def _folds(truth: Array) -> Array:
    """Return the fold of each row; each has its share of each label."""
    import numpy as np

    order = np.random.default_rng(0).permutation(len(truth))
    order = order[np.argsort(truth[order], kind="stable")]
    fold = np.empty(len(truth), dtype=int)
    fold[order] = np.arange(len(truth)) % FOLDS
    return fold


def log_losses(probabilities: Array, truth: Array) -> Array:
    """Return (rows,): minus the logarithm of the true label's probability."""
    import numpy as np

    given = probabilities[np.arange(len(truth)), truth]
    losses: Array = -np.log(np.maximum(given, np.finfo(float).eps))
    return losses


def _scaling(method: Literal["bias", "vector"]) -> Callable[[Array, Array], Calibrator]:
    def fit(logits: Array, truth: Array) -> Calibrator:
        scale, bias = fit_scaling(logits, truth, by_label=method == "vector")
        return Calibrator(method=method, scale=tuple(scale.tolist()), bias=tuple(bias.tolist()))

    return fit


def _isotonic(logits: Array, truth: Array) -> Calibrator:
    """Fit a function for each label; its values keep from 0 and 1 as far as the number of rows asks for."""
    from scipy.special import softmax
    from sklearn.isotonic import IsotonicRegression

    ends = 1 / (len(truth) + 2), 1 - 1 / (len(truth) + 2)
    steps = []
    for label, before in enumerate(softmax(logits, axis=1).T):
        fitted = IsotonicRegression(y_min=ends[0], y_max=ends[1]).fit(before, truth == label)
        steps.append(
            Steps(at=tuple(fitted.X_thresholds_.tolist()), value=tuple(fitted.y_thresholds_.tolist()))
        )
    return Calibrator(method="isotonic", steps=tuple(steps))


FITS: Mapping[str, Callable[[Array, Array], Calibrator]] = {
    "bias": _scaling("bias"),
    "vector": _scaling("vector"),
    "isotonic": _isotonic,
}
METHODS = ("none", "temperature", *FITS)
"""From the simplest."""
