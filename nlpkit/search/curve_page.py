"""The page of a learning curve: what the score is, how it grew, and what more labels would bring."""

from __future__ import annotations

import statistics
from typing import Any

from nlpkit.config import to_yaml
from nlpkit.metrics.score import Score
from nlpkit.reports.headline import score_headline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Panel, Plot, Series, Table, columns
from nlpkit.run import versions
from nlpkit.search.curve import Curve
from nlpkit.search.trainings import limits

LIMITS = (
    "The fit goes on as the scores did: texts of another kind, or better labels, are another curve.",
    "Labels to choose on are counted in each size; the test rows are not.",
    "The interval holds test rows and draws, not that a power law may be the wrong shape.",
)


def curve_report(curve: Curve, settings: Any, named: str) -> Report:
    """Return a learning curve as a report.

    Args:
        curve: what was measured.
        settings: of the config.
        named: what was drawn, in words.
    """
    scores = scores_of(curve)
    shown = {"score": scores[-1]} | ({"gain": _gain(curve)} if curve.gain else {})
    return Report(
        run=settings.name,
        data=named,
        task=settings.task.kind,
        seed=settings.seed,
        measured=f"{curve.test_rows:,} test texts, by {len(curve.sizes) * len(curve.values[0])} runs",
        summary=tuple(summary(curve)),
        scores=shown,
        headlines=(score_headline(shown, None, "score"),),
        sections=(_plot(curve, scores), _table(curve, scores), limits(LIMITS)),
        limits=LIMITS,
        config=to_yaml(settings),
        versions=versions(),
    )


def summary(curve: Curve) -> list[str]:
    """Return what was found, in sentences."""
    largest, metric = curve.sizes[-1], curve.metric
    lines = [f"With {largest:,} labels: {metric.title} {scores_of(curve)[-1].shown_with_interval}."]
    if curve.gain is None:
        return [*lines, "No fit: it needs at least 3 sizes."]
    gain, low, high = (
        f"{value * 100:+.1f} points" if metric.percent else f"{value:+.3f}" for value in curve.gain
    )
    lines.append(
        f"Twice as many ({2 * largest:,}) would bring {gain} (95% interval {low} to {high}), by a power law "
        f"through {len(curve.sizes)} sizes."
    )
    if curve.gain[1] <= 0 <= curve.gain[2]:
        lines.append("The interval holds 0: more labels may bring nothing.")
    return lines


def scores_of(curve: Curve) -> list[Score]:
    """Return the mean score of each size with its interval."""
    means = map(statistics.fmean, curve.values)
    return [
        Score(
            value=mean, low=min(low, mean), high=max(high, mean), count=curve.test_rows,
            title=curve.metric.title, meaning=f"Mean of {len(curve.values[0])} draws of {size:,} labels.",
            higher_is_better=curve.metric.higher_is_better, percent=curve.metric.percent,
            scale=curve.metric.scale,
        )
        for size, mean, (low, high) in zip(curve.sizes, means, curve.intervals, strict=True)
    ]  # fmt: skip


def _gain(curve: Curve) -> Score:
    gain, low, high = curve.gain or (0.0, 0.0, 0.0)
    return Score(
        value=gain, low=min(low, gain), high=max(high, gain), count=curve.test_rows,
        title="What twice as many labels would bring",
        meaning=f"By the fit, from {curve.sizes[-1]:,} to {2 * curve.sizes[-1]:,} labels.",
        higher_is_better=None, percent=curve.metric.percent,
    )  # fmt: skip


def _plot(curve: Curve, scores: list[Score]) -> Plot:
    x = tuple(float(size) for size, values in zip(curve.sizes, curve.values, strict=True) for _ in values)
    series = [Series(mark="points", x=x, y=tuple(value for values in curve.values for value in values))]
    if curve.line:
        x, y, low, high = zip(*curve.line, strict=True)
        series.append(Series(mark="line", symbol="", name="power law", color=1, x=x, y=y, low=low, high=high))
    ends = f"{curve.sizes[0]:,} labels {scores[0].shown_with_interval}"
    return Plot(
        id="labels", title="The score over the number of labels", nav="Over labels",
        note="A point is a run. The band is the 95% interval of the fit, which goes on to twice the labels.",
        panels=(Panel(series=tuple(series), x="labels", y=curve.metric.title),),
        words=f"{curve.metric.title}: from {ends} to {' '.join(summary(curve))}", height=1.6,
    )  # fmt: skip


def _table(curve: Curve, scores: list[Score]) -> Table:
    rows = []
    for size, values, score in zip(curve.sizes, curve.values, scores, strict=True):
        spread = score.shown(statistics.stdev(values)) if len(values) > 1 else None
        rows.append((f"{size:,}", len(values), score, spread))
    law = curve.law
    fitted = (
        f"Fit: {law.limit:.4g} {'-' if law.sign > 0 else '+'} {law.factor:.4g} (n / {law.unit:,.0f}) ^ "
        f"-{law.exponent:.3g}, with intervals from {curve.fits:,} resamples."
        if law
        else ""
    )
    return Table(
        id="sizes", title="Size by size", nav="Size by size",
        note=f"On the same {curve.test_rows:,} test texts.", caption=fitted, rows=tuple(rows),
        columns=columns("labels", "draws", f"mean {curve.metric.title}", "standard deviation"),
    )  # fmt: skip
