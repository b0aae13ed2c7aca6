"""Splits of preferences, so that nothing held out has been seen in training."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence

from nlpkit.data.near import near_groups
from nlpkit.data.preferences import FEWEST_HELD, P, Preference, RatedReply, history_key


def hold_out(
    rows: Sequence[P], *, share: float, seed: int, near_duplicates: float
) -> tuple[list[P], list[P]]:
    """Split rows into those to train on and those held out, the same for the same seed.

    Rows of one conversation, with one history, or nearly equal stay on one side; liked and disliked ones are
    spread alike. At least as many are held out as a comparison needs.
    """
    share = max(share, FEWEST_HELD / len(rows))
    groups = _groups(rows, seed=seed, near_duplicates=near_duplicates)
    counts: dict[int, Counter[bool]] = defaultdict(Counter)
    for row, group in zip(rows, groups, strict=True):
        counts[group][_side(row)] += 1
    wanted = Counter(
        {side: max(1, round(share * count)) for side, count in Counter(map(_side, rows)).items()}
    )
    order = list(counts)
    random.Random(seed).shuffle(order)  # noqa: S311
    held: set[int] = set()
    for group in sorted(order, key=lambda group: -counts[group].total()):
        # The largest group is trained on, or nothing may be left
        if len(held) < len(order) - 1 and all(wanted[side] >= count for side, count in counts[group].items()):
            held.add(group)
            wanted.subtract(counts[group])
    parts: tuple[list[P], list[P]] = ([], [])
    for row, group in zip(rows, groups, strict=True):
        parts[group in held].append(row)
    return parts


def drop_seen(train: Sequence[P], held: Sequence[P], *, near_duplicates: float) -> list[P]:
    """Keep the training rows that share no conversation, history or near-equal text with a held-out one."""
    groups = _groups([*train, *held], seed=0, near_duplicates=near_duplicates)
    taken = set(groups[len(train) :])
    return [row for row, group in zip(train, groups, strict=False) if group not in taken]


def _side(row: Preference) -> bool:
    return not isinstance(row, RatedReply) or row.liked


def _groups(rows: Sequence[Preference], *, seed: int, near_duplicates: float) -> list[int]:
    """Group the rows: those that share anything, through chains too, are in one group."""
    near = near_groups([_text(row) for row in rows], threshold=near_duplicates, seed=seed)
    parent: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while parent.setdefault(key, key) != key:
            parent[key] = parent[parent[key]]
            key = parent[key]
        return key

    for row, group in zip(rows, near, strict=True):
        parent[root(("history", history_key(row.history)))] = root(("near", group))
        if row.history.id:
            parent[root(("id", row.history.id))] = root(("near", group))
    numbers: dict[Hashable, int] = {}
    return [numbers.setdefault(root(("near", group)), len(numbers)) for group in near]


def _text(row: Preference) -> str:
    replies = [row.reply] if isinstance(row, RatedReply) else [row.chosen, row.rejected]
    return "\n".join([*(turn.text for turn in row.history.turns), *replies])
