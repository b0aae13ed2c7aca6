"""The page of an analysis: its answer in a sentence, and the sections that bear it out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlpkit.analysis.counts import ALL, Cell
from nlpkit.analysis.findings import Change, Difference
from nlpkit.analysis.study import Study, columns, p_shown, score_of
from nlpkit.analysis.text_sections import reading_sections
from nlpkit.analysis.time_sections import time_sections
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Panel, Plot, Prose, Section, Series, Table
from nlpkit.run import versions

MOST_CARDS = 4
MOST_ROWS = 20
"""Groups that a table or plot of the page shows."""


def report_of(study: Study) -> Report:
    """Return the page's content."""
    sections: list[Section] = [
        *share_sections(study),
        *time_sections(study),
        *group_sections(study),
        *study.more,  # themes and drivers
        *reading_sections(study),
        Prose(id="left-out", title="What was left out", nav="Left out", sentences=study.notes),
        Prose(
            id="methods",
            title="Methods, to paste",
            nav="Methods",
            sentences=(" ".join(study.methods),),
            closing=f"Hash of this analysis: {study.hash}.",
        ),
    ]
    return Report(
        run=study.run,
        data=study.name,
        task=study.task,
        what="Analysis",
        title=Path(study.name).name,
        method=f"Intervals: 95%. Made with nlpkit; the numbers are in {study.tables}/. Hash: {study.hash}.",
        unit=study.unit,
        seed=study.seed,
        measured=f"{study.findings.counts.whole.texts:,} {study.unit}",
        summary=tuple(answer(study)),
        warnings=study.warnings,
        scores={label: score_of(study, ALL, label) for label in study.shown[:MOST_CARDS]},
        sections=tuple(section for section in sections if not _is_empty(section)),
        versions=versions(),
    )


def _is_empty(section: Section) -> bool:
    return isinstance(section, Prose) and not section.sentences and not section.shares


def answer(study: Study) -> list[str]:
    """Return what was found, in sentences; the first one is the answer."""
    findings, label = study.findings, study.about
    score = score_of(study, ALL, label)
    first = (
        f"{_percent(score.value)} of {score.count:,} {study.unit} are {label} "
        f"({_percent(score.low)} to {_percent(score.high)}"
        f"{'' if study.is_corrected else ', as counted'})"
    )
    apart = [each for each in findings.differences if each.label == label and each.is_shown]
    if apart and (most := max(apart, key=lambda each: each.difference)).difference > 0:
        share = score_of(study, most.cell, label)
        first += f", most in {most.cell.name} ({_percent(share.value)}, {_percent(share.low)} to "
        first += f"{_percent(share.high)})"
    changes = [each for each in findings.changes if each.label == label and each.cell == ALL]
    if changes:
        first += f"; since {changes[-1].since} it {_moved(changes[-1])}"
    lines = [f"{first}."]
    others = [each for each in findings.changes if each not in changes[-1:]]
    if others:
        named = [
            f"{_place(each)}{each.label} {_moved(each)} since {each.since}"
            for each in sorted(others, key=_size)[:3]
        ]
        lines.append(f"Other changes: {'; '.join(named)}.")
    elif study.every and findings.series and not findings.changes:
        lines.append(f"No change over time stands out from noise in any of {findings.series} series.")
    if findings.differences:
        shown = [each for each in findings.differences if each.is_shown]
        lines.append(
            f"{len(shown)} of {len(findings.differences)} differences between groups and the rest are shown, "
            "all comparisons considered (Holm, 5%)."
        )
    return [*lines, *study.more_sentences]


def _percent(value: float | None) -> str:
    if value is None:
        return "–"
    shown = f"{100 * value:.0f}%"
    return f"{100 * value:.1f}%" if shown in ("0%", "100%") and 0 < value < 1 else shown


def _moved(change: Change) -> str:
    verb = "rose" if change.difference > 0 else "fell"
    points = 100 * abs(change.difference)
    low, high = sorted((100 * abs(change.low), 100 * abs(change.high)))
    low = 0.0 if change.low * change.high < 0 else low
    return f"{verb} by {points:.1f} points ({low:.1f} to {high:.1f})"


def _place(change: Change) -> str:
    return f"{change.cell.name}: " if change.cell != ALL else ""


def _size(change: Change) -> float:
    return -abs(change.difference)


def share_note(study: Study) -> str:
    """Return what the shares are, and why they are not corrected where they are not."""
    if study.is_corrected:
        return f"Shares are corrected for the classifier's mistakes by {study.corrected_by}."
    return (
        "Shares are counted, with the plain interval of a share (Jeffreys): it is about what the classifier "
        f"says, its mistakes included. They are not corrected: {study.why_counted}."
    )


