"""The page of an analysis: its answer in a sentence, and the sections that bear it out."""

from __future__ import annotations

from nlpkit.analysis.about_sections import about_sections
from nlpkit.analysis.cells import ALL
from nlpkit.analysis.changes import FEWEST_PERIODS
from nlpkit.analysis.driver_sections import driver_sections, driver_sentences
from nlpkit.analysis.findings import Change
from nlpkit.analysis.methods import methods_of
from nlpkit.analysis.share_sections import MOST_CARDS, group_sections, share_table
from nlpkit.analysis.study import Study
from nlpkit.analysis.text_sections import reading_sections
from nlpkit.analysis.time_sections import time_sections
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Prose, Section
from nlpkit.run import versions
from nlpkit.trust.shares import FEWEST


def report_of(study: Study) -> Report:
    """Return the page's content."""
    left_out = notes_of(study)
    sections: list[Section] = [
        share_table(study),
        *time_sections(study),
        *group_sections(study),
        *about_sections(study),
        *driver_sections(study),
        *reading_sections(study),
    ]
    if left_out:
        sections.append(Prose(id="left-out", title="What was left out", nav="Left out", sentences=left_out))
    sections.append(
        Prose(
            id="methods",
            title="Methods, to paste",
            nav="Methods",
            sentences=(" ".join(methods_of(study)),),
            closing=f"Hash of this analysis: {study.hash}.",
        )
    )
    return Report(
        run=study.run,
        data=str(study.rows.source),
        task="several labels a text" if study.rows.is_set else "one label a text",
        what="Analysis",
        title=study.rows.source.name,
        method=f"Intervals: 95%. Made with nlpkit; the numbers are in {study.tables}/. Hash: {study.hash}.",
        unit=study.unit,
        seed=study.seed,
        measured=f"{study.texts(ALL):,} {study.unit}",
        summary=tuple(answer(study)),
        warnings=study.correction.warnings,
        scores={label: study.score(ALL, label) for label in study.shown[:MOST_CARDS]},
        sections=tuple(sections),
        versions=versions(),
    )


def notes_of(study: Study) -> tuple[str, ...]:
    """Return what was left out, in sentences."""
    notes = list(study.plan.notes)
    texts, given = study.texts(ALL), int(study.findings.counts.whole.given.sum())
    if given < texts and not study.rows.is_set and not study.is_corrected:
        notes.append(
            f"{texts - given:,} of {texts:,} texts have none of the labels in the column "
            f"{study.rows.answer!r}: the shares sum to {given / texts:.1%}."
        )
    if study.plan.every and not study.findings.series:
        notes.append(
            f"Fewer than {FEWEST_PERIODS} periods have {FEWEST} texts or more, so that a change cannot be "
            "distinguished from noise. None is tested for."
        )
    if few := study.findings.few:
        notes.append(
            f"Fewer than {FEWEST} texts in {len(few):,} of the groups, periods and combinations of them "
            f"({sum(few.values()):,} together): no shares of their own. They count in the whole."
        )
    return (*notes, *study.about.notes)


def answer(study: Study) -> list[str]:
    """Return what was found, in sentences; the first one is the answer."""
    findings, label = study.findings, study.label
    score = study.score(ALL, label)
    first = (
        f"{_percent(score.value)} of {score.count:,} {study.unit} are {label} "
        f"({_percent(score.low)} to {_percent(score.high)}"
        f"{'' if study.is_corrected else ', as counted'})"
    )
    apart = [each for each in findings.differences if each.label == label and each.is_shown]
    if apart and (most := max(apart, key=lambda each: each.difference)).difference > 0:
        share = study.score(most.cell, label)
        first += f", most in {most.cell.name} ({_percent(share.value)}, {_percent(share.low)} to "
        first += f"{_percent(share.high)})"
    changes = findings.changes_of(ALL, label)
    if changes:
        first += f"; since {changes[-1].since} it {_moved(changes[-1])}"
    lines = [f"{first}."]
    others = [each for each in findings.changes if each not in changes[-1:]]
    if others:
        named = [
            f"{_place(each)}{each.label} {_moved(each)} since {each.since}"
            for each in sorted(others, key=lambda each: -abs(each.difference))[:3]
        ]
        lines.append(f"Other changes: {'; '.join(named)}.")
    elif findings.series and not findings.changes:
        lines.append(f"No change over time stands out from noise in any of {findings.series} series.")
    if findings.differences:
        shown = [each for each in findings.differences if each.is_shown]
        lines.append(
            f"{len(shown)} of {len(findings.differences)} differences between groups and the rest are shown, "
            "all comparisons considered (Holm, 5%)."
        )
    return [*lines, *driver_sentences(study)]


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    shown = f"{100 * value:.0f}%"
    return f"{100 * value:.1f}%" if shown in ("0%", "100%") and 0 < value < 1 else shown


def _place(change: Change) -> str:
    return f"{change.cell.name}: " if change.cell != ALL else ""


def _moved(change: Change) -> str:
    verb = "rose" if change.difference > 0 else "fell"
    points = 100 * abs(change.difference)
    low, high = sorted((100 * abs(change.low), 100 * abs(change.high)))
    low = 0.0 if change.low * change.high < 0 else low
    return f"{verb} by {points:.1f} points ({low:.1f} to {high:.1f})"
