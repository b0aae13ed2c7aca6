"""An analysis as one value: what was found, on what, and how, for its page and tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from nlpkit.analysis.about import About
from nlpkit.analysis.cells import Cell, Plan
from nlpkit.analysis.correction import Correction
from nlpkit.analysis.findings import Findings
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.analysis.to_read import Chosen
from nlpkit.data.personal import scan
from nlpkit.metrics.score import Score
from nlpkit.reports.sections import Column, Series

MOST_LABELS = 12
"""Labels that the tables of the page show; the files have all of them."""


@dataclass(frozen=True, kw_only=True)
class Study:
    """All that the page of an analysis shows."""

    rows: ScoredRows
    run: str
    """Of the run that gave the labels; the columns of the file where it is not known."""
    unit: str
    """What a row is, in the plural."""
    label: str
    """The one that the first sentence is about."""
    findings: Findings
    plan: Plan
    correction: Correction
    chosen: Sequence[Chosen]
    about: About
    hash: str
    """Of the file, the run and all settings."""
    tables: str
    """The name of the folder of tables."""
    is_masked: bool
    """Whether personal data in texts is masked."""
    seed: int

    @property
    def is_corrected(self) -> bool:
        """Whether shares are corrected for the classifier's mistakes."""
        return not self.correction.why_not

    @property
    def kind_of_share(self) -> str:
        """What the shares are, in words."""
        return "corrected for the classifier's mistakes" if self.is_corrected else "as counted, not corrected"

    @property
    def shown(self) -> list[str]:
        """The labels in the order of the page: the one that it is about, then the most frequent ones."""
        given = self.findings.counts.whole.given
        labels = self.findings.labels
        order = sorted(labels, key=lambda label: (label != self.label, -given[labels.index(label)]))
        return order[:MOST_LABELS]

    def place(self, column: str) -> int:
        """Return the number of a column of groups, for ids on the page."""
        return list(self.plan.groups).index(column)

    def texts(self, cell: Cell) -> int:
        """Return how many texts a cell has."""
        return self.findings.counts.of(cell).texts

    def score(self, cell: Cell, label: str) -> Score:
        """Return the share of a label in a cell, with its interval and count."""
        number, estimate = self.findings.labels.index(label), self.findings.estimates[cell]
        return Score(
            value=float(estimate.share[number]),
            low=float(estimate.low[number]),
            high=float(estimate.high[number]),
            count=self.texts(cell),
            title=label,
            meaning=f"Share of {self.texts(cell):,} {self.unit}, {self.kind_of_share}",
            higher_is_better=None,
            percent=True,
            scale=(0.0, 1.0),
        )


def counted_share(count: int, of: int) -> Score:
    """Return a share as counted, with its 95% interval (Wilson 1927)."""
    from scipy.stats import binomtest

    if not of:
        return Score(value=None, count=0, undefined="no texts", percent=True)
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return Score(
        value=count / of, low=float(interval.low), high=float(interval.high), count=of,
        higher_is_better=None, percent=True,
    )  # fmt: skip


def in_percent(
    mark: Literal["line", "bars"],
    x: Iterable[float],
    scores: Sequence[Score],
    *,
    color: int = 0,
    symbol: Literal["o", ""] = "o",
    width: float = 0.9,
    opacity: float = 1.0,
) -> Series:
    """Return scores with their intervals as a series in percent."""
    return Series(
        mark=mark,
        x=tuple(x),
        y=tuple(100 * (score.value or 0) for score in scores),
        low=tuple(100 * (score.low or 0) for score in scores),
        high=tuple(100 * (score.high or 0) for score in scores),
        color=color,
        symbol=symbol,
        width=width,
        opacity=opacity,
    )


def thinned(names: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the names below an axis, of which about so many are written."""
    step = max(1, -(-len(names) // most))
    return tuple(name if number % step == 0 else "" for number, name in enumerate(names))


def cut(text: str, longest: int, *, is_masked: bool = False) -> str:
    """Return a text as it is shown: not too long, and masked where that is asked for."""
    shown = scan(text)[0] if is_masked else text
    return f"{shown[:longest]}…" if len(shown) > longest else shown


def columns(*names: str, words: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """Return heads of columns, of which all but the first and those in `words` hold numbers."""
    return tuple(
        Column(name=name, number=number > 0 and name not in words) for number, name in enumerate(names)
    )


def p_shown(p: float) -> str:
    """Return a p-value as people read it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
