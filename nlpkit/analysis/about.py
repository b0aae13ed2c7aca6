"""What a file is about: its themes and aspects, and what drives the changes and differences of its shares."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.analysis.aspects import AspectCounts, count_aspects
from nlpkit.analysis.cells import Cell, Plan
from nlpkit.analysis.driven import Drivers
from nlpkit.analysis.drivers import Decomposition
from nlpkit.analysis.findings import Findings
from nlpkit.analysis.passes import Passes
from nlpkit.analysis.scored_rows import ScoredRows
from nlpkit.analysis.theme_counts import count_themes, sampled_texts
from nlpkit.analysis.themes import ThemeChoice, Themes, find_themes
from nlpkit.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = "theme_rows.parquet"
"""Lists the theme of each row."""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a file is about."""

    themes: Themes | None
    theme_counts: Mapping[Cell, NDArray[Any]] = field(default_factory=dict)
    """Of all texts, each group and each period: see `count_themes`."""
    aspects: AspectCounts | None
    drivers: Sequence[Decomposition]
    """Corrected for many comparisons together."""
    neighbors: Sequence[Decomposition]
    """Of each two neighboring periods; corrected together, apart from `drivers`."""
    notes: Sequence[str]


def what_it_is_about(
    rows: ScoredRows,
    plan: Plan,
    passes: Passes,
    findings: Findings,
    *,
    label: str,
    themes: ThemeChoice,
    aspects: Path | str | None,
    folder: Path,
    seed: int,
    progress: Callable[[str, int, int | None], None],
) -> About:
    """Find themes and aspects, and decompose changes and differences.

    Args:
        rows: the scored rows.
        plan: the groups and periods.
        passes: keeps where the passes over the file stand.
        findings: the changes and differences that are decomposed.
        label: the one that the page is about.
        themes: how many themes; `none` leaves them out.
        aspects: an opinion reader's run; None leaves aspects out.
        folder: where the themes of the rows are listed.
        seed: draws the sample, bootstraps and intervals.
        progress: gets what is done, how many rows of it, and of how many.

    Raises:
        ConfigError: the run of `aspects` finds no opinions.
        SourceError: the encoder can't be fetched.
    """
    file_themes, counts, notes = None, {}, []
    total = findings.counts.whole.texts
    if themes != "none":
        try:
            file_themes = find_themes(
                sampled_texts(rows, seed=seed), count=None if themes == "auto" else themes, seed=seed,
                progress=lambda done, of: progress("finding themes", done, of),
            )  # fmt: skip
        except DataError as error:
            notes.append(f"No themes: {error}.")
    if file_themes is not None:
        counts = count_themes(
            rows, plan, passes, file_themes, listed=folder / ROWS,
            progress=lambda done: progress("assigning themes", done, total),
        )  # fmt: skip
    read = None
    if aspects is not None:
        read = count_aspects(
            rows, passes, aspects, progress=lambda done: progress("reading aspects", done, total)
        )
        if read.forgotten:
            notes.append(f"{read.forgotten:,} aspects that were named once are not counted.")
    drivers = Drivers(findings, plan, file_themes.names if file_themes else (), counts, seed)
    return About(
        themes=file_themes,
        theme_counts=counts,
        aspects=read,
        drivers=drivers.of_changes(label),
        neighbors=drivers.of_neighbors(label),
        notes=notes,
    )
