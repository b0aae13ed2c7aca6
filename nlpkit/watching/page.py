"""The page and the figures of a watch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlpkit.metrics.score import Score
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Panel, Plot, Prose, Series, Table
from nlpkit.run import versions
from nlpkit.watching.naming import Size
from nlpkit.watching.reference import CERTAINTY, LENGTH, UNUSUAL
from nlpkit.watching.watch import Watched
from nlpkit.watching.watcher import DETECTORS, Period

TITLES = {
    UNUSUAL: "Unusual words (bits a token)",
    LENGTH: "Tokens a text (geometric mean)",
    CERTAINTY: "Certainty (probability of the label)",
}
LIMITS = (
    "The alarm rate is exact while texts of the reference and of the stream are exchangeable: drawn alike, "
    "in any order. A weekly rhythm is a change, if the reference lacks it.",
    "An alarm is exact; what it is called is an estimate. It assumes that a label shift leaves the texts of "
    "a label as they were.",
    "Where a change began is the likeliest text, not a certain one.",
)
SHOWN_EVIDENCE = -4.0
"""Less evidence is drawn as so much."""


def summary(watched: Watched) -> list[str]:
    """Return what was found, in sentences."""
    rate = f"{watched.alarm_rate:g}"
    if not watched.is_alarmed:
        return [
            f"No change in {watched.texts:,} texts, compared with {watched.reference_rows:,} rows of "
            f"{Path(watched.reference).name}. The probability of a false alarm is at most {rate}, ever."
        ]
    diagnosis, first = watched.diagnosis, min(watched.alarms, key=lambda alarm: alarm.text)
    date = f" ({diagnosis.date})" if diagnosis.date else ""
    kinds = " and ".join(diagnosis.kinds)
    lines = [
        f"Changed: {kinds}, likely since text {diagnosis.since:,}{date}. The alarm came at text "
        f"{first.text:,} of {watched.texts:,}, by {first.score} ({first.detector}). The probability of a "
        f"false alarm is at most {rate}, ever."
    ]
    if diagnosis.is_share_unknown:
        lines.append(
            "The shares of labels may have changed too: since the texts of a label do not look as before, it "
            "is not known. Label some of them, and name their column with --given."
        )
    return lines


def label_rows(watched: Watched) -> list[tuple[str, str, str, str]]:
    """Return the share of each label: in the reference, since the change, and its interval."""
    return [
        (size.label, f"{size.before:.1%}", f"{size.now:.1%}", f"{size.low:.1%} to {size.high:.1%}")
        for size in watched.diagnosis.labels
    ]


def measure_rows(watched: Watched) -> list[tuple[str, str, str, str, str, str]]:
    """Return each measure: in the reference, as the labels explain it, since the change, and its interval."""
    return [
        (TITLES[size.name], *_shown(size), "yes" if size.is_explained else "no")
        for size in watched.diagnosis.measures
    ]


def _shown(size: Size) -> tuple[str, str, str, str]:
    import math

    values = [size.before, size.expected, size.now, size.low, size.high]
    if size.name == LENGTH:
        values = [math.exp(value) - 1 for value in values]
    before, expected, now, low, high = (
        f"{value:.1%}" if size.name == CERTAINTY else f"{value:.2f}" for value in values
    )
    return before, expected, now, f"{low} to {high}"


LABEL_HEADS = ("Label", "Reference", "Since", "95% interval")
MEASURE_HEADS = ("What", "Reference", "Expected by labels", "Since", "99% interval", "Explained")


def watch_report(watched: Watched) -> Report:
    """Return what was found as a report, which becomes a page."""
    diagnosis = watched.diagnosis
    scores = {
        f"share of {size.label}": Score(
            value=size.now, low=min(size.low, size.now), high=max(size.high, size.now), count=diagnosis.texts,
            title=f"Share of {size.label}", meaning=f"{size.before:.1%} in the reference",
            higher_is_better=None, percent=True, scale=(0, 1),
        )
        for size in diagnosis.labels
    }  # fmt: skip
    since = f"of {diagnosis.texts:,} texts since text {diagnosis.since:,}"
    return Report(
        run=watched.run,
        data=f"watch against {Path(watched.reference).name}",
        task="watch",
        measured=f"{watched.texts:,} texts",
        summary=tuple(summary(watched)),
        scores=scores,
        sections=(
            evidence_plot(watched),
            answers_plot(watched),
            Table(
                id="labels", title="Shares of labels", nav="Labels",
                note=f"The shares {since}, "
                + ("by their true labels." if watched.with_truth else "corrected for what is confused."),
                columns=_columns(LABEL_HEADS), rows=tuple(label_rows(watched)),
            ),
            Table(
                id="measures", title="Texts and confidence", nav="Texts",
                note=f"Means {since}. Expected by labels: what the reference has where its labels have the "
                "shares of the stream. The intervals hold at all times at once.",
                columns=_columns(MEASURE_HEADS), rows=tuple(measure_rows(watched)),
            ),
            Prose(id="limits", title="What this does not show", sentences=LIMITS),
        ),
        limits=LIMITS,
        versions=versions(),
    )  # fmt: skip


def _columns(names: Sequence[str]) -> tuple[Column, ...]:
    return tuple(Column(name=name, number=number > 0) for number, name in enumerate(names))


def evidence_plot(watched: Watched) -> Plot:
    """Return each detector's evidence over the stream, on a scale where an alarm is at 0."""
    series = [
        Series(
            mark="line", name=detector, x=_ends(watched.periods), color=number, symbol="",
            y=tuple(max(period.evidence[number], SHOWN_EVIDENCE) for period in watched.periods),
        )
        for number, detector in enumerate(DETECTORS)
    ]  # fmt: skip
    last = ", ".join(f"{each.name} {each.y[-1]:.1f}" for each in series)
    return Plot(
        id="evidence", title="Evidence of a change", nav="Evidence",
        note="Powers of ten; an alarm is given at 0 or above.", words=f"Evidence at the end: {last}",
        panels=(Panel(series=tuple(series), zero=True, x="texts", y="log10 of evidence"),),
    )  # fmt: skip


