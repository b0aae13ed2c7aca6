"""The page of an audit."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlpkit.metrics.score import Score
from nlpkit.reports.keeping import place, show_audit_in_card, write_report
from nlpkit.reports.parts import Baseline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import (
    Column,
    Example,
    Message,
    Panel,
    Plot,
    Prose,
    Section,
    Series,
    Table,
    Tag,
    Texts,
)
from nlpkit.run import Run, versions
from nlpkit.tasks.task import task_from
from nlpkit.trust.audit import Audit
from nlpkit.trust.audit_file import FileAudit
from nlpkit.trust.gaps import Gap, largest

SHOWN = 20  # gaps in the plot, pairs of texts, names in a sentence
LIMITS = (
    "Groups of people by ethnicity are measured by first names, which stand for more than that.",
    "The sentences are English, short and made for this audit; equal answers to them do not show equal "
    "answers elsewhere.",
    "A gap says that answers differ, not which of them is right.",
)


def write_audit(run: Run, audit: Audit) -> str:
    """Write an audit's page, JSON and Markdown, and its largest gaps into the run's card; return the page."""
    report = audit_report(audit, task=task_from(run.read().task).kind)
    write_report(run, report)
    show_audit_in_card(run, report)
    return str(place(run, report.data, ".html"))


def audit_report(audit: Audit, *, task: str) -> Report:
    """Return an audit as a report."""
    of_file = file_sections(audit.file) if audit.file else []
    limits = Prose(id="limits", title="What this does not show", sentences=LIMITS)
    sections = (gap_plot(audit), gap_table(audit), *of_file, limits)
    theirs = audit.compared
    return Report(
        run=audit.run,
        data=f"audit {Path(audit.file.name).name}" if audit.file else "audit",
        task=task,
        unit="sentences",
        measured=f"{audit.sentences:,} sentences",
        summary=tuple(summary(audit)),
        scores=_scores(audit),
        baselines=(Baseline(name=theirs.run, scores=_scores(theirs)),) if theirs else (),
        sections=sections,
        limits=LIMITS,
        versions=versions(),
    )


def summary(audit: Audit) -> list[str]:
    """Return what was found, in sentences."""
    worst, real = audit.worst, [gap for gap in audit.gaps if gap.is_significant]
    changed, control = audit.changed
    lines = [
        f"{len(real)} of {len(audit.gaps)} groups are scored apart from what they are compared with, all "
        f"comparisons considered (Holm, 5%). The largest gap is {worst.gap:+.3f} for {worst.group}, compared "
        f"with {worst.against}.",
        f"Another group changes {changed:.1%} of the labels; another person of the same group changes "
        f"{control:.1%}.",
    ]
    if audit.compared and audit.gap_closed is not None:
        word = "smaller" if audit.gap_closed >= 0 else "larger"
        lines.append(
            f"The largest gap is {abs(audit.gap_closed):.0%} {word} than that of {audit.compared.run}."
        )
    if audit.file:
        lines += _file_summary(audit.file)
        if audit.compared and audit.file.accuracy is not None and audit.file.accuracy_paid is None:
            lines.append(f"{audit.compared.run} answers with other labels, so that accuracy is not compared.")
    return lines


def _file_summary(file: FileAudit) -> list[str]:
    lines = [f"{file.naming:,} of {file.texts:,} texts name a group of people."]
    if changing := [gap for gap in file.gaps if gap.changed]:
        most = max(changing, key=lambda gap: gap.changed)
        lines.append(f"Exchanging {most.name} changes {most.changed:.1%} of {most.count:,} labels, the most.")
    elif file.gaps:
        lines.append(f"Exchanging groups changes no label, for {len(file.gaps)} pairs of groups.")
    if file.left_out:
        few = [f"{pair} ({count})" for pair, count in file.left_out.items()]
        more = f", and {len(few) - SHOWN} more" if len(few) > SHOWN else ""
        lines.append(f"Too few texts for figures of their own: {', '.join(few[:SHOWN])}{more}.")
    if file.odds:
        odds = file.odds[0]
        lines.append(
            f"The largest difference from equalized odds is {odds.difference:.3f}: {odds.rate} of "
            f"{odds.label!r}, more often for {odds.highest} than for {odds.lowest}."
        )
    if file.accuracy is not None:
        lines.append(f"Accuracy is {file.accuracy:.1%}.")
    if paid := file.accuracy_paid:
        low, high = 100 * paid["low"], 100 * paid["high"]
        lines.append(
            f"That is {-100 * paid['difference']:+.1f} points (95% interval {-high:+.1f} to {-low:+.1f}) "
            "from what it is compared with."
        )
    return lines


def _scores(audit: Audit) -> dict[str, Score]:
    worst, (changed, control) = audit.worst, audit.changed
    low, high = sorted((abs(worst.low), abs(worst.high)))
    return {
        "largest_gap": Score(
            value=abs(worst.gap),
            low=low if worst.low * worst.high > 0 else 0.0,
            high=high,
            count=audit.sentences,
            title="Largest score gap",
            meaning=f"of {worst.group}, compared with {worst.against}; scores are from -1 to 1",
            higher_is_better=False,
        ),
        "changed": Score(
            value=changed,
            count=audit.sentences,
            title="Labels that change with the group",
            meaning=f"mean over groups; {control:.1%} change from one person to another of the same group",
            higher_is_better=False,
            percent=True,
        ),
    }


def gap_plot(audit: Audit) -> Plot:
    """Return the largest gaps with their intervals, compared with another run's of the same groups."""
    shown = largest(audit.gaps)[:SHOWN]
    runs = [audit, *([audit.compared] if audit.compared else [])]
    series = []
    for color, of_run in enumerate(runs):
        known = gaps_of(of_run)
        gaps = [known[gap.kind, gap.group] for gap in shown]
        offset = 0.2 * (2 * color - 1) if audit.compared else 0.0
        series.append(
            Series(
                mark="bars",
                name=of_run.run if audit.compared else "",
                x=tuple(row + offset for row in range(len(gaps))),
                y=tuple(gap.gap for gap in gaps),
                low=tuple(gap.low for gap in gaps),
                high=tuple(gap.high for gap in gaps),
                color=color,
                symbol="s" if color else "o",
                width=0.4 if audit.compared else 0.7,
                opacity=0.35,
            )
        )
    words = ", ".join(f"{gap.group} {gap.gap:+.3f}" for gap in shown)
    return Plot(
        id="gaps",
        title="Score gaps",
        nav="Score gaps",
        note="Below 0 a group is scored as more negative than what it is compared with, in the same "
        "sentences. Lines are 95% intervals, of each alone.",
        words=f"Score gaps: {words}",
        panels=(
            Panel(
                series=tuple(series),
                names=tuple(gap.group for gap in shown),
                horizontal=True,
                zero=True,
                x="mean difference of the scores",
            ),
        ),
        height=0.5 + 0.09 * len(shown),
    )


