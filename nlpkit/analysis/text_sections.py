"""The sections of the page with texts to read."""

from __future__ import annotations

from nlpkit.analysis.study import Study, cut
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
    marked = any(each.marks for each in whole)
    whole_section = Texts(
        id="read",
        title="What to read",
        nav="What to read",
        note="Strongest: the highest probability of the label. Most typical: the words most like those of a "
        "random sample of the label. Most surprising: sure of a label that is rare in its group and period. "
        "Most doubtful: nearly another label. No two are near-equal. "
        f"{LEGEND if marked else ''} With files and rows: {study.tables}/to_read.csv.",
        examples=tuple(_example(each) for each in whole),
        shown=SHOWN,
    )
    in_groups = Texts(
        id="read-groups",
        title="What to read in each group",
        nav="Texts by group",
        note="The same, of the largest groups of each column.",
        examples=tuple(_example(each) for each in study.chosen if each.group is not None),
        shown=SHOWN,
    )
    return [section for section in (whole_section, in_groups) if section.examples]


def _example(each: Chosen) -> Example:
    candidate = each.candidate
    tags = [each.kind, *([" = ".join(each.group)] if each.group else [])]
    tags.append(f"{candidate.label}, {candidate.probability:.1%}")
    if each.kind == "most surprising":
        tags.append(f"{candidate.label} is given to {each.share:.1%} there")
    return Example(
        text=cut(candidate.text, LONGEST),
        marks=tuple(mark for mark in each.marks if mark.end <= LONGEST),
        tags=tuple(Tag(text=tag) for tag in tags),
        where=f"{candidate.file}, row {candidate.row}",
    )
