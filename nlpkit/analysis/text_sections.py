"""The sections of the page with texts to read."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.analysis.study import Study
from nlpkit.analysis.to_read import Chosen
from nlpkit.reports.sections import Example, Section, Tag, Texts
from nlpkit.trust.explanation_page import LEGEND

SHOWN = 12
"""Texts that stand open; the rest unfolds."""
LONGEST = 600
"""Characters of a text that the page shows; the table has more."""


def reading_sections(study: Study) -> list[Section]:
    """Return the texts to read among all, then those of each group; none without texts."""
    whole = [each for each in study.chosen if each.group is None]
    in_groups = [each for each in study.chosen if each.group is not None]
    marked = any(each.marks for each in whole)
    sections: list[Section] = []
    if whole:
        sections.append(
            Texts(
                id="read",
                title="What to read",
                nav="What to read",
                note="Strongest: the highest probability of the label. Most typical: the words most like "
                "those of a random sample of the label. Most surprising: sure of a label that is rare in its "
                "group and period. Most doubtful: nearly another label. No two are near-equal. "
                f"{LEGEND if marked else ''} With files and rows: {study.tables}/to_read.csv.",
                examples=_examples(whole, study),
                shown=SHOWN,
            )
        )
    if in_groups:
        sections.append(
            Texts(
                id="read-groups",
                title="What to read in each group",
                nav="Texts by group",
                note="The same, of the largest groups of each column.",
                examples=_examples(in_groups, study),
                shown=SHOWN,
            )
        )
    return sections


def _examples(chosen: Sequence[Chosen], study: Study) -> tuple[Example, ...]:
    return tuple(_example(each, study) for each in chosen)


def _example(each: Chosen, study: Study) -> Example:
    candidate = each.candidate
    tags = [Tag(text=each.kind)]
    if each.group:
        tags.append(Tag(text=" = ".join(each.group)))
    tags.append(Tag(text=f"{candidate.label}, {candidate.probability:.1%}"))
    if each.kind == "most surprising":
        tags.append(Tag(text=f"{candidate.label} is given to {each.share:.1%} there"))
    cut = candidate.text[:LONGEST]
    return Example(
        text=f"{cut}…" if len(candidate.text) > LONGEST else cut,
        marks=tuple(mark for mark in each.marks if mark.end <= LONGEST),
        tags=tuple(tags),
        where=f"{candidate.file}, row {candidate.row}",
    )
