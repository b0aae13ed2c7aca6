"""The sections of the page on what the texts are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nlpkit.analysis.aspects import Aspect, AspectCounts, AspectExample
from nlpkit.analysis.cells import ALL, Cell
from nlpkit.analysis.study import Study, columns, counted_share, cut, in_percent, thinned
from nlpkit.analysis.themes import CENTRAL, Themes
from nlpkit.reports.sections import Example, Mark, Panel, Plot, Section, Table, Tag, Texts
from nlpkit.reports.wording import short

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_ASPECTS = 20
MOST_PANELS = 6
LONGEST = 400
"""Characters of a text."""


def about_sections(study: Study) -> list[Section]:
    """Return the sections: themes, their texts and course, and aspects."""
    sections: list[Section] = []
    about = study.about
    if about.themes is not None:
        sections += [
            _themes(study, about.themes, about.theme_counts),
            _theme_texts(study, about.themes),
            *_course(about.themes, about.theme_counts),
        ]
    if about.aspects is not None and about.aspects.aspects:
        largest = about.aspects.largest[:MOST_ASPECTS]
        sections += [_aspects(study, about.aspects, largest), _aspect_texts(study, largest)]
    return sections


def _themes(study: Study, themes: Themes, counts: Mapping[Cell, NDArray[Any]]) -> Table:
    texts = counts[ALL][:, 0].tolist()
    having = counts[ALL][:, 1 + study.findings.labels.index(study.label)].tolist()
    stable = [f"{theme.stability:.2f}" for theme in themes.themes]
    steady = themes.stability
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
        + f"The rows of each theme: {study.tables}/theme_rows.parquet.",
        columns=columns("Theme", "Texts", "Share", study.label.capitalize(), "Stability"),
        rows=tuple(
            (
                name,
                size,
                counted_share(size, sum(texts)).shown_with_interval,
                counted_share(with_label, size).shown_with_interval,
                stability,
            )
            for name, size, with_label, stability in zip(
                themes.names, texts, having, [*stable, None], strict=True
            )
        ),
    )


def _theme_texts(study: Study, themes: Themes) -> Texts:
    return Texts(
        id="theme-texts",
        title="The most central texts of each theme",
        under="themes",
        note="Those nearest to the theme's center.",
        examples=tuple(
            Example(text=cut(text, LONGEST, is_masked=study.is_masked), tags=(Tag(text=theme.name),))
            for rank in range(CENTRAL)  # of each theme the most central one first
            for theme in themes.themes
            for text in theme.central[rank : rank + 1]
        ),
        shown=len(themes.themes),
    )


def _course(themes: Themes, counts: Mapping[Cell, NDArray[Any]]) -> list[Section]:
    """Return the share of each large theme over time; none without periods."""
    of_periods = {cell.period: held[:, 0] for cell, held in sorted(counts.items()) if cell.period}
    if len(of_periods) < 2:
        return []
    panels = []
    for number, theme in enumerate(themes.themes[:MOST_PANELS]):
        scores = [counted_share(int(texts[number]), int(texts.sum())) for texts in of_periods.values()]
        line = in_percent("line", range(len(scores)), scores, symbol="o" if len(scores) < 25 else "")
        panels.append(Panel(series=(line,), title=short(theme.name), names=thinned(list(of_periods), 2)))
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


def _aspects(study: Study, counts: AspectCounts, largest: list[Aspect]) -> Table:
    polarities = sorted({name for aspect in counts.aspects.values() for name in aspect.polarities})
    return Table(
        id="aspects",
        title="What it is about: aspects",
        nav="Aspects",
        note=f"What opinions are about, found by {counts.run} in {counts.with_opinions:,} of "
        f"{counts.texts:,} texts. An aspect counts once in a text for each polarity, upper "
        "case and simple plurals as one. The shares are of these mentions, with 95% intervals (Wilson), the "
        f"reader's mistakes included. All: {study.tables}/aspects.csv.",
        columns=columns("Aspect", "Mentions", *(name.capitalize() for name in polarities)),
        rows=tuple(
            (
                aspect.name,
                aspect.mentions,
                *(
                    counted_share(aspect.polarities[name], aspect.mentions).shown_with_interval
                    for name in polarities
                ),
            )
            for aspect in largest
        ),
    )


def _aspect_texts(study: Study, largest: list[Aspect]) -> Texts:
    return Texts(
        id="aspect-texts",
        title="Examples of aspects",
        under="aspects",
        note="The first opinions of each polarity in the file.",
        examples=tuple(
            _opinion(kept[0], aspect.name, study.is_masked)
            for aspect in largest
            for _, kept in sorted(aspect.examples.items())
        ),
        shown=6,
    )


def _opinion(example: AspectExample, name: str, is_masked: bool) -> Example:
    opinion, text = example.opinion, cut(example.text, LONGEST, is_masked=is_masked)
    marks = tuple(
        Mark(start=span.start, end=span.end, name=part)
        for part, span in (("aspect", opinion.aspect), ("opinion", opinion.opinion))
        if span is not None and text[: span.end] == example.text[: span.end]  # a mask before it moves it
    )
    return Example(
        text=text,
        marks=marks,
        tags=(Tag(text=f"{name}: {opinion.polarity}"),),
        where=f"{example.file}, row {example.row}",
    )
