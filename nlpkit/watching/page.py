"""The page and the figures of a watch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpkit.metrics.score import Score
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Panel, Plot, Prose, Series, Table, columns
from nlpkit.run import versions
from nlpkit.watching.naming import Size
from nlpkit.watching.reference import CERTAINTY, LENGTH, UNUSUAL
from nlpkit.watching.watch import Watched
from nlpkit.watching.watcher import DETECTORS, Watcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

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
    promise = f"The probability of a false alarm is at most {watched.alarm_rate:g}, ever."
    if not watched.alarms:
        return [
            f"No change in {watched.texts:,} texts, compared with {watched.reference_rows:,} rows of "
            f"{Path(watched.reference).name}. {promise}"
        ]
    diagnosis, first = watched.diagnosis, watched.alarms[0]
    date = f" ({diagnosis.date})" if diagnosis.date else ""
    lines = [
        f"Changed: {' and '.join(diagnosis.kinds)}, likely since text {first.since:,}{date}. The alarm "
        f"came at text {first.text:,} of {watched.texts:,}, by {first.score} ({first.detector}). {promise}"
    ]
    if diagnosis.is_share_unknown:
        lines.append(
            "The shares of labels may have changed too: since the texts of a label do not look as before, it "
            "is not known. Label some of them, and name their column with --given."
        )
    return lines


def tables(watched: Watched) -> tuple[Table, Table]:
    """Return how large everything is, in the reference and since the change: labels and measures."""
    diagnosis = watched.diagnosis
    since = f"of {diagnosis.texts:,} texts since text {diagnosis.since:,}"
    labels = Table(
        id="labels", title="Shares of labels", nav="Labels",
        note=f"The shares {since}, "
        + ("by their true labels." if watched.with_truth else "corrected for what is confused."),
        columns=columns("Label", "Reference", "Since", "95% interval"),
        rows=tuple(
            (size.label, f"{size.before:.1%}", f"{size.now:.1%}", f"{size.low:.1%} to {size.high:.1%}")
            for size in diagnosis.labels
        ),
    )  # fmt: skip
    measures = Table(
        id="measures", title="Texts and confidence", nav="Texts",
        note=f"Means {since}. Expected by labels: what the reference has where its labels have the "
        "shares of the stream. The intervals hold at all times at once.",
        columns=columns("What", "Reference", "Expected by labels", "Since", "99% interval", "Explained"),
        rows=tuple(
            (TITLES[size.name], *_shown(size), "yes" if size.is_explained else "no")
            for size in diagnosis.measures
        ),
    )  # fmt: skip
    return labels, measures


def _shown(size: Size) -> tuple[str, str, str, str]:
    values = [size.before, size.expected, size.now, size.low, size.high]
    if size.name == LENGTH:
        values = [math.exp(value) - 1 for value in values]
    before, expected, now, low, high = (
        f"{value:.1%}" if size.name == CERTAINTY else f"{value:.2f}" for value in values
    )
    return before, expected, now, f"{low} to {high}"


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
    limits = Prose(id="limits", title="What this does not show", sentences=LIMITS)
    return Report(
        run=watched.run,
        data=f"watch against {Path(watched.reference).name}",
        task="watch",
        measured=f"{watched.texts:,} texts",
        summary=tuple(summary(watched)),
        scores=scores,
        sections=(evidence_plot(watched), answers_plot(watched), *tables(watched), limits),
        limits=LIMITS,
        versions=versions(),
    )


def evidence_plot(watched: Watched) -> Plot:
    """Return each detector's evidence over the stream, on a scale where an alarm is at 0."""
    evidence = np.array([period.evidence for period in watched.periods]).T
    series = _lines(watched, DETECTORS, np.maximum(evidence, SHOWN_EVIDENCE))
    last = ", ".join(f"{each.name} {each.y[-1]:.1f}" for each in series)
    return Plot(
        id="evidence", title="Evidence of a change", nav="Evidence",
        note="Powers of ten; an alarm is given at 0 or above.", words=f"Evidence at the end: {last}",
        panels=(Panel(series=series, zero=True, x="texts", y="log10 of evidence"),),
    )  # fmt: skip


def answers_plot(watched: Watched) -> Plot:
    """Return the mean probability of each label over the stream."""
    texts = np.array([period.texts for period in watched.periods])
    means = np.array([period.mass for period in watched.periods]).T / texts
    squares = np.array([np.diagonal(period.products) for period in watched.periods]).T / texts
    wide = 1.96 * np.sqrt(np.maximum(squares - means**2, 0) / texts)
    series = _lines(watched, [size.label for size in watched.diagnosis.labels], means, wide)
    words = ", ".join(f"{each.name} from {each.y[0]:.2f} to {each.y[-1]:.2f}" for each in series)
    return Plot(
        id="answers", title="Answers over time", nav="Answers",
        note="Mean probability of each label in each part of the stream, with 95% intervals.", words=words,
        panels=(Panel(series=series, x="texts", y_range=(0, 1)),),
    )  # fmt: skip


def _lines(
    watched: Watched, names: Sequence[str], values: NDArray[Any], wide: NDArray[Any] | None = None
) -> tuple[Series, ...]:
    """Return (names, periods) values over the last text of each period, with how wide their intervals are."""
    none = np.zeros((len(names), 0))
    low, high = (none, none) if wide is None else (values - wide, values + wide)
    return tuple(
        Series(
            mark="line", symbol="", name=name, color=number % 6,
            x=tuple(float(period.first + period.texts - 1) for period in watched.periods),
            y=tuple(values[number]), low=tuple(low[number]), high=tuple(high[number]),
        )
        for number, name in enumerate(names)
    )  # fmt: skip


def to_metrics(watched: Watched) -> str:
    """Return the figures in Prometheus' text format, as the textfile collector of its node exporter reads."""
    shares = {size.label: size.now for size in watched.diagnosis.labels}
    meaning = "Estimated share of a label since the change, or of all texts."
    return watcher_metrics(watched) + _gauge("label_share", meaning, "label", shares)


def watcher_metrics(watcher: Watched | Watcher) -> str:
    """Return what needs no estimate, in Prometheus' text format: texts, alarms and evidence."""
    alarmed = {alarm.detector for alarm in watcher.alarms}
    evidence = watcher.periods[-1].evidence if watcher.periods else ()
    return (
        "# HELP nlpkit_watch_texts Texts watched.\n# TYPE nlpkit_watch_texts counter\n"
        f"nlpkit_watch_texts {watcher.texts}\n"
        + _gauge("alarm", "Whether a detector has given an alarm.", "detector",
                 {detector: detector in alarmed for detector in DETECTORS})
        + _gauge("evidence_log10", "Evidence of a change; an alarm is given at 0.", "detector",
                 dict(zip(DETECTORS, evidence, strict=False)))
    )  # fmt: skip


def _gauge(name: str, meaning: str, of: str, values: Mapping[str, float]) -> str:
    name = f"nlpkit_watch_{name}"
    lines = [f"# HELP {name} {meaning}", f"# TYPE {name} gauge"]
    for key, value in values.items():
        label = key.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        lines.append(f'{name}{{{of}="{label}"}} {value:.6g}')
    return "\n".join(lines) + "\n"
