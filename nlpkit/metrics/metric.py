"""A metric as one object, wherever it is used: to choose a checkpoint, in a report, as an `evaluate.Metric`.

A family of answers names its metrics. To add one, write an object in `labels.py`, `values.py`, `replies.py`
or
`ranking.py` and add it to the tuple at the end of that file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar

from nlpkit.errors import ConfigError, nearest
from nlpkit.metrics.score import Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Statistic: TypeAlias = Callable[[Array], Array]

RESAMPLES = 1000
OWN_RESAMPLES = 200
"""Resamples of a user's own function, which is called once for each: its attribute `resamples` changes that.
"""

Inputs: TypeAlias = Literal["labels", "probabilities", "values", "texts"]
"""What an `evaluate.Metric` takes as predictions; `labels` also takes probabilities."""


class Outcomes(Protocol):
    """What was true and what was predicted, row by row."""

    def __len__(self) -> int: ...
    def same_rows(self, outcomes: Any) -> bool:
        """Whether both hold answers to the same rows, so that they can be compared."""
        ...


class Arrays(Outcomes, Protocol):
    """Outcomes that a user's own function can read."""

    def arrays(self) -> tuple[Array, Array]:
        """Return predictions and references, an entry for each row."""
        ...


Measured = TypeVar("Measured", bound=Outcomes, contravariant=True)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bootstrap:
    """How a metric is resampled: rows are drawn with replacement (Efron 1979)."""

    statistic: Statistic
    """How often each row was drawn, (resamples, rows) -> the metric of each resample, nan where it is
    undefined.
    """
    share: bool = False
    """Whether the metric is a plain share of the rows, which has an exact interval where it is 0 or 1."""
    resamples: int = RESAMPLES


@dataclass(frozen=True, kw_only=True, eq=False)
class Jackknife:
    """For a metric that drawing a row twice would itself change, such as how many words differ.

    Its interval comes from leaving out each row in turn, which gives at least the true variance (Efron and
    Stein 1981).
    """

    without: Array
    """(rows,): the metric without each of the rows."""


def _defined(outcomes: Any) -> str | None:
    return None


def _no_words(outcomes: Any) -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, kw_only=True)
class Metric(Generic[Measured]):
    """How a number is called, computed, resampled and read."""

    name: str
    """Its key in configs, logs and reports."""
    title: str
    meaning: str
    """One line, shown in reports."""
    compute: Callable[[Measured], float]
    """Asked only where `undefined` gives no reason."""
    resample: Callable[[Measured], Bootstrap | Jackknife]
    undefined: Callable[[Measured], str | None] = _defined
    """Why the metric has no value for these outcomes; None where it has one."""
    higher_is_better: bool | None = True
    """None for what only describes, such as a length."""
    percent: bool = False
    """Shown as a percentage."""
    scale: tuple[float, float] | None = None
    """The ends of the bar below the score; None for a metric without natural ends."""
    words: Callable[[Measured], Mapping[str, object]] = _no_words
    """Fills the braces in `title` and `meaning`, such as the number of candidates."""
    right: Callable[[Measured], Array] | None = None
    """(rows,): which rows are right, for a metric that is their share: pairs get McNemar's exact test."""
    hub_name: str = ""
    """What the hub calls it, where that is another name."""
    class_name: str = ""
    """Its `evaluate.Metric` class in `modules.py`; empty for one without."""
    inputs: Inputs = "labels"

    def value(self, outcomes: Measured) -> float | None:
        """Return the metric of the outcomes; None where it is undefined."""
        return None if self.undefined(outcomes) else self.compute(outcomes)

    def score(
        self, outcomes: Measured, value: float | None, interval: tuple[float, float] | None, why: str | None
    ) -> Score:
        """Return the value with all that is needed to read it."""
        words = self.words(outcomes)
        low, high = interval or (None, None)
        return Score(
            value=value,
            low=low,
            high=high,
            count=len(outcomes),
            undefined=why,
            title=self.title.format(**words) if words else self.title,
            meaning=self.meaning.format(**words) if words else self.meaning,
            higher_is_better=self.higher_is_better,
            percent=self.percent,
            scale=self.scale,
            hub_name=self.hub_name,
        )

    @classmethod
    def of_function(
        cls, function: Callable[[Array, Array], Any], name: str, *, where: str = ""
    ) -> Metric[Arrays]:
        """Return the metric that a user's own function computes.

        Args:
            function: takes (predictions, references), an entry for each row: label names, numbers or texts.
                Attributes that
                it may have: `higher_is_better` (default True), `title`, `meaning`, `percent`, `scale` and
                `resamples`.
            name: its key in reports.
            where: what errors call it, such as `mine.py:name`.
        """
        own = _Own(function, where or name)
        return Metric(
            name=name,
            title=str(getattr(function, "title", name)),
            meaning=str(
                getattr(function, "meaning", _first_line(function) or f"The project's own metric {name}.")
            ),
            compute=own.compute,
            resample=own.resample,
            higher_is_better=getattr(function, "higher_is_better", True),
            percent=bool(getattr(function, "percent", False)),
            scale=getattr(function, "scale", None),
        )


