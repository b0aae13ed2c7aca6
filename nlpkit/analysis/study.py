"""An analysis as one value: what was found, on what, and how, for its page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nlpkit.analysis.counts import Cell
from nlpkit.analysis.findings import Findings
from nlpkit.analysis.survey import Plan
from nlpkit.analysis.to_read import Chosen
from nlpkit.data.dates import Period
from nlpkit.metrics.score import Score
from nlpkit.reports.sections import Column, Section


@dataclass(frozen=True, kw_only=True)
class Study:
    """All that the page of an analysis shows."""

    name: str
    """Of the file."""
    run: str
    """Of the run that gave the labels; the columns of the file where it is not known."""
    task: str
    unit: str
    """What a row is, in the plural."""
    about: str
    """The label that the first sentence is about."""
    findings: Findings
    plan: Plan
    chosen: tuple[Chosen, ...]
    why_counted: str = ""
    """Why shares are not corrected; empty where they are."""
    corrected_by: str = ""
    """The labeled rows that the correction is fitted to."""
    likeliest: Mapping[str, float] = field(default_factory=dict)
    """Label -> its share by expectation maximization; empty where shares are not corrected."""
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What was left out, in sentences."""
    methods: tuple[str, ...] = ()
    """How it was done, in sentences to paste."""
    hash: str
    """Of the file, the run and all settings."""
    tables: str
    """The name of the folder of tables."""
    seed: int
    more: tuple[Section, ...] = ()
    """Sections on what the texts are about: themes, and what drives changes."""
    more_sentences: tuple[str, ...] = ()
    """What the first screen says of these."""

    @property
    def every(self) -> Period | None:
        """The periods of the series; None without dates."""
        return self.plan.every

    @property
    def is_corrected(self) -> bool:
        """Whether shares are corrected for the classifier's mistakes."""
        return not self.why_counted

    @property
    def kind_of_share(self) -> str:
        """What the shares are, in words."""
        return "corrected for the classifier's mistakes" if self.is_corrected else "as counted, not corrected"

    @property
    def shown(self) -> list[str]:
        """The labels in the order of the page: the one that it is about, then the most frequent ones."""
        given = self.findings.counts.whole.given
        labels = self.findings.labels
        order = sorted(labels, key=lambda label: (label != self.about, -given[labels.index(label)]))
        return order[:MOST_LABELS]

    def with_methods(self, sentences: tuple[str, ...]) -> Study:
        """Return the same with how it was done."""
        return replace(self, methods=sentences)

    def place(self, column: str) -> int:
        """Return the number of a column of groups, for ids on the page."""
        return [groups.column for groups in self.plan.groups].index(column)


MOST_LABELS = 12
"""Labels that the tables of the page show; the files have all of them."""


def score_of(study: Study, cell: Cell, label: str) -> Score:
    """Return the share of a label in a cell, with its interval and count."""
    findings, number = study.findings, study.findings.labels.index(label)
    estimate, texts = findings.estimates[cell], findings.counts.of(cell).texts
    return Score(
        value=float(estimate.share[number]),
        low=float(estimate.low[number]),
        high=float(estimate.high[number]),
        count=texts,
        title=label,
        meaning=f"Share of {texts:,} {study.unit}, {study.kind_of_share}",
        higher_is_better=None,
        percent=True,
        scale=(0.0, 1.0),
    )


def columns(*names: str, words: tuple[str, ...] = ()) -> tuple[Column, ...]:
    """Return heads of columns, of which all but the first and those in `words` hold numbers."""
    return tuple(
        Column(name=name, number=number > 0 and name not in words) for number, name in enumerate(names)
    )


def p_shown(p: float) -> str:
    """Return a p-value as people read it."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
