"""The sections of the page on shares: of all texts, of each group, and what differs between groups."""

from __future__ import annotations

from nlpkit.analysis.cells import ALL
from nlpkit.analysis.study import Study, columns, in_percent, p_shown
from nlpkit.reports.sections import Panel, Plot, Section, Table

MOST_CARDS = 4
"""Labels that the first screen and the tables of groups show."""
MOST_ROWS = 20
"""Groups that a table or plot of the page shows."""


def share_table(study: Study) -> Table:
    """Return the share of each label among all texts."""
    findings, likeliest = study.findings, study.correction.likeliest
    whole = findings.counts.whole
    given = dict(zip(findings.labels, whole.given.tolist(), strict=True))
    names = ["Label", "Share, 95% interval", "Counted", f"Given to, of {whole.texts:,}"]
    note = f"{_about_shares(study)} Rows: {study.tables}/rows.parquet."
    if len(study.shown) < len(findings.labels):
        note += (
            f" The {len(study.shown)} most frequent of {len(findings.labels)} labels; all are in the table."
        )
    return Table(
        id="shares",
        title="Shares",
        nav="Shares",
        note=note,
        columns=columns(*names, *(["Likeliest"] if likeliest else [])),
        rows=tuple(
            (
                label,
                study.score(ALL, label),
                f"{given[label] / whole.texts:.1%}",
                int(given[label]),
                *([f"{likeliest[label]:.1%}"] if likeliest else []),
            )
            for label in study.shown
        ),
    )


def _about_shares(study: Study) -> str:
    """Return what the shares are, and why they are not corrected where they are not."""
    if study.is_corrected:
        return f"Shares are corrected for the classifier's mistakes by {study.correction.source}."
    return (
        "Shares are counted, with the plain interval of a share (Jeffreys): it is about what the classifier "
        f"says, its mistakes included. They are not corrected: {study.correction.why_not}."
    )


def group_sections(study: Study) -> list[Section]:
    """Return the shares of each group, what differs, and all columns crossed."""
    sections: list[Section] = []
    for column in study.plan.groups:
        sections += [_group_plot(study, column), _group_table(study, column)]
    if study.findings.differences:
        sections.append(_difference_table(study))
    if len(study.plan.groups) > 1:
        sections.append(_crossing(study))
    return sections


def _group_plot(study: Study, column: str) -> Plot:
    label = study.label
    scores = {cell.name: study.score(cell, label) for cell in study.plan.cells(column)}
    shown = dict(sorted(scores.items(), key=lambda each: -(each[1].value or 0))[:MOST_ROWS])
    words = ", ".join(f"{name} {score.shown(score.value)}" for name, score in shown.items())
    bars = in_percent("bars", range(len(shown)), list(shown.values()), opacity=0.35, width=0.7)
    return Plot(
        id=f"by-{study.place(column)}",
        title=f"Share of {label} by {column}",
        nav=f"By {column}",
        note=f"Share of {label} in each group, {study.kind_of_share}. Lines are 95% intervals.",
        words=f"Share of {label} by {column}: {words}",
        panels=(Panel(series=(bars,), names=tuple(shown), horizontal=True, x=f"{label}, %"),),
        height=0.5 + 0.09 * len(shown),
    )


def _group_table(study: Study, column: str) -> Table:
    cells, shown = study.plan.cells(column), study.shown[:MOST_CARDS]
    return Table(
        id=f"table-{study.place(column)}",
        title=f"Shares by {column}",
        under=f"by-{study.place(column)}",
        note=f"The {min(MOST_ROWS, len(cells))} largest of {len(cells)} groups. All labels and groups: "
        f"{study.tables}/shares.csv.",
        columns=columns(column, study.unit.capitalize(), *shown),
        rows=tuple(
            (cell.name, study.texts(cell), *(study.score(cell, label) for label in shown))
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
            "Group", "Label", "Difference", "95% interval", "p", study.unit.capitalize(), "Verdict",
            words=("Label", "Verdict"),
        ),
        rows=tuple(
            (
                " = ".join(each.cell.groups[0]),
                each.label,
                f"{100 * each.difference:+.1f}",
                f"{100 * each.low:+.1f} to {100 * each.high:+.1f}",
                p_shown(each.corrected_p),
                each.texts,
                "shown" if each.is_shown else "unclear",
            )
            for each in ranked
        ),
    )  # fmt: skip


def _crossing(study: Study) -> Table:
    """Return the share of a label for all columns crossed, the largest cells first."""
    names = list(study.plan.groups)
    cells = [cell for cell in study.findings.estimates if len(cell.groups) == len(names)]
    largest = sorted(cells, key=lambda cell: -study.texts(cell))[: 2 * MOST_ROWS]
    return Table(
        id="crossed",
        title=f"Share of {study.label} by {' and '.join(names)}",
        nav="Crossed",
        note=f"The {len(largest)} largest of {len(cells)} combinations. All: {study.tables}/shares.csv.",
        columns=columns("Group", study.unit.capitalize(), study.label),
        rows=tuple((cell.name, study.texts(cell), study.score(cell, study.label)) for cell in largest),
    )
