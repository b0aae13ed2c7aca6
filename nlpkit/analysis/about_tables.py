"""The tidy tables on what the texts are about."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.analysis.about import About, Driven
from nlpkit.analysis.about_sections import share
from nlpkit.analysis.tables import Rows


def about_tables(about: About, labels: Sequence[str]) -> dict[str, Rows]:
    """Return the tidy tables: themes, themes by period and group, aspects, drivers."""
    return {
        "themes": _theme_rows(about),
        "theme_shares": _theme_share_rows(about, labels),
        "aspects": _aspect_rows(about),
        "drivers": [
            row for family in (about.driven, about.neighbors) for each in family for row in _driver_rows(each)
        ],
    }


def _theme_rows(about: About) -> Rows:
    return [
        {
            "theme": theme.name,
            "sample_texts": theme.texts,
            "stability": theme.stability,
            "terms": ", ".join(term for term, _ in theme.terms),
            "central_text": theme.central[0],
        }
        for theme in (about.themes.themes if about.themes else ())
    ]


def _theme_share_rows(about: About, labels: Sequence[str]) -> Rows:
    rows: Rows = []
    if about.themes is None or about.theme_counts is None:
        return rows
    for cell, (texts, having) in sorted(about.theme_counts.cells.items()):
        for row, name in enumerate(about.themes.names):
            score = share(int(texts[row]), int(texts.sum()))
            rows.append(
                {
                    "group": " = ".join(cell.groups[0]) if cell.groups else "",
                    "period": cell.period,
                    "theme": name,
                    "texts": int(texts[row]),
                    "share": score.value,
                    "low": score.low,
                    "high": score.high,
                    **{f"given_{label}": int(having[row, at]) for at, label in enumerate(labels)},
                }
            )
    return rows


def _aspect_rows(about: About) -> Rows:
    rows: Rows = []
    for aspect in about.aspects.largest if about.aspects else ():
        for polarity, count in sorted(aspect.polarities.items()):
            score = share(count, aspect.mentions)
            first = aspect.examples[polarity][0]
            rows.append(
                {
                    "aspect": aspect.name,
                    "polarity": polarity,
                    "count": count,
                    "mentions": aspect.mentions,
                    "share": score.value,
                    "low": score.low,
                    "high": score.high,
                    "example_file": first.file,
                    "example_row": first.row,
                }
            )
    return rows


def _driver_rows(driven: Driven) -> Rows:
    split = driven.split
    whole = [("(all)", "mix", split.mix), ("(all)", "rate", split.rate), ("(all)", "whole", split.whole)]
    parts = [
        (driver.part, name, effect)
        for driver in split.drivers
        for name, effect in (("mix", driver.mix), ("rate", driver.rate))
    ]
    return [
        {
            "kind": driven.kind,
            "by": driven.by,
            "label": split.label,
            "before": split.before,
            "after": split.after,
            "texts_before": split.texts[0],
            "texts_after": split.texts[1],
            "part": part,
            "effect": name,
            "value": effect.value,
            "low": effect.low,
            "high": effect.high,
            "p": effect.p,
            "corrected_p": effect.corrected_p,
        }
        for part, name, effect in (*whole, *parts)
    ]
