"""Reports of nlpkit 0.1, format 1, which had a class for classifiers and one for chat models."""

from __future__ import annotations

import json
from typing import Any

from pydantic import AwareDatetime, Field

from nlpkit.metrics.labels import LABEL_METRICS
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ranking import RANKING_METRICS
from nlpkit.metrics.replies import REPLY_METRICS
from nlpkit.metrics.score import Bin, Part, Score
from nlpkit.metrics.values import VALUE_METRICS
from nlpkit.reports import certainty_sections, label_sections, label_tables, value_sections
from nlpkit.reports.parts import Baseline, Cost, DataCard, ReportContent, Step
from nlpkit.reports.reply_findings import ContextUse, Exchange, JudgeVerdict, ReplyFindings
from nlpkit.reports.reply_sections import REPLY_SECTIONS, reply_count, reply_headlines, reply_summary
from nlpkit.reports.sections import Section

_METRICS: tuple[Metric[Any], ...] = (*LABEL_METRICS, *VALUE_METRICS, *RANKING_METRICS, *REPLY_METRICS)


class _ClassScore(Part):
    label: str
    precision: float | None
    recall: float | None
    f1: float | None
    support: int


class _Histogram(Part):
    name: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


class _Mistake(Part):
    text: str
    truth: str
    predicted: str
    probability: float | None = None
    where: str = ""


class _Findings(Part):
    labels: tuple[str, ...] = ()
    per_class: tuple[_ClassScore, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    reliability: tuple[Bin, ...] = ()
    histograms: tuple[_Histogram, ...] = ()
    points: tuple[tuple[float, float], ...] = ()
    worst: tuple[_Mistake, ...] = ()
    mistakes: int = 0


class _Old(Part):
    format: int
    kind: str
    run: str
    data: str
    created: AwareDatetime
    seed: int | None = None
    scores: dict[str, Score]
    curve: tuple[Step, ...] = ()
    data_card: DataCard = DataCard()
    cost: Cost = Cost()
    config: str = ""
    versions: dict[str, str] = Field(default={})

    @property
    def shared(self) -> dict[str, Any]:
        names = ("run", "data", "created", "seed", "curve", "data_card", "cost", "config", "versions")
        return {**{name: getattr(self, name) for name in names}, "scores": _known(self.scores)}


class _OldClassifier(_Old):
    findings: _Findings = _Findings()
    baselines: tuple[Baseline, ...] = ()


class _Rival(Baseline):
    context: ContextUse = ContextUse()


class _OldDialogue(_Old):
    conversations: int | None = None
    replies: int | None = None
    candidates: int = 20
    context: ContextUse = ContextUse()
    rival: _Rival | None = None
    exchanges: tuple[Exchange, ...] = ()
    verdict: JudgeVerdict | None = None


def read(text: str) -> ReportContent | None:
    """Return the content of a report in format 1; None where the text is none.

    Raises:
        ValidationError: it is one, and broken.
    """
    try:
        tree = json.loads(text)
    except ValueError:
        return None
    if not isinstance(tree, dict) or tree.get("format") != 1:
        return None
    if tree.get("kind") == "dialogue":
        return _dialogue(_OldDialogue.model_validate_json(text))
    old = _OldClassifier.model_validate_json(text)
    return _values(old) if old.kind == "values" else _labels(old)


def _labels(old: _OldClassifier) -> ReportContent:
    findings = old.findings
    count = max((score.count for score in old.scores.values()), default=0)
    sections: list[Section | None] = []
    if findings.confusion:
        sections.append(label_tables.confusion_table(findings.labels, findings.confusion))
        rows = [(row.label, row.precision, row.recall, row.f1, row.support) for row in findings.per_class]
        sections.append(label_tables.each_label_table(rows))
    sections += [
        certainty_sections.reliability_plot(findings.reliability),
        label_tables.probability_plot([(row.name, row.edges, row.counts) for row in findings.histograms]),
        _mistakes(
            findings, f"{findings.mistakes:,} of {count:,} texts are wrong. " if findings.mistakes else ""
        ),
    ]
    return ReportContent(
        task="polarity",
        summary=label_sections.label_summary(old.scores, old.baselines),
        sections=tuple(section for section in sections if section),
        baselines=_known_baselines(old.baselines),
        limits=label_tables.few_texts([(row.label, row.support) for row in findings.per_class]),
        **old.shared,
    )


def _values(old: _OldClassifier) -> ReportContent:
    findings = old.findings
    true, predicted = [true for true, _ in findings.points], [predicted for _, predicted in findings.points]
    sections: list[Section | None] = [value_sections.scatter_plot(true, predicted)]
    sections += [value_sections.error_plot(row.edges, row.counts) for row in findings.histograms[:1]]
    sections.append(_mistakes(findings, title="The largest errors"))
    return ReportContent(
        task="intensity",
        summary=value_sections.value_summary(old.scores, old.baselines),
        sections=tuple(section for section in sections if section),
        baselines=_known_baselines(old.baselines),
        **old.shared,
    )


def _dialogue(old: _OldDialogue) -> ReportContent:
    rival = old.rival
    baseline = (
        Baseline(name=rival.name, scores=rival.scores, tests=rival.tests, details=rival.context.details)
        if rival
        else None
    )
    findings = ReplyFindings(
        scores=old.scores,
        candidates=old.candidates,
        context=old.context,
        baseline=baseline,
        baseline_context=rival.context if rival else ContextUse(),
        exchanges=old.exchanges,
        verdict=old.verdict,
    )
    sections = (make(findings) for make in REPLY_SECTIONS)
    count = old.replies or max((score.count for score in old.scores.values()), default=0)
    shared = old.shared
    return ReportContent(
        **{**shared, "data_card": old.data_card.model_copy(update={"unit": "conversations"})},
        task="dialogue",
        unit="replies",
        measured=reply_count(count, old.conversations),
        summary=reply_summary(findings),
        details=old.context.details,
        headlines=reply_headlines(findings),
        sections=tuple(section for section in sections if section),
        baselines=_known_baselines((baseline,) if baseline else ()),
    )


def _mistakes(findings: _Findings, counted: str = "", **title: str) -> Section | None:
    examples = [
        label_tables.mistake(
            text=row.text,
            truth=row.truth,
            predicted=row.predicted,
            confidence=row.probability,
            where=row.where,
        )
        for row in findings.worst
    ]
    return label_tables.mistakes(examples, counted, **title)


def _known(scores: dict[str, Score]) -> dict[str, Score]:
    """Return the scores with what a format 1 report did not hold of their metrics."""
    metrics = {metric.name: metric for metric in _METRICS}
    known = {
        name: score.model_copy(update={"scale": metrics[name].scale, "hub_name": metrics[name].hub_name})
        for name, score in scores.items()
        if name in metrics
    }
    return {name: known.get(name, score) for name, score in scores.items()}


def _known_baselines(baselines: tuple[Baseline, ...]) -> tuple[Baseline, ...]:
    return tuple(baseline.model_copy(update={"scores": _known(baseline.scores)}) for baseline in baselines)
