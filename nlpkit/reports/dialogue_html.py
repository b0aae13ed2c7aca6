"""A dialogue report as one self-contained page: the run beside its base, whether it uses its context, and what it says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nlpkit.metrics.score import Score
from nlpkit.reports import plots
from nlpkit.reports.dialogue_plots import gains_plot, turns_back_plot
from nlpkit.reports.dialogue_report import ContextGain, ContextUse, DialogueReport, TurnsBack, Verdict
from nlpkit.reports.dialogue_text import (
    HISTORIES,
    Side,
    context_sentences,
    gains,
    judged,
    measured_on,
    sentences,
    use_shown,
)
from nlpkit.reports.html import Track, comparisons, render, track
from nlpkit.reports.wording import VERDICTS, cost_rows, difference, verdict
from nlpkit.reports.wording import Verdict as Word

HEADLINES = ("perplexity", "hits@1", "pmi_hits@1")
"""The scores that stand on top, before the use of context."""
SHOWN_EXCHANGES = 4
"""Conversations that stand open; the rest unfolds."""


@dataclass(frozen=True, kw_only=True)
class Headline:
    """One number on top of the page, beside its rival's."""

    title: str
    unit: str
    ours: Score
    theirs: Score | None
    tracks: tuple[Track | None, Track | None]
    word: Word | None
    tag: str
    note: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class ContextRow:
    """What one history costs the run and its rival."""

    history: str
    ours: ContextGain
    theirs: ContextGain | None


@dataclass(frozen=True, kw_only=True)
class BackRow:
    """The losses of the run and its rival when they see so many turns."""

    turns: int
    ours: TurnsBack
    theirs: TurnsBack | None


def to_html(report: DialogueReport) -> str:
    """The page, whole: style and pictures are inside it."""
    rival = report.rival
    models = {"this run": report.context, **({rival.name: rival.context} if rival else {})}
    scales = {
        name: _scale(score, rival.scores.get(name) if rival else None)
        for name, score in report.scores.items()
    }
    return render(
        "dialogue.html.jinja",
        report=report,
        rival=rival,
        measured=measured_on(report),
        sentences=list(sentences(report)),
        headlines=list(_headlines(report)),
        scores=[] if rival else list(report.scores.items()),
        rows=comparisons(report.scores, rival, scales) if rival else [],
        uses=list(context_sentences(report)),
        context=_context_rows(report),
        back=_back_rows(report),
        judged=judged(report.verdict, rival.name if rival else "its rival") if report.verdict else "",
        shares=_shares(report.verdict),
        plots={
            "gains": gains_plot(models),
            "back": turns_back_plot(models),
            "curve": plots.learning_curve(report.curve),
        },
        costs=cost_rows(report.cost),
        shown_exchanges=SHOWN_EXCHANGES,
    )


def _headlines(report: DialogueReport) -> Iterator[Headline]:
    for name in HEADLINES:
        if name in report.scores:
            yield _score_headline(report, name)
    ours, theirs = gains(report.context), gains(report.rival.context if report.rival else ContextUse())
    if ours:
        name = next(iter(ours))
        yield _context_headline(
            name, use_shown(ours), ours[name].loss, theirs[name].loss if name in theirs else None
        )


def _score_headline(report: DialogueReport, name: str) -> Headline:
    score, rival = report.scores[name], report.rival
    other, test = (rival.scores.get(name), rival.tests.get(name)) if rival else (None, None)
    word = verdict(score, test) if test is not None and test.difference is not None else None
    return Headline(
        title=score.title or name,
        unit="",
        ours=score,
        theirs=other,
        tracks=_tracks(score, other),
        word=word,
        tag=VERDICTS[word] if word else "",
        note=difference(score, test),
        meaning=score.undefined or score.meaning,
    )


def _context_headline(name: str, shown: Side, ours: Score, theirs: Score | None) -> Headline:
    """The use of context has its verdict without a rival: against zero, which is a model that ignores what was said."""
    words: dict[Side, tuple[Word, str]] = {
        "above": ("better", "uses it"),
        "even": ("even", "not shown"),
        "below": ("worse", "misled"),
    }
    word, tag = words[shown]
    start = HISTORIES[name].start[0].lower() + HISTORIES[name].start[1:]
    return Headline(
        title="Use of context",
        unit="nats a token",
        ours=ours,
        theirs=theirs,
        tracks=_tracks(ours, theirs),
        word=None if ours.value is None else word,
        tag=tag,
        note="against 0",
        meaning=ours.undefined or f"What it loses {start}. A model that ignores what was said loses 0.",
    )


def _tracks(ours: Score, theirs: Score | None) -> tuple[Track | None, Track | None]:
    scales = {"": _scale(ours, theirs)}
    return track("", ours, scales), track("", theirs, scales) if theirs else None


def _scale(*scores: Score | None) -> tuple[float, float]:
    """From zero, or what lies below it, to a little more than the largest end of the intervals: one scale for both models."""
    ends = [
        end for one in scores if one is not None for end in (one.value, one.low, one.high) if end is not None
    ]
    low, high = min([0.0, *ends]), max([0.0, *ends])
    return (1.1 * low, 1.1 * high) if high > low else (0.0, 1.0)


def _context_rows(report: DialogueReport) -> list[ContextRow]:
    theirs = gains(report.rival.context) if report.rival else {}
    return [
        ContextRow(history=HISTORIES[name].name, ours=one, theirs=theirs.get(name))
        for name, one in gains(report.context).items()
    ]


def _back_rows(report: DialogueReport) -> list[BackRow]:
    theirs = {one.turns: one for one in report.rival.context.turns_back} if report.rival else {}
    return [
        BackRow(turns=one.turns, ours=one, theirs=theirs.get(one.turns)) for one in report.context.turns_back
    ]


def _shares(found: Verdict | None) -> list[tuple[str, int, float]]:
    """(name, count, percent) of what the judge said."""
    if found is None or not found.wins + found.losses + found.ties:
        return []
    counts: Iterable[tuple[str, int]] = (("won", found.wins), ("ties", found.ties), ("lost", found.losses))
    return [
        (name, count, round(100 * count / (found.wins + found.losses + found.ties), 2))
        for name, count in counts
    ]
