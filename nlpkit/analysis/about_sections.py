"""The sections of the page on what the texts are about."""

from __future__ import annotations

from nlpkit.analysis.about import About
from nlpkit.analysis.aspects import AspectExample
from nlpkit.analysis.counts import ALL, Cell
from nlpkit.analysis.driver_sections import driver_table
from nlpkit.analysis.study import columns
from nlpkit.analysis.themes import CENTRAL, Themes
from nlpkit.data.personal import scan
from nlpkit.metrics.score import Score
from nlpkit.reports.sections import Example, Mark, Panel, Plot, Section, Series, Table, Tag, Texts
from nlpkit.reports.wording import short

MOST_ASPECTS = 20
MOST_PANELS = 6
MOST_SPLITS = 6
"""Decompositions that the page shows; the table has all."""
LONGEST = 400


def about_sections(about: About, *, label: str, number: int, tables: str, is_masked: bool) -> list[Section]:
    """Return the sections: themes, their texts and course, aspects, and drivers.

    Args:
        about: what is shown.
        label: the one that the page is about.
        number: its number among the labels.
        tables: the folder of tables.
        is_masked: whether personal data in texts is masked.
    """
    sections: list[Section] = []
    if about.themes is not None:
        sections += [_themes(about, label, number, tables), _theme_texts(about.themes, is_masked)]
        sections += _course(about)
    if about.aspects is not None and about.aspects.aspects:
        sections += [_aspects(about, tables), _aspect_texts(about, is_masked)]
    shown = [each for each in about.driven if each.split.drivers][:MOST_SPLITS]
    return sections + [driver_table(each, number, tables) for number, each in enumerate(shown, 1)]


def share(count: int, of: int, title: str = "") -> Score:
    """Return a share with its 95% interval (Wilson 1927)."""
    from scipy.stats import binomtest

    if not of:
        return Score(value=None, count=0, title=title, undefined="no texts", percent=True)
    interval = binomtest(count, of).proportion_ci(method="wilson")
    return Score(
        value=count / of, low=float(interval.low), high=float(interval.high), count=of, title=title,
        higher_is_better=None, percent=True,
    )  # fmt: skip


def _themes(about: About, label: str, column: int, tables: str) -> Table:
    themes, counts = about.themes, about.theme_counts
    if themes is None or counts is None:
        raise ValueError("no themes")
    texts, having = counts.cells[ALL]
    total = int(texts.sum())
    steady = themes.stability
    stable = [f"{theme.stability:.2f}" for theme in themes.themes]
    rows = [
        (
            name,
            int(texts[number]),
            share(int(texts[number]), total).shown_with_interval,
            share(int(having[number, column]), int(texts[number])).shown_with_interval,
            stable[number] if number < len(stable) else None,
        )
        for number, name in enumerate(themes.names)
    ]
    lost = [theme.name for theme in themes.themes if not theme.is_stable]
    return Table(
        id="themes",
        title="What it is about: themes",
        nav="Themes",
        note=f"Found by {themes.clusters.method} in the encoder vectors of {themes.distinct:,} different "
        f"texts (of a random sample of {themes.sample:,}), and named by the words that set them apart. "
        "Every text of the file then got the nearest theme, or none. Intervals are Wilson's; rates are as "
        f"counted, not corrected. Stability: the themes of {steady.bootstraps} bootstraps agree with these "
        f"by an adjusted Rand index of {steady.ari:.2f} on average ({steady.lowest:.2f} to "
        f"{steady.highest:.2f}); 1 is the same, 0 is chance. In the table: how alike each theme and the "
        "nearest of a bootstrap are (Jaccard). "
        + (f"Below 0.5, and not to be relied on: {'; '.join(lost)}. " if lost else "")
        + f"The rows of each theme: {tables}/theme_rows.parquet.",
        columns=columns("Theme", "Texts", "Share", label.capitalize(), "Stability"),
        rows=tuple(rows),
    )


def _theme_texts(themes: Themes, is_masked: bool) -> Texts:
    return Texts(
        id="theme-texts",
        title="The most central texts of each theme",
        under="themes",
        note="Those nearest to the theme's center.",
        examples=tuple(
            Example(text=_cut(text, is_masked), tags=(Tag(text=theme.name),))
            for rank in range(CENTRAL)  # of each theme the most central one first
            for theme in themes.themes
            for text in theme.central[rank : rank + 1]
        ),
        shown=len(themes.themes),
    )


