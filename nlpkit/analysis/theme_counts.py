"""The passes over a file that themes need: a random sample of its texts, then the theme of each text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.analysis.cells import ALL, Cell, Plan, cells_of
from nlpkit.analysis.passes import Listing, Passes
from nlpkit.analysis.scored_rows import ScoredRows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from nlpkit.analysis.themes import Themes

SAMPLE = 5_000
"""Texts that themes are found in."""

_State: TypeAlias = list[tuple[Cell, list[list[int]]]]


def sampled_texts(rows: ScoredRows, *, seed: int) -> list[str]:
    """Return a random sample of the texts of a file that are not empty, in constant memory."""
    import numpy as np

    random = np.random.default_rng(seed)
    keys, kept = np.zeros(0), np.zeros(0, dtype=object)
    for batch in rows.batches(answers=True):
        texts = [text for text in batch.texts if text and text.strip()]
        both = np.concatenate([kept, np.array([*texts, None], dtype=object)[:-1]])
        keys = np.concatenate([keys, random.random(len(texts))])
        chosen = np.argsort(keys, kind="stable")[:SAMPLE]
        keys, kept = keys[chosen], both[chosen]
    return [str(text) for text in kept]


def count_themes(
    rows: ScoredRows,
    plan: Plan,
    passes: Passes,
    themes: Themes,
    *,
    listed: Path,
    progress: Callable[[int], None],
) -> dict[Cell, NDArray[Any]]:
    """Give each text of a file the nearest theme, and write a table that lists it for each row.

    Args:
        rows: what is read.
        plan: which groups and periods there are.
        passes: keeps where the pass stands.
        themes: which themes.
        listed: the Parquet file of that table.
        progress: gets how many rows are done.

    Returns:
        For all texts, each group and each period (themes, 1 + labels): the texts, and how many have each
        label. The last theme is none.
    """
    import numpy as np

    counts: dict[Cell, NDArray[Any]] = {}

    def restore(before: _State) -> None:
        counts.update((cell, np.array(held)) for cell, held in before)

    table = Listing(listed, ["theme"])
    for batch in passes.over(
        rows, "themes", _State, lambda: [(cell, held.tolist()) for cell, held in counts.items()], restore,
        listing=table, names=themes.names, centers=themes.clusters.centers.tolist(),
    ):  # fmt: skip
        numbers = themes.assign([text or "" for text in batch.texts])
        marked = np.column_stack([np.ones(len(batch), dtype=np.int64), batch.given])
        cells = cells_of(batch, plan, plan.periods(batch.dates))
        for cell, chosen in ((ALL, np.arange(len(batch))), *cells):
            if len(cell.groups) + bool(cell.period) <= 1:
                held = counts.setdefault(cell, np.zeros((len(themes.names), marked.shape[1]), np.int64))
                np.add.at(held, numbers[chosen], marked[chosen])
        table.write(batch, [(list(themes.names), numbers)])
        progress(int(counts[ALL][:, 0].sum()))
    return counts
