"""The page of a loop of labeling: accuracy over labels, the gain of each round, and whether to stop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from nlpkit.labeling.rounds import Round, Verdict
from nlpkit.metrics.score import Score
from nlpkit.reports.keeping import of_run, place, write_report
from nlpkit.reports.parts import Headline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Panel, Plot, Prose, Series, Table
from nlpkit.run import Run, versions
from nlpkit.tasks.task import task_from

PAGE = "labeling"
LIMITS = (
    "The intervals are over the held-out rows. A training with another seed, or other texts to label, would "
    "give other gains.",
    "Gains of the next labels are taken to be no greater than those of the last ones.",
)


_VERDICTS: Mapping[Verdict, str] = {
    "worse": "Warning: the new run is worse than {since}. Look at its training and at the labels, or label "
    "more with {since}.",
    "stop": "Stop: 100 labels were worth less than {points}, by the upper end of the interval.",
    "likely enough": "Likely enough: over the last four rounds, 100 labels were worth less than {points} by "
    "the estimate; the interval leaves it open.",
    "go on": "Go on: 100 more labels may be worth {points} or more.",
}


def write_page(run: Run, rounds: Sequence[Round]) -> str:
    """Write the page of the rounds that led to a run, with JSON and Markdown, and return its path."""
    last = rounds[-1]
    shown = [each for each in rounds if each.held_out == last.held_out]
    scores = {"accuracy": last.accuracy}
    if last.shown is not None:
        scores["gain_per_100"] = last.shown.per_100()
    report = Report(
        **of_run(run),
        data=PAGE,
        task=task_from(run.read().task).kind,
        measured=f"{last.accuracy.count:,} held-out texts",
        summary=tuple(summary(last)),
        scores=scores,
        headlines=tuple(Headline(score=score, title=score.title) for score in scores.values()),
        sections=(_plot(shown), _table(rounds), _rule(last)),
        limits=LIMITS,
        versions=versions(),
    )
    write_report(run, report)
    return str(place(run, PAGE, ".html"))


def summary(last: Round) -> list[str]:
    """Return what the last round gained and what follows, in sentences."""
    if last.shown is None:
        return []
    once, shown = last.gains[0], last.shown
    return [
        f"{last.added:,} labels changed the accuracy by {_points(once.score())}, "
        f"to {last.accuracy.shown_with_interval}, on {once.count:,} held-out texts.",
        f"Since {shown.since}, {shown.labels:,} labels were worth {_points(shown.per_100())} per 100 labels.",
        _VERDICTS[last.verdict].format(points=f"{last.threshold:g} points", since=once.since),
    ]


def _points(score: Score) -> str:
    value, low, high = (f"{each or 0.0:+.1f}" for each in (score.value, score.low, score.high))
    return f"{value} points ({low} to {high})".replace("-", "\u2212")


def _plot(rounds: Sequence[Round]) -> Plot:
    first, last = rounds[0].accuracy, rounds[-1].accuracy
    series = Series(
        mark="line",
        x=tuple(each.labels for each in rounds),
        y=tuple(100 * (each.accuracy.value or 0.0) for each in rounds),
        low=tuple(_percent(each.accuracy.low) for each in rounds),
        high=tuple(_percent(each.accuracy.high) for each in rounds),
    )
    return Plot(
        id="curve", title="Accuracy over labels", nav="Curve",
        note="Labels that were added since the first run; 95% intervals.",
        words=f"Accuracy from {first.shown(first.value)} to {last.shown(last.value)} "
        f"with {rounds[-1].labels - rounds[0].labels:,} labels",
        panels=(Panel(series=(series,), x="labels added", y="accuracy in %"),),
    )  # fmt: skip


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _table(rounds: Sequence[Round]) -> Table:
    heads = ("run", "labels", "in all", "accuracy", "points per 100 labels", "since", "rule")
    rows = []
    for each in rounds:
        gained = (each.shown.per_100(), each.shown.since, each.verdict) if each.shown else (None, None, None)
        rows.append((each.run, each.added, each.labels, each.accuracy, *gained))
    columns = tuple(Column(name=name, number=name in heads[1:5]) for name in heads)
    return Table(id="rounds", title="Rounds", nav="Rounds", columns=columns, rows=tuple(rows))


def _rule(last: Round) -> Prose:
    return Prose(
        id="rule",
        title="When to stop",
        sentences=(
            "Stop when the upper end of the 95% interval of the gain per 100 labels lies below "
            f"{last.threshold:g} points of accuracy.",
            "The gain is a paired difference on the same held-out rows, over the last round, the last two "
            "and the last four; the one whose interval ends lowest decides, and is shown.",
            "Likely enough: over the last four rounds, the estimate itself lies below the threshold.",
        ),
    )
