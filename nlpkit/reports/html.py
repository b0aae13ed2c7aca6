"""A report as one self-contained page: no network, no script, light and dark, for screen, phone and paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.metrics.score import Score
from nlpkit.reports import plots
from nlpkit.reports.report import Baseline, Report
from nlpkit.reports.wording import (
    VERDICTS,
    Verdict,
    cost_rows,
    difference,
    p_value,
    shown_share,
    surely,
    verdict,
    visible,
)

if TYPE_CHECKING:
    from jinja2 import Environment

SCALES: dict[str, tuple[float, float]] = {
    "accuracy": (0, 1),
    "macro_f1": (0, 1),
    "auroc": (0, 1),
    "mcc": (-1, 1),
    "brier": (0, 2),
    "expected_calibration_error": (0, 0.5),
    "pearson": (-1, 1),
    "spearman": (-1, 1),
}
"""The ends of the little scale below a score; metrics without natural ends have none."""
SHOWN_MISTAKES = 10
"""Worst mistakes that stand open; the rest unfolds."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """A score on its scale, all in percent of the width."""

    at: float
    low: float
    width: float
    words: str


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One line of the table against a baseline."""

    name: str
    ours: Score
    theirs: Score
    difference: str
    p: str
    verdict: Verdict
    tracks: tuple[Track | None, Track | None]


def to_html(report: Report) -> str:
    """The page, whole: style and pictures are inside it."""
    findings = report.findings
    return render(
        "report.html.jinja",
        report=report,
        findings=findings,
        sentences=list(sentences(report)),
        cards=[(name, score, track(name, score)) for name, score in report.scores.items()],
        baselines=[(one.name, comparisons(report.scores, one)) for one in report.baselines],
        texts=_count(report),
        plots={
            "curve": plots.learning_curve(report.curve),
            "reliability": plots.reliability_diagram(findings.reliability),
            "histograms": "" if report.kind == "values" else plots.histograms(findings.histograms),
            "residuals": plots.residuals(findings.histograms[0])
            if report.kind == "values" and findings.histograms
            else "",
            "scatter": plots.scatter(findings.points),
        },
        costs=cost_rows(report.cost),
        heat=heat,
        shown_mistakes=SHOWN_MISTAKES,
    )


def render(template: str, **values: Any) -> str:
    """A page of `templates/`: whatever it is given is text, and escaped."""
    return _environment().get_template(template).render(**values)


def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    made = Environment(
        loader=PackageLoader("nlpkit.reports", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else visible(value),
    )
    made.globals["verdicts"] = VERDICTS
    made.filters["share"] = shown_share
    made.filters["svg"] = Markup  # plots.py escapes what it is given
    return made


def _count(report: Report) -> int:
    return max((score.count for score in report.scores.values()), default=0)


def sentences(report: Report) -> Iterator[str]:
    """The answer in plain words: how good, against what, and how far its confidence can be trusted."""
    accuracy, error = report.scores.get("accuracy"), report.scores.get("expected_calibration_error")
    pearson, mae = report.scores.get("pearson"), report.scores.get("mae")
    if accuracy is not None and accuracy.value is not None:
        yield f"It gets {accuracy.shown(accuracy.value)} of {_count(report):,} texts right{surely(accuracy)}."
    if pearson is not None and pearson.value is not None:
        yield f"Its values correlate with people's at r = {pearson.shown(pearson.value)}{surely(pearson)}."
    if mae is not None and mae.value is not None:
        yield f"On average it is {mae.shown(mae.value)} off."
    for baseline in report.baselines:
        yield from _against(report, baseline)
    if error is not None and error.value is not None:
        yield f"How sure it says it is and how often it is right differ by {error.shown(error.value)} on average."


def _against(report: Report, baseline: Baseline) -> Iterator[str]:
    """One sentence on the first score that was tested."""
    for name, score in report.scores.items():
        test = baseline.tests.get(name)
        if test is not None and test.difference is not None:
            words = {"better": "better than", "worse": "worse than", "even": "not shown to differ from"}[
                verdict(score, test)
            ]
            yield f"In {score.title or name} it is {words} {baseline.name}: {difference(score, test)}."
            return


def comparisons(
    scores: Mapping[str, Score], baseline: Baseline, scales: Mapping[str, tuple[float, float]] = SCALES
) -> Sequence[Comparison]:  # fmt: skip
    """The metrics that both have, in the order of `scores`."""
    return [
        Comparison(
            name=ours.title or name,
            ours=ours,
            theirs=baseline.scores[name],
            difference=difference(ours, baseline.tests.get(name)),
            p=p_value(baseline.tests.get(name)),
            verdict=verdict(ours, baseline.tests.get(name)),
            tracks=(track(name, ours, scales), track(name, baseline.scores[name], scales)),
        )
        for name, ours in scores.items()
        if name in baseline.scores
    ]


def track(name: str, score: Score, scales: Mapping[str, tuple[float, float]] = SCALES) -> Track | None:
    """Where value and interval lie on the metric's scale; None without a scale or a value."""
    if name not in scales or score.value is None:
        return None
    start, end = scales[name]

    def percent(value: float) -> float:
        return round(100 * min(1.0, max(0.0, (value - start) / (end - start))), 2)

    low = percent(score.value if score.low is None else score.low)
    high = percent(score.value if score.high is None else score.high)
    words = f"{score.title or name} {score.shown(score.value)}{surely(score)} on a scale from {start:.3g} to {end:.3g}"
    return Track(at=percent(score.value), low=low, width=round(high - low, 2), words=words)


def heat(row: Sequence[int], count: int) -> dict[str, Any]:
    """A cell of the confusion matrix: its share of the row, and how strong its colour, 0 to 100."""
    share = count / sum(row) if sum(row) else 0.0
    return {"share": f"{share:.0%}", "dark": round(share * 100)}
