"""A report as one self-contained page: no network, no script, light and dark, for screen, phone and paper.

The page knows sections and scores, and no task.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.metrics.score import Score
from nlpkit.reports import plots
from nlpkit.reports.markdown import cost_rows
from nlpkit.reports.parts import Baseline, Headline, ReportContent, Verdict
from nlpkit.reports.sections import Section, pieces_of
from nlpkit.reports.wording import (
    VERDICTS,
    config_without_folders,
    difference,
    in_interval,
    number,
    p_value,
    verdict,
    visible,
    without_folder,
)

if TYPE_CHECKING:
    from jinja2 import Environment

Scale: TypeAlias = tuple[float, float]

AGAINST: dict[Verdict, str] = {
    "better": "better than",
    "worse": "worse than",
    "differs": "different from",
    "even": "no clear difference from",
}
"""A verdict, to stand before the name of the baseline."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """A score on its scale, all in percent of the width."""

    at: float
    low: float
    width: float
    words: str


@dataclass(frozen=True, kw_only=True)
class Card:
    """One number on top of the page."""

    headline: Headline
    tracks: tuple[Track | None, Track | None]


@dataclass(frozen=True, kw_only=True)
class Conclusion:
    """What a reader takes away: better or worse, and than what."""

    verdict: Verdict
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


@dataclass(frozen=True, kw_only=True)
class Block:
    """A section with those that stand inside of it."""

    section: Section
    inside: tuple[Section, ...]


def to_html(report: ReportContent) -> str:
    """Return the page, whole: style and pictures are inside it."""
    curve = plots.learning_curve(report.curve, report.data_card.unit)
    return environment().get_template("report.html.jinja").render(
        report=report,
        cards=cards(report),
        conclusion=conclusion(report),
        baselines=[(baseline.name, comparisons(report, baseline)) for baseline in report.baselines],
        groups=list(_groups(_blocks(report.sections))),
        curve=curve,
        costs=cost_rows(report.cost),
        others=_others(report),
    )  # fmt: skip


def _others(report: ReportContent) -> dict[str, Score]:
    """Return the scores that neither a card nor a comparison shows."""
    compared = {name for baseline in report.baselines for name in baseline.scores}
    shown = compared if report.headlines else report.scores.keys()
    return {name: score for name, score in report.scores.items() if name not in shown}


def cards(report: ReportContent) -> list[Card]:
    """Return the headlines, or all scores where there are none."""
    headlines = report.headlines or [
        Headline(score=score, title=score.title or name) for name, score in report.scores.items()
    ]
    made = []
    for headline in headlines:
        pair = headline.score, headline.baseline
        scale = scale_of(*pair) if report.headlines else headline.score.scale
        tracks = (track(headline.score, scale), track(headline.baseline, scale))
        made.append(Card(headline=headline, tracks=tracks))
    return made


def conclusion(report: ReportContent) -> Conclusion | None:
    """Return the verdict on the first headline in plain words; None without a baseline."""
    first = report.headlines[0] if report.headlines else None
    if first is None or first.verdict is None or not report.baselines:
        return None
    ours, theirs = first.score, first.baseline
    than = f" ({theirs.shown(theirs.value)})" if theirs else ""
    words = (
        f"{first.title} {ours.shown(ours.value)}: {AGAINST[first.verdict]} {report.baselines[0].name}{than}"
    )
    return Conclusion(verdict=first.verdict, words=words)


def comparisons(report: ReportContent, baseline: Baseline) -> list[Comparison]:
    """Return the metrics that both have, in the order of the report's scores."""
    rows = []
    for name, ours in report.scores.items():
        if name in baseline.scores:
            theirs, test = baseline.scores[name], baseline.tests.get(name)
            scale = scale_of(ours, theirs) if report.headlines else ours.scale
            rows.append(
                Comparison(
                    name=ours.title or name,
                    ours=ours,
                    theirs=theirs,
                    difference=difference(ours, test),
                    p=p_value(test),
                    verdict=verdict(ours, test),
                    tracks=(track(ours, scale), track(theirs, scale)),
                )
            )
    return rows


def scale_of(*scores: Score | None) -> Scale:
    """Return the metric's scale, else one from zero to a little more than the largest end of the intervals.

    One scale for all models.
    """
    known = [score for score in scores if score is not None]
    natural = next((score.scale for score in known if score.scale), None)
    if natural:
        return natural
    ends = [end for score in known for end in (score.value, score.low, score.high) if end is not None]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    return (1.1 * low, 1.1 * high) if high > low else (0.0, 1.0)


def track(score: Score | None, scale: Scale | None) -> Track | None:
    """Return where value and interval lie on the scale; None without a scale or a value."""
    if scale is None or score is None or score.value is None:
        return None
    start, end = scale

    def percent(value: float) -> float:
        return round(100 * min(1.0, max(0.0, (value - start) / (end - start))), 2)

    low = percent(score.value if score.low is None else score.low)
    high = percent(score.value if score.high is None else score.high)
    value = f"{score.shown(score.value)}{in_interval(score)}"
    words = f"{score.title} {value} on a scale from {start:.3g} to {end:.3g}"
    return Track(at=percent(score.value), low=low, width=round(high - low, 2), words=words.strip())


def heat(row: Sequence[Any], count: int) -> dict[str, Any]:
    """Return a cell of a heat table: its share of the row, and how strong its color, 0 to 100."""
    total = sum(cell for cell in row if isinstance(cell, int))
    share = count / total if total else 0.0
    return {"share": f"{share:.0%}", "dark": round(share * 100)}


def shares(counts: dict[str, int]) -> list[tuple[str, int, float]]:
    """Return (name, count, percent) of parts of a whole; empty where there is no whole."""
    total = sum(counts.values())
    if not total:
        return []
    return [(name, count, round(100 * count / total, 2)) for name, count in counts.items()]


def _blocks(sections: Sequence[Section]) -> list[Block]:
    inside: dict[str, list[Section]] = {}
    for section in sections:
        inside.setdefault(section.under, []).append(section)
    return [
        Block(section=section, inside=tuple(inside.get(section.id, ())))
        for section in sections
        if not section.under
    ]


def _groups(blocks: Sequence[Block]) -> Iterator[tuple[bool, list[Block]]]:
    """Yield blocks that follow one another and are alike half as wide as the page, or whole."""
    group: list[Block] = []
    for block in blocks:
        if group and group[0].section.half != block.section.half:
            yield group[0].section.half, group
            group = []
        group.append(block)
    if group:
        yield group[0].section.half, group


@cache
def environment() -> Environment:
    """Return what renders the templates of pages: it escapes all that it is given."""
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
    made.globals.update(verdicts=VERDICTS, heat=heat, shares=shares, pieces_of=pieces_of)
    made.filters["number"] = number
    made.filters["no_folder"] = without_folder
    made.filters["no_folders"] = config_without_folders
    made.filters["draw"] = lambda plot: Markup(plots.draw(plot))  # noqa: S704  # plots.py escapes what it is given
    made.tests["score"] = lambda value: isinstance(value, Score)
    made.tests["count"] = lambda value: isinstance(value, int)
    return made