def share_sections(study: Study) -> list[Section]:
    """Return the share of each label among all texts."""
    findings = study.findings
    whole = findings.counts.whole
    rows = []
    for label in study.shown:
        number = findings.labels.index(label)
        likeliest = study.likeliest.get(label)
        rows.append(
            (
                label,
                score_of(study, ALL, label),
                f"{whole.given[number] / whole.texts:.1%}",
                int(whole.given[number]),
                *([f"{likeliest:.1%}"] if likeliest is not None else []),
            )
        )
    names = ["Label", "Share, 95% interval", "Counted", f"Given to, of {whole.texts:,}"]
    names += ["Likeliest"] if study.likeliest else []
    table = Table(
        id="shares",
        title="Shares",
        nav="Shares",
        note=f"{share_note(study)} Rows: {study.tables}/rows.parquet.",
        columns=columns(*names),
        rows=tuple(rows),
    )
    if len(study.shown) < len(findings.labels):
        few = f" The {len(study.shown)} most frequent of {len(findings.labels)} labels; all are in the table."
        table = table.model_copy(update={"note": table.note + few})
    return [table]


def group_sections(study: Study) -> list[Section]:
    """Return the shares of each group, what differs, and all columns crossed."""
    sections: list[Section] = []
    for groups in study.plan.groups:
        cells = [Cell(groups=((groups.column, name),)) for name in groups.kept]
        sections += [_group_plot(study, groups.column, cells), _group_table(study, groups.column, cells)]
    if study.findings.differences:
        sections.append(_difference_table(study))
    if study.plan.crossed:
        sections.append(_crossing(study))
    return sections


def _group_plot(study: Study, column: str, cells: Sequence[Cell]) -> Plot:
    label = study.about
    shown = sorted(cells, key=lambda cell: -(score_of(study, cell, label).value or 0))[:MOST_ROWS]
    scores = [score_of(study, cell, label) for cell in shown]
    words = ", ".join(
        f"{cell.name} {score.shown(score.value)}" for cell, score in zip(shown, scores, strict=True)
    )
    return Plot(
        id=f"by-{study.place(column)}",
        title=f"Share of {label} by {column}",
        nav=f"By {column}",
        note=f"Share of {label} in each group, {study.kind_of_share}. Lines are 95% intervals.",
        words=f"Share of {label} by {column}: {words}",
        panels=(
            Panel(
                series=(
                    Series(
                        mark="bars",
                        x=tuple(range(len(shown))),
                        y=tuple(100 * (score.value or 0) for score in scores),
                        low=tuple(100 * (score.low or 0) for score in scores),
                        high=tuple(100 * (score.high or 0) for score in scores),
                        opacity=0.35,
                        width=0.7,
                    ),
                ),
                names=tuple(cell.name for cell in shown),
                horizontal=True,
                x=f"{label}, %",
            ),
        ),
        height=0.5 + 0.09 * len(shown),
    )


def _group_table(study: Study, column: str, cells: Sequence[Cell]) -> Table:
    shown = study.shown[:MOST_CARDS]
    return Table(
        id=f"table-{study.place(column)}",
        title=f"Shares by {column}",
        under=f"by-{study.place(column)}",
        note=f"The {min(MOST_ROWS, len(cells))} largest of {len(cells)} groups. All labels and groups: "
        f"{study.tables}/shares.csv.",
        columns=columns(column, study.unit.capitalize(), *shown),
        rows=tuple(
            (
                cell.name,
                study.findings.counts.of(cell).texts,
                *(score_of(study, cell, label) for label in shown),
            )
            for cell in cells[:MOST_ROWS]
        ),
    )


def _difference_table(study: Study) -> Table:
    differences = study.findings.differences
    ranked = sorted(differences, key=lambda each: (each.corrected_p, -abs(each.difference)))[:MOST_ROWS]
    return Table(
        id="differences",
        title="Differences between groups",
        nav="Differences",
        note=f"Each group compared with all other {study.unit}, in points; the {len(ranked)} clearest of "
        f"{len(differences)}. p-values are corrected for all {len(differences)} comparisons (Holm): if no "
        "group differed, any would be called shown in at most 5% of such files. All: "
        f"{study.tables}/differences.csv.",
        columns=columns(
            "Group",
            "Label",
            "Difference",
            "95% interval",
            "p",
            study.unit.capitalize(),
            "Verdict",
            words=("Label", "Verdict"),
        ),
        rows=tuple(_difference_cells(each) for each in ranked),
    )


def _difference_cells(each: Difference) -> tuple[str | int, ...]:
    return (
        " = ".join(each.cell.groups[0]),
        each.label,
        f"{100 * each.difference:+.1f}",
        f"{100 * each.low:+.1f} to {100 * each.high:+.1f}",
        p_shown(each.corrected_p),
        each.texts,
        "shown" if each.is_shown else "unclear",
    )


def _crossing(study: Study) -> Table:
    """Return the share of a label for all columns crossed, the largest cells first."""
    names = list(study.plan.crossed)
    cells = [cell for cell in study.findings.estimates if len(cell.groups) == len(names)]
    largest = sorted(cells, key=lambda cell: -study.findings.counts.of(cell).texts)[: 2 * MOST_ROWS]
    return Table(
        id="crossed",
        title=f"Share of {study.about} by {' and '.join(names)}",
        nav="Crossed",
        note=f"The {len(largest)} largest of {len(cells)} combinations. All: {study.tables}/shares.csv.",
        columns=columns("Group", study.unit.capitalize(), study.about),
        rows=tuple(
            (cell.name, study.findings.counts.of(cell).texts, score_of(study, cell, study.about))
            for cell in largest
        ),
    )
