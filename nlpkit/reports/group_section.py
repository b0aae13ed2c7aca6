"""The section with the scores of each group of rows, such as each language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from nlpkit.reports.sections import Column, Table

if TYPE_CHECKING:
    from nlpkit.metrics.score import Score

MOST_GROUPS = 50
"""Groups that the table shows, the largest first."""


def group_table(by_group: Mapping[str, Mapping[str, Score]]) -> Table:
    """Return a row for each group: its texts, and its scores with their intervals.

    Args:
        by_group: group -> name of a metric -> its score on the group's rows.
    """
    groups = sorted(by_group.items(), key=lambda item: (-_texts(item[1]), item[0]))
    titles = [score.title for score in groups[0][1].values()]
    left_out = f" The {MOST_GROUPS} largest of {len(groups):,} groups." if len(groups) > MOST_GROUPS else ""
    return Table(
        id="groups",
        title="Scores of each group",
        nav="Groups",
        note="Compare the intervals: where they overlap, the groups may not differ. A score has none where a "
        f"group has too few texts or too few labels for it.{left_out}",
        columns=(
            Column(name="Group"),
            Column(name="Texts", number=True),
            *(Column(name=title, number=True) for title in titles),
        ),
        caption=_worst(groups),
        rows=tuple(
            (group, _texts(scores), *(score.shown_with_interval for score in scores.values()))
            for group, scores in groups[:MOST_GROUPS]
        ),
    )


def _worst(groups: Sequence[tuple[str, Mapping[str, Score]]]) -> str:
    """Return the group that is worst by the first metric, in words; empty where it compares none."""
    measured = [(group, next(iter(scores.values()))) for group, scores in groups]
    known = [(score.value, group, score) for group, score in measured if score.value is not None]
    if len(known) < 2 or known[0][2].higher_is_better is None:
        return ""
    sign = 1 if known[0][2].higher_is_better else -1
    _, group, score = min(known, key=lambda entry: sign * entry[0])
    return f"Worst: {group}, {score.title} {score.shown_with_interval}"


def _texts(scores: Mapping[str, Score]) -> int:
    return next(iter(scores.values())).count