def _course(about: About) -> list[Section]:
    """Return the share of each large theme over time; none without periods."""
    if about.themes is None or about.theme_counts is None:
        return []
    cells = about.theme_counts.cells
    periods = sorted(cell.period for cell in cells if cell.period and not cell.groups)
    if len(periods) < 2:
        return []
    step = max(1, -(-len(periods) // 2))
    names = tuple(name if number % step == 0 else "" for number, name in enumerate(periods))
    panels = []
    for number, theme in enumerate(about.themes.themes[:MOST_PANELS]):
        scores = [
            share(int(cells[Cell(period=name)][0][number]), int(cells[Cell(period=name)][0].sum()))
            for name in periods
        ]
        line = Series(
            mark="line",
            x=tuple(map(float, range(len(periods)))),
            y=tuple(100 * (score.value or 0) for score in scores),
            low=tuple(100 * (score.low or 0) for score in scores),
            high=tuple(100 * (score.high or 0) for score in scores),
            symbol="o" if len(periods) < 25 else "",
        )
        panels.append(Panel(series=(line,), title=short(theme.name), names=names))
    return [
        Plot(
            id="themes-time",
            title="Themes over time",
            under="themes",
            note="Share of the texts of each period, in percent, with 95% intervals (Wilson).",
            panels=tuple(panels),
            words="The share of each theme by period; the numbers are in the table of themes by period.",
            columns=2,
            height=0.3 + 0.5 * -(-len(panels) // 2),
        )
    ]


def _aspects(about: About, tables: str) -> Table:
    counts = about.aspects
    if counts is None:
        raise ValueError("no aspects")
    largest = counts.largest
    polarities = sorted({name for aspect in largest for name in aspect.polarities})
    return Table(
        id="aspects",
        title="What it is about: aspects",
        nav="Aspects",
        note=f"What opinions are about, found by {counts.run} in {counts.with_opinions:,} of "
        f"{counts.texts:,} texts. An aspect counts once in a text for each polarity, upper "
        "case and simple plurals as one. The shares are of these mentions, with 95% intervals (Wilson), the "
        f"reader's mistakes included. All: {tables}/aspects.csv.",
        columns=columns("Aspect", "Mentions", *(name.capitalize() for name in polarities)),
        rows=tuple(
            (
                aspect.name,
                aspect.mentions,
                *(share(aspect.polarities[name], aspect.mentions).shown_with_interval for name in polarities),
            )
            for aspect in largest[:MOST_ASPECTS]
        ),
    )


def _aspect_texts(about: About, is_masked: bool) -> Texts:
    largest = about.aspects.largest[:MOST_ASPECTS] if about.aspects else []
    return Texts(
        id="aspect-texts",
        title="Examples of aspects",
        under="aspects",
        note="The first opinions of each polarity in the file.",
        examples=tuple(
            _opinion(kept[0], aspect.name, is_masked)
            for aspect in largest
            for _, kept in sorted(aspect.examples.items())
            if kept
        ),
        shown=6,
    )


def _opinion(example: AspectExample, name: str, is_masked: bool) -> Example:
    opinion, text = example.opinion, _cut(example.text, is_masked)
    spans = [span for span in (opinion.aspect, opinion.opinion) if span is not None]
    marks = tuple(
        Mark(start=span.start, end=span.end, name="aspect" if span is opinion.aspect else "opinion")
        for span in spans
        if text[: span.end] == example.text[: span.end]  # a mask before it moves it
    )
    return Example(
        text=text,
        marks=marks,
        tags=(Tag(text=f"{name}: {opinion.polarity}"),),
        where=f"{example.file}, row {example.row}",
    )


def _cut(text: str, is_masked: bool) -> str:
    shown = scan(text)[0] if is_masked else text
    return f"{shown[:LONGEST]}…" if len(shown) > LONGEST else shown


def about_methods(about: About) -> tuple[str, ...]:
    """Return how it was done, in sentences to paste."""
    sentences = []
    if about.themes is not None:
        themes = about.themes
        sentences.append(
            f"Themes are clusters ({themes.clusters.method}, scikit-learn) of the mean token embeddings of "
            f"{themes.distinct:,} different texts of a random sample, in {len(themes.clusters.axes)} "
            "principal components, named by class-based TF-IDF (Grootendorst 2022). Their stability is the "
            f"adjusted Rand index over {themes.stability.bootstraps} bootstraps: {themes.stability.ari:.2f}."
        )
    if about.aspects is not None:
        sentences.append(
            f"Aspects and their polarity were read by {about.aspects.run}, with Wilson intervals."
        )
    if about.driven:
        sentences.append(
            "Changes of counted shares were decomposed into the shares of parts and the rates within them "
            "(Kitagawa 1955), with 95% intervals by 4,000 draws (Bayesian bootstrap of shares, Jeffreys' "
            "distribution of rates) and p-values corrected by Holm (1979)."
        )
    return tuple(sentences)
