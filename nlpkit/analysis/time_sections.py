"""The sections of the page on time: series of shares, small multiples for each group, and changes."""

from __future__ import annotations

from nlpkit.analysis.cells import ALL, Cell
from nlpkit.analysis.changes import LEVEL
from nlpkit.analysis.study import Study, columns, in_percent, p_shown, thinned
from nlpkit.metrics.score import Score
from nlpkit.reports.sections import Panel, Plot, Prose, Section, Series, Table

MOST_LINES = 3
"""Labels that have a series on the page."""
MOST_NAMES = 5
"""Periods that are named below an axis."""
MOST_CHANGES = 20


def time_sections(study: Study) -> list[Section]:
    """Return the sections on time; none without dates."""
    if len(study.findings.periods(ALL)) < 2:
        return []
    sections: list[Section] = [_whole(study)]
    for column in study.plan.groups:
        known = [cell for cell in study.plan.series(column) if len(study.findings.periods(cell)) > 1]
        if known:
            sections.append(_multiples(study, column, known))
    if study.findings.series:
        sections.append(_changes(study))
    return sections


def _whole(study: Study) -> Plot:
    every, labels = study.plan.every, study.shown[:MOST_LINES]
    few = [cell for cell in study.findings.few if cell.period and not cell.groups]
    left_out = f"{len(few)} with fewer than 10 {study.unit} are left out. " if few else ""
    return Plot(
        id="time",
        title=f"Shares by {every}",
        nav="Over time",
        note=f"Shares in %, {study.kind_of_share}, with 95% intervals. The line without a band is the mean "
        f"between changes. {left_out}Numbers and counts: {study.tables}/shares.csv.",
        words=f"Shares by {every}: {'; '.join(f'{label} {_ends(study, ALL, label)}' for label in labels)}",
        panels=tuple(
            _panel(study, ALL, label, title=label, color=color) for color, label in enumerate(labels)
        ),
        height=0.35 + 0.55 * len(labels),
    )


def _multiples(study: Study, column: str, cells: list[Cell]) -> Plot:
    label, every = study.label, study.plan.every
    scores = [score for cell in cells for score in _scores(study, cell, label).values()]
    values = [end or 0.0 for score in scores for end in (score.low, score.high)]
    range_ = (100 * min(values), 100 * max(values)) if max(values) > min(values) else None
    ends = [f"{cell.name} {_ends(study, cell, label)}" for cell in cells]
    return Plot(
        id=f"time-{study.place(column)}",
        title=f"Share of {label} by {every} and {column}",
        nav=f"{column} over time",
        note=f"Share of {label} in %, {study.kind_of_share}, in the {len(cells)} largest groups, all on one "
        "scale.",
        words=f"Share of {label} by {every}: {'; '.join(ends)}",
        panels=tuple(
            _panel(study, cell, label, title=f"{cell.name} ({study.texts(cell):,})", names=2, y_range=range_)
            for cell in cells
        ),
        columns=2,
        height=0.3 + 0.5 * -(-len(cells) // 2),
    )


def _scores(study: Study, cell: Cell, label: str) -> dict[str, Score]:
    """Return the share of a label in each period of a group, or of all texts."""
    return {
        period: study.score(Cell(groups=cell.groups, period=period), label)
        for period in study.findings.periods(cell)
    }


def _ends(study: Study, cell: Cell, label: str) -> str:
    scores = list(_scores(study, cell, label).items())
    first, last = (f"{score.shown(score.value)} in {period}" for period, score in (scores[0], scores[-1]))
    return f"from {first} to {last}"


def _panel(
    study: Study,
    cell: Cell,
    label: str,
    *,
    title: str,
    color: int = 0,
    names: int = MOST_NAMES,
    y_range: tuple[float, float] | None = None,
) -> Panel:
    everything = study.findings.periods(ALL)  # one axis for all panels
    scores = _scores(study, cell, label)
    places = [float(everything.index(period)) for period in scores]
    has_marks = len(scores) < 25 and names == MOST_NAMES
    lines = [in_percent("line", places, list(scores.values()), color=color, symbol="o" if has_marks else "")]
    for start, end, level in _levels(study, cell, label):
        ends = float(everything.index(start)), float(everything.index(end))
        level_line = Series(mark="line", x=ends, y=(100 * level, 100 * level), color=5, symbol="")
        lines.append(level_line)
    return Panel(series=tuple(lines), title=title, names=thinned(everything, names), y_range=y_range)


def _levels(study: Study, cell: Cell, label: str) -> list[tuple[str, str, float]]:
    """Return the first and last period between changes, with the share there; none without changes."""
    changes = study.findings.changes_of(cell, label)
    periods = study.findings.periods(cell)
    starts = [periods[0], *(each.since for each in changes)]
    ends = [*(periods[periods.index(each.since) - 1] for each in changes), periods[-1]]
    levels = [changes[0].before, *(each.after for each in changes)] if changes else []
    return list(zip(starts, ends, levels, strict=False))


def _changes(study: Study) -> Table | Prose:
    changes, series = study.findings.changes, study.findings.series
    ranked = sorted(changes, key=lambda each: (each.cell != ALL, -abs(each.difference)))[:MOST_CHANGES]
    tested = (
        f"{series} series (labels times groups) are tested together: if no share changed, any change would "
        f"be found in at most {LEVEL:.0%} of such files, as long as neighboring periods vary independently."
    )
    if not changes:
        return Prose(
            id="changes",
            title="Changes over time",
            nav="Changes",
            sentences=(f"No change stands out from noise. {tested}",),
        )
    return Table(
        id="changes",
        title="Changes over time",
        nav="Changes",
        note=f"{tested} The range names the periods that are about as likely. The interval is of the "
        f"difference between these two stretches. All: {study.tables}/changes.csv.",
        columns=columns(
            "Where", "Label", "Since", "Range", "Before", "After", "Points", "95% interval", "p",
            study.unit.capitalize(), words=("Label", "Since", "Range"),
        ),
        rows=tuple(
            (
                " = ".join(each.cell.groups[0]) if each.cell.groups else f"all {study.unit}",
                each.label,
                each.since,
                each.earliest if each.earliest == each.latest else f"{each.earliest} to {each.latest}",
                f"{each.before:.1%}",
                f"{each.after:.1%}",
                f"{100 * each.difference:+.1f}",
                f"{100 * each.low:+.1f} to {100 * each.high:+.1f}",
                p_shown(each.p),
                each.texts,
            )
            for each in ranked
        ),
    )  # fmt: skip
