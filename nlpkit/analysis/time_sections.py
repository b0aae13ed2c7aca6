"""The sections of the page on time: series of shares, small multiples for each group, and changes."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.analysis.changes import LEVEL
from nlpkit.analysis.counts import ALL, Cell
from nlpkit.analysis.findings import Change
from nlpkit.analysis.study import Study, columns, p_shown, score_of
from nlpkit.analysis.survey import MOST_SERIES
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
    for groups in study.plan.groups:
        cells = [Cell(groups=((groups.column, name),)) for name in groups.first(MOST_SERIES)]
        known = [cell for cell in cells if len(study.findings.periods(cell)) > 1]
        if known:
            sections.append(_multiples(study, groups.column, known))
    if study.findings.series:
        sections.append(_changes(study))
    return sections


def _whole(study: Study) -> Plot:
    labels = study.shown[:MOST_LINES]
    panels = [_panel(study, ALL, label, title=label, color=color) for color, label in enumerate(labels)]
    ends = [
        f"{label} from {_first(study, ALL, label)} to {_last(study, ALL, label)}"
        for label in labels
    ]  # fmt: skip
    return Plot(
        id="time",
        title=f"Shares by {study.every}",
        nav="Over time",
        note=f"Shares in %, {study.kind_of_share}, with 95% intervals. The line without a band is the mean "
        f"between changes. {_few(study)}Numbers and counts: {study.tables}/shares.csv.",
        words=f"Shares by {study.every}: {'; '.join(ends)}",
        panels=tuple(panels),
        height=0.35 + 0.55 * len(panels),
    )


def _few(study: Study) -> str:
    few = [cell for cell in study.findings.few if cell.period and not cell.groups]
    return f"{len(few)} with fewer than 10 {study.unit} are left out. " if few else ""


def _multiples(study: Study, column: str, cells: Sequence[Cell]) -> Plot:
    label = study.about
    values = [
        end
        for cell in cells
        for period in study.findings.periods(cell)
        for score in [score_of(study, Cell(groups=cell.groups, period=period), label)]
        for end in (score.low or 0.0, score.high or 0.0)
    ]
    range_ = (100 * min(values), 100 * max(values)) if max(values) > min(values) else None
    ends = [
        f"{cell.name} from {_first(study, cell, label)} to {_last(study, cell, label)}"
        for cell in cells
    ]  # fmt: skip
    return Plot(
        id=f"time-{study.place(column)}",
        title=f"Share of {label} by {study.every} and {column}",
        nav=f"{column} over time",
        note=f"Share of {label} in %, {study.kind_of_share}, in the {len(cells)} largest groups, all on one "
        "scale.",
        words=f"Share of {label} by {study.every}: {'; '.join(ends)}",
        panels=tuple(
            _panel(study, cell, label, title=f"{cell.name} ({study.findings.counts.of(cell).texts:,})",
                   color=0, names=2, y_range=range_)
            for cell in cells
        ),
        columns=2,
        height=0.3 + 0.5 * -(-len(cells) // 2),
    )  # fmt: skip


def _panel(
    study: Study,
    cell: Cell,
    label: str,
    *,
    title: str,
    color: int,
    names: int = MOST_NAMES,
    y_range: tuple[float, float] | None = None,
) -> Panel:
    everything = study.findings.periods(ALL)  # one axis for all panels
    periods = study.findings.periods(cell)
    scores = [score_of(study, Cell(groups=cell.groups, period=period), label) for period in periods]
    places = [float(everything.index(period)) for period in periods]
    step = max(1, -(-len(everything) // names))
    lines = [
        Series(
            mark="line",
            x=tuple(places),
            y=tuple(100 * (score.value or 0) for score in scores),
            low=tuple(100 * (score.low or 0) for score in scores),
            high=tuple(100 * (score.high or 0) for score in scores),
            color=color,
            symbol="o" if len(periods) < 25 and names == MOST_NAMES else "",
        )
    ]
    for start, end, level in _levels(study, cell, label):
        ends = float(everything.index(start)), float(everything.index(end))
        level_line = Series(mark="line", x=ends, y=(100 * level, 100 * level), color=5, symbol="")
        lines.append(level_line)
    return Panel(
        series=tuple(lines),
        title=title,
        names=tuple(name if number % step == 0 else "" for number, name in enumerate(everything)),
        y_range=y_range,
    )


def _levels(study: Study, cell: Cell, label: str) -> list[tuple[str, str, float]]:
    """Return the first and last period between changes, with the share there; none without changes."""
    changes = [each for each in study.findings.changes if (each.cell, each.label) == (cell, label)]
    periods = study.findings.periods(cell)
    starts = [periods[0], *(each.since for each in changes)]
    ends = [*(periods[periods.index(each.since) - 1] for each in changes), periods[-1]]
    levels = [changes[0].before, *(each.after for each in changes)] if changes else []
    return list(zip(starts, ends, levels, strict=False))


def _first(study: Study, cell: Cell, label: str) -> str:
    return _at(study, cell, label, 0)


def _last(study: Study, cell: Cell, label: str) -> str:
    return _at(study, cell, label, -1)


def _at(study: Study, cell: Cell, label: str, number: int) -> str:
    period = study.findings.periods(cell)[number]
    score = score_of(study, Cell(groups=cell.groups, period=period), label)
    return f"{score.shown(score.value)} in {period}"


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
        rows=tuple(_change_cells(each, study) for each in ranked),
    )  # fmt: skip


def _change_cells(each: Change, study: Study) -> tuple[str | int, ...]:
    where = " = ".join(each.cell.groups[0]) if each.cell.groups else f"all {study.unit}"
    spread = each.earliest if each.earliest == each.latest else f"{each.earliest} to {each.latest}"
    return (
        where,
        each.label,
        each.since,
        spread,
        f"{each.before:.1%}",
        f"{each.after:.1%}",
        f"{100 * each.difference:+.1f}",
        f"{100 * each.low:+.1f} to {100 * each.high:+.1f}",
        p_shown(each.p),
        each.texts,
    )