def find_metric(name: str, metrics: Sequence[Metric[Measured]]) -> Metric[Measured]:
    """Return the metric of that name.

    Raises:
        ConfigError: there is none.
    """
    known = {metric.name: metric for metric in metrics}
    if name not in known:
        raise ConfigError(f"metric {name!r} is unknown here{nearest(name, known)}")
    return known[name]


def with_own(
    metrics: Sequence[Metric[Measured]], own: Sequence[Metric[Measured]]
) -> tuple[Metric[Measured], ...]:
    """Return the metrics followed by the user's own ones.

    Raises:
        ConfigError: two have the same name.
    """
    every = (*metrics, *own)
    names = [metric.name for metric in every]
    twice = next(
        (metric.name for metric in own if names.count(metric.name) > 1 or metric.name == "loss"), None
    )
    if twice is not None:
        raise ConfigError(f"metric {twice!r}: there is another of that name; hint: rename the function")
    return every


def _first_line(function: Callable[..., Any]) -> str:
    return (function.__doc__ or "").strip().partition("\n")[0]


class _Own:
    """A function of the user's own, called with care."""

    def __init__(self, function: Callable[[Array, Array], Any], where: str) -> None:
        self._function, self._where = function, where

    def compute(self, outcomes: Arrays) -> float:
        value = self._number(*outcomes.arrays())
        if not math.isfinite(value):
            raise ConfigError(f"metric {self._where}: it returned {value}; expected a finite number")
        return value

    def resample(self, outcomes: Arrays) -> Bootstrap:
        import numpy as np

        predictions, references = outcomes.arrays()
        every = np.arange(len(references))

        def statistic(drawn: Array) -> Array:
            rows = (np.repeat(every, counts.astype(int)) for counts in drawn)
            return np.array([self._resampled(predictions[row], references[row]) for row in rows])

        return Bootstrap(
            statistic=statistic, resamples=int(getattr(self._function, "resamples", OWN_RESAMPLES))
        )

    def _resampled(self, predictions: Array, references: Array) -> float:
        """Return the metric of a resample; nan where the function cannot say, as when a label is missing from
        it.
        """
        try:
            value = float(self._function(predictions, references))
        except (ValueError, ArithmeticError):
            return math.nan
        return value if math.isfinite(value) else math.nan

    def _number(self, predictions: Array, references: Array) -> float:
        try:
            returned = self._function(predictions, references)
        except Exception as error:
            raise ConfigError(f"metric {self._where}: it raised {type(error).__name__}: {error}") from error
        try:
            return float(returned)
        except (TypeError, ValueError):
            raise ConfigError(
                f"metric {self._where}: it returned {type(returned).__name__}; expected one number"
            ) from None
