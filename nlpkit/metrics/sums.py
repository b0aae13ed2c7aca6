"""Scores that are made of sums over items, such as nats over tokens, with intervals and paired tests.

A resample draws whole items: all that an item brings is drawn together, and the score is made of what the drawn items sum up to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.intervals import RESAMPLES, draws, exact_share, percentiles, two_sided
from nlpkit.metrics.score import PairedTest, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

NORMAL = 1.959964
"""Half the width of a 95% interval, in standard errors."""

TOO_FEW = "no interval: the items are too few or too alike"


@dataclass(frozen=True, kw_only=True)
class Look:
    """How a score is called and read."""

    title: str
    meaning: str
    higher_is_better: bool | None = True
    percent: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Sums:
    """A score that is a function of the sums of what the items bring; nan where they sum up to nothing."""

    look: Look
    parts: Array
    """(items, parts)."""
    of: Callable[[Array], Array]
    """(samples, parts), the sums of each sample -> (samples,)."""

    @property
    def value(self) -> float | None:
        """The score over all items; None where it is undefined."""
        return _known(float(self.of(self.parts.sum(axis=0, keepdims=True))[0])) if len(self.parts) else None

    def resampled(self, seed: int) -> Array:
        """(resamples,): equal seeds draw the same items, so that two scores of the same items can be compared."""
        import numpy as np

        return np.concatenate(
            [self.of(drawn @ self.parts) for drawn in draws(len(self.parts), RESAMPLES, seed)]
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class LeftOut:
    """A score that looks at all items together, such as how many words differ: to draw an item twice would itself change it.

    Its interval comes from leaving each item out in turn, which tells at least the true variance (Efron and Stein 1981).
    """

    look: Look
    value: float | None
    without: Array
    """(items,): the score without each of the items."""


Measure: TypeAlias = Sums | LeftOut


def ratio(look: Look, over: Any, under: Any = None, *, after: Callable[[Array], Array] | None = None) -> Sums:
    """The sum of `over` divided by that of `under`, by default the number of items; `after` is applied to what comes out."""
    import numpy as np

    top = np.asarray(over, dtype=float)
    bottom = np.ones_like(top) if under is None else np.asarray(under, dtype=float)

    def of(sums: Array) -> Array:
        with np.errstate(invalid="ignore", divide="ignore"):
            found: Array = sums[:, 0] / sums[:, 1]
        return after(found) if after else found

    return Sums(look=look, parts=np.stack([top, bottom], axis=1), of=of)


def score(measure: Measure, *, seed: int, undefined: str = "") -> Score:
    """The value with its 95% interval; where there is no value, `undefined` says why."""
    value, count = measure.value, _count(measure)
    if value is None:
        return missing(measure.look, undefined or "nothing to measure it on", count=count)
    low, high = (
        _exact_or_resampled(measure, value, seed)
        if isinstance(measure, Sums)
        else _left_out(value, measure.without)
    )
    reason = None
    if low is None or high is None or low == high:
        low, high, reason = None, None, TOO_FEW
    return Score(value=value, low=low, high=high, count=count, undefined=reason, **vars(measure.look))


def gain(first: Sums, second: Sums, *, look: Look, seed: int, undefined: str = "") -> Score:
    """First minus second on the same items, paired. Where the two are equal on every item the gain is 0, from 0 to 0."""
    count = len(first.parts)
    if first.value is None or second.value is None:
        return missing(look, undefined or "nothing to measure it on", count=count)
    value = first.value - second.value
    low, high = percentiles(_differences(first, second, seed)) if count > 1 else (None, None)
    if look.percent and abs(value) == 1 and count > 1:
        # Won on all items, or lost on all: as for a share, resampling them can only say so again.
        sure = exact_share(count, count)[0]
        low, high = (sure, 1.0) if value > 0 else (-1.0, -sure)
    return Score(
        value=value, low=low, high=high, count=count, undefined=TOO_FEW if low is None else None, **vars(look)
    )


def paired(name: str, first: Measure, second: Measure, *, seed: int) -> PairedTest:
    """First minus second on the same items: 95% interval and two-sided p.

    Raises:
        ValueError: the two are not of the same kind or the same number of items.
    """
    count = _count(first)
    if count == _count(second) and isinstance(first, Sums) and isinstance(second, Sums):
        found = _paired_sums(first, second, seed)
    elif count == _count(second) and isinstance(first, LeftOut) and isinstance(second, LeftOut):
        found = _paired_left_out(first, second)
    else:
        raise ValueError(f"{name}: a paired test needs two scores of the same kind on the same items")
    return PairedTest(metric=name, count=count, **found)


def missing(look: Look, reason: str, *, count: int = 0) -> Score:
    """A score without a value, and why."""
    return Score(value=None, count=count, undefined=reason, **vars(look))


def _count(measure: Measure) -> int:
    return len(measure.parts if isinstance(measure, Sums) else measure.without)


def _known(value: float) -> float | None:
    return value if value == value else None


def _paired_sums(first: Sums, second: Sums, seed: int) -> dict[str, Any]:
    if first.value is None or second.value is None:
        return {"difference": None, "resamples": RESAMPLES}
    drawn = _differences(first, second, seed)
    low, high = percentiles(drawn)
    p = two_sided(drawn) if len(drawn) else None
    return {
        "difference": first.value - second.value,
        "low": low,
        "high": high,
        "p": p,
        "resamples": RESAMPLES,
    }


def _paired_left_out(first: LeftOut, second: LeftOut) -> dict[str, Any]:
    if first.value is None or second.value is None:
        return {"difference": None, "resamples": 0}
    difference = first.value - second.value
    error = _standard_error(first.without - second.without)
    if error is None:
        return {"difference": difference, "resamples": 0}
    low, high = difference - NORMAL * error, difference + NORMAL * error
    return {
        "difference": difference,
        "low": low,
        "high": high,
        "p": _normal_p(difference, error),
        "resamples": 0,
    }


def _differences(first: Sums, second: Sums, seed: int) -> Array:
    found = first.resampled(seed) - second.resampled(seed)
    known: Array = found[found == found]
    return known


def _exact_or_resampled(measure: Sums, value: float, seed: int) -> tuple[float | None, float | None]:
    share = measure.look.percent and measure.parts.shape[1] == 2 and bool((measure.parts[:, 1] == 1).all())
    if share and value in (0.0, 1.0):
        return exact_share(round(value * len(measure.parts)), len(measure.parts))
    drawn = measure.resampled(seed)
    low, high = percentiles(drawn[drawn == drawn])
    if low is None or high is None or low == high:
        return None, None
    return min(low, value), max(high, value)


def _left_out(value: float, without: Array) -> tuple[float | None, float | None]:
    error = _standard_error(without)
    return (
        (None, None)
        if error is None
        else (max(0.0, value - NORMAL * error), min(1.0, value + NORMAL * error))
    )


def _standard_error(without: Array) -> float | None:
    """The jackknife's: how much the score moves when single items go."""
    import numpy as np

    if len(without) < 2 or not np.isfinite(without).all():
        return None
    return float(np.sqrt((len(without) - 1) * without.var()))


def _normal_p(difference: float, error: float) -> float | None:
    from scipy.stats import norm

    if error == 0:
        return 1.0 if difference == 0 else None
    return float(2 * norm.sf(abs(difference) / error))