def answers_plot(watched: Watched) -> Plot:
    """Return the mean probability of each label over the stream."""
    import numpy as np

    names = [size.label for size in watched.diagnosis.labels]
    series = []
    for number, name in enumerate(names):
        texts = np.array([period.texts for period in watched.periods])
        means = np.array([period.mass[number] for period in watched.periods]) / texts
        squares = np.array([period.products[number][number] for period in watched.periods]) / texts
        wide = 1.96 * np.sqrt(np.maximum(squares - means**2, 0) / texts)
        series.append(
            Series(
                mark="line", name=name, x=_ends(watched.periods), y=tuple(means.tolist()),
                low=tuple((means - wide).tolist()), high=tuple((means + wide).tolist()),
                color=number % 6, symbol="",
            )
        )  # fmt: skip
    words = ", ".join(f"{each.name} from {each.y[0]:.2f} to {each.y[-1]:.2f}" for each in series)
    return Plot(
        id="answers", title="Answers over time", nav="Answers",
        note="Mean probability of each label in each part of the stream, with 95% intervals.", words=words,
        panels=(Panel(series=tuple(series), x="texts", y_range=(0, 1)),),
    )  # fmt: skip


def _ends(periods: Sequence[Period]) -> tuple[float, ...]:
    """Return the number of the last text of each period."""
    return tuple(period.first + period.texts - 1 for period in periods)


def to_metrics(watched: Watched) -> str:
    """Return the figures in Prometheus' text format, as the textfile collector of its node exporter reads."""
    lines = [
        "# HELP nlpkit_watch_texts Texts watched.", "# TYPE nlpkit_watch_texts counter",
        f"nlpkit_watch_texts {watched.texts}",
        "# HELP nlpkit_watch_alarm Whether a detector has given an alarm.", "# TYPE nlpkit_watch_alarm gauge",
    ]  # fmt: skip
    alarmed = {alarm.detector for alarm in watched.alarms}
    lines += [f'nlpkit_watch_alarm{{detector="{name}"}} {int(name in alarmed)}' for name in DETECTORS]
    lines += [
        "# HELP nlpkit_watch_evidence_log10 Evidence of a change; an alarm is given at 0.",
        "# TYPE nlpkit_watch_evidence_log10 gauge",
        *(
            f'nlpkit_watch_evidence_log10{{detector="{name}"}} {value:.6g}'
            for name, value in zip(DETECTORS, watched.periods[-1].evidence, strict=True)
        ),
        "# HELP nlpkit_watch_label_share Estimated share of a label since the change, or of all texts.",
        "# TYPE nlpkit_watch_label_share gauge",
        *(
            f'nlpkit_watch_label_share{{label="{_escaped(size.label)}"}} {size.now:.6g}'
            for size in watched.diagnosis.labels
        ),
    ]
    return "\n".join(lines) + "\n"


def _escaped(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