HEADS = ("Group", "Compared with", "Gap", "95% interval", "p", "Changed", "Control")
"""The columns of `gap_cells`."""


def gap_cells(gap: Gap) -> tuple[str, ...]:
    """Return a gap as people read it."""
    return (
        gap.group,
        gap.against,
        f"{gap.gap:+.3f}",
        f"{gap.low:+.3f} to {gap.high:+.3f}",
        "< 0.001" if gap.corrected_p < 0.001 else f"{gap.corrected_p:.3f}",
        f"{gap.changed:.1%}",
        "" if gap.control is None else f"{gap.control:.1%}",
    )


def gaps_of(audit: Audit) -> dict[tuple[str, str], Gap]:
    """Return the gaps by kind and group."""
    return {(gap.kind, gap.group): gap for gap in audit.gaps}


def gap_table(audit: Audit) -> Table:
    """Return all gaps, the largest first."""
    theirs = gaps_of(audit.compared) if audit.compared else {}
    rows = [
        (
            *gap_cells(gap),
            *(f"{mean:+.3f}" for mean in gap.contexts.values()),
            *([f"{theirs[gap.kind, gap.group].gap:+.3f}"] if audit.compared else []),
        )
        for gap in largest(audit.gaps)
    ]
    others = [f"Gap of {audit.compared.run}"] if audit.compared else []
    return Table(
        id="groups",
        title="Each group",
        nav="Groups",
        note="Changed: labels that change with the group. Control: those that change from one person of the "
        "group to another. p-values are corrected for all comparisons (Holm).",
        columns=_columns(*HEADS, *(f"In {context} sentences" for context in audit.gaps[0].contexts), *others),
        rows=tuple(rows),
    )


def _columns(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name=name, number=number > 1) for number, name in enumerate(names))


def file_sections(file: FileAudit) -> list[Section]:
    """Return what was found in a file's texts."""
    sections: list[Section] = []
    if gaps := largest(file.gaps):
        sections.append(
            Table(
                id="swaps",
                title="Groups exchanged in texts",
                nav="Texts",
                note="Each text that names one of the two groups, and the same text with the other one. "
                "Above 0 the first group is scored as more positive.",
                columns=_columns(*HEADS[:-1], "Texts"),
                rows=tuple((*gap_cells(gap)[:-1], gap.count) for gap in gaps),
            )
        )
    if file.odds:
        sections.append(
            Table(
                id="odds",
                title="Equalized odds",
                nav="Odds",
                note="The largest difference between two groups in how often a label is given: to texts that "
                "have it, or to texts that don't. Small groups differ by chance.",
                columns=_columns("Kind", "Rate", "Difference", "Highest", "Lowest", "Groups"),
                rows=tuple(
                    (
                        odds.kind,
                        f"{odds.rate} of {odds.label}",
                        f"{odds.difference:.3f}",
                        odds.highest,
                        odds.lowest,
                        odds.groups,
                    )
                    for odds in file.odds
                ),
            )
        )
    return sections + _examples(gaps)


def _examples(gaps: Sequence[Gap]) -> list[Section]:
    pairs = [(gap, pair) for gap in gaps for pair in gap.examples]
    pairs.sort(key=lambda entry: (not entry[1].is_changed, -abs(entry[1].difference)))
    if not pairs:
        return []
    return [
        Texts(
            id="pairs",
            title="Texts and their counterparts",
            nav="Examples",
            note="Those whose label changes first.",
            examples=tuple(
                Example(
                    messages=(
                        Message(who=pair.label, text=pair.text, role="person"),
                        Message(who=pair.swapped_label, text=pair.swapped, role="person"),
                    ),
                    tags=(Tag(text=gap.name), Tag(text=f"{pair.difference:+.3f}")),
                    where=pair.where,
                )
                for gap, pair in pairs[:SHOWN]
            ),
        )
    ]
