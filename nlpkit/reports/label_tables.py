"""Tables, plots and texts of labels, made from plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.reports.sections import Column, Example, Panel, Plot, Series, Table, Tag, Texts
from nlpkit.reports.wording import short

WORST = 30
LONGEST = 600
"""Characters of a text that a report shows."""
PANELS = 12
FEW = 50
"""A label with fewer test texts than this has numbers that are hardly more than anecdotes."""


def few_texts(supports: Sequence[tuple[str, int]]) -> tuple[str, ...]:
    """Return a warning for each (label, texts) with too few."""
    return tuple(
        f"Only {count} of the texts it was measured on are {label}: its numbers for them are hardly more "
        "than anecdotes."
        for label, count in supports
        if count < FEW
    )


def commonest_mistakes(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Table:
    """Return the pairs of labels that are most often confused, where a matrix of all would be too large."""
    pairs = [
        (true, given, count, count / sum(counts[row]))
        for row, true in enumerate(labels)
        for column, given in enumerate(labels)
        if row != column and (count := counts[row][column])
    ]
    pairs.sort(key=lambda pair: (-pair[2], -pair[3]))
    return Table(
        id="confusion",
        title="Labels that are confused most often",
        nav="Confusions",
        note="The share is that of the texts that truly have the first label.",
        columns=(
            Column(name="True"),
            Column(name="Predicted"),
            Column(name="Texts", number=True),
            Column(name="Share", number=True),
        ),
        rows=tuple((true, given, count, round(share, 3)) for true, given, count, share in pairs[:WORST]),
    )


def confusion_table(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Table:
    """Return the confusion matrix: a row for each true label, a column for each predicted one."""
    return Table(
        id="confusion",
        title="Confusion matrix",
        nav="Confusion matrix",
        note="A row for each true label, a column for each predicted one. Blue is right, red is wrong; "
        "darker is a larger share of the row.",
        columns=(Column(name="true ↓   predicted →"), *(Column(name=label, number=True) for label in labels)),
        rows=tuple((label, *row) for label, row in zip(labels, counts, strict=True)),
        heat=True,
        half=len(labels) <= 4,
    )


def each_label_table(
    rows: Sequence[tuple[str, float | None, float | None, float | None, int]],
) -> Table:
    """Return the table of (label, precision, recall, F1, texts)."""
    heads = ("Precision", "Recall", "F1", "Texts")
    return Table(
        id="labels",
        title="Labels",
        note="Precision: of the texts given a label, the share that truly has it. Recall: of the texts "
        "that truly "
        "have it, the share that was given it.",
        columns=(Column(name="Label"), *(Column(name=head, number=True) for head in heads)),
        rows=tuple(rows),
        half=len(rows) <= 4,
    )


def probability_plot(counted: Sequence[tuple[str, Sequence[float], Sequence[int]]]) -> Plot | None:
    """Return histograms of (label, edges, counts): two labels in one panel, more in one each; None without
    rows.
    """
    if not any(sum(counts) for _, _, counts in counted):
        return None
    are_two = len(counted) == 2
    shown = counted if are_two else counted[:PANELS]
    words = "; ".join(f"{label}, {sum(counts)} texts" for label, _, counts in shown)
    series = [
        Series(
            mark="histogram",
            x=tuple(edges),
            y=tuple(counts),
            name=f"true label: {short(label)}" if are_two else "",
            color=number,
            opacity=0.55 if are_two else 0.7,
        )
        for number, (label, edges, counts) in enumerate(shown)
    ]
    titles = [short(label) for label, _, _ in shown]
    return Plot(
        id="spread",
        title="How it separates the labels",
        note="The further apart the hills, the clearer the answer.",
        words=f"Histograms of probabilities: {words}",
        panels=_in_one_panel(series, titles[1]) if are_two else _panel_each(series, titles),
        columns=1 if are_two else 2,
        x="" if are_two else "probability given to the true label",
        height=1.4 if are_two else max(1.4, 0.44 * -(-len(shown) // 2) + 0.15),
        half=True,
    )


def _in_one_panel(series: Sequence[Series], second: str) -> tuple[Panel, ...]:
    highest = max(max(histogram.y) for histogram in series)
    return (
        Panel(
            series=tuple(series),
            x=f"probability of {second}",
            y="texts",
            x_range=(0, 1),
            y_range=(0, 1.25 * highest),
        ),
    )


def _panel_each(series: Sequence[Series], titles: Sequence[str]) -> tuple[Panel, ...]:
    return tuple(
        Panel(series=(histogram,), title=title, x_range=(0, 1))
        for histogram, title in zip(series, titles, strict=True)
    )


def mistake(*, text: str, truth: str, predicted: str, confidence: float | None, where: str) -> Example:
    """Return a text that the model got wrong."""
    surely = "" if confidence is None else f", confidence {confidence:.1%}"
    tags = (Tag(text=f"true: {truth}", good=True), Tag(text=f"predicted: {predicted}{surely}", good=False))
    return Example(text=_cut(text), tags=tags, where=where)


def mistakes(
    examples: Sequence[Example], counted: str = "", title: str = "Mistakes with the highest confidence"
) -> Texts | None:
    """Return the section of the worst mistakes; None where there are none."""
    if not examples:
        return None
    return Texts(
        id="worst",
        title=title,
        nav="Worst mistakes",
        note=f"{counted}Read these before trusting the numbers: some are the model's, some are the labels' "
        "own.",
        examples=tuple(examples),
    )


def _cut(text: str) -> str:
    shown = text if len(text) <= LONGEST else text[:LONGEST] + " …"
    return shown.encode("utf-8", "replace").decode("utf-8")  # JSON cannot hold half a surrogate pair
