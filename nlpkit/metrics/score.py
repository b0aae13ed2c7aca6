"""Scores: a value with its 95% interval, and paired tests between two models on the same rows."""

from __future__ import annotations

from typing import Annotated, ClassVar, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]


class Part(BaseModel):
    """A frozen piece of a report: no unknown keys, no nan."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        from_attributes=True,
        defer_build=True,  # a prediction shows no report
    )


class Score(Part):
    """A number with its 95% interval and all that is needed to read it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    count: int
    """Rows that it was measured on."""
    undefined: str | None = None
    """Why the value, or its interval, is missing."""
    title: str = ""
    meaning: str = ""
    higher_is_better: bool | None = True
    """None for what only describes, such as a length."""
    percent: bool = False
    """Shown as a percentage."""
    scale: tuple[float, float] | None = None
    """The ends of the bar below it; None for a metric without natural ends."""
    hub_name: str = ""
    """What the hub calls the metric, where that is another name."""

    def shown(self, value: float | None) -> str:
        """Return a value of this metric as people read it: `91.3%`, `0.872`, `23.41`, or a dash."""
        if value is None:
            return "–"
        if self.percent:
            return f"{value * 100:.1f}%"
        return f"{value:,.{digits(value)}f}"

    @property
    def interval(self) -> str:
        """95% interval as people read it; empty where there is none."""
        return (
            ""
            if self.low is None or self.high is None
            else f"{self.shown(self.low)} to {self.shown(self.high)}"
        )

    @property
    def shown_with_interval(self) -> str:
        """The value, and its interval in brackets where there is one: `91.3% (90.1% to 92.4%)`."""
        return self.shown(self.value) + (f" ({self.interval})" if self.interval else "")


class PairedTest(Part):
    """How the run differs from a baseline on the same rows: run minus baseline."""

    metric: str
    difference: float | None
    low: float | None = None
    high: float | None = None
    p: Share | None = None
    """Two-sided, by paired bootstrap; None where the difference is undefined."""
    count: int
    resamples: int
    mcnemar_p: Share | None = None
    """Exact, for accuracy only (McNemar 1947)."""
    only_first: int | None = None
    """Rows that only the run gets right, for accuracy only."""
    only_second: int | None = None
    """Rows that only the baseline gets right, for accuracy only."""


class Bin(Part):
    """One bin of the reliability diagram: (low, high], with mean confidence and accuracy of its rows.

    Both are None where the bin is empty.
    """

    low: Share
    high: Share
    count: int
    confidence: Share | None = None
    accuracy: Share | None = None


def digits(value: float) -> int:
    """Return how many decimals leave a number about four digits."""
    return 3 if abs(value) < 10 else 2 if abs(value) < 100 else 1
