"""Which sequences share a forward pass: sorted by length, within a token budget, the same for the same input."""

from __future__ import annotations

from collections.abc import Sequence

TOKEN_BUDGET = 512
"""Tokens a batch, padding included: on a CPU more does not help, since the caches are full."""


def batches(lengths: Sequence[int], budget: int = TOKEN_BUDGET) -> list[list[int]]:
    """Positions of the sequences, batch by batch, longest first so that a lack of memory shows at once.

    A sequence longer than the budget makes a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda place: (-lengths[place], place))
    cut: list[list[int]] = []
    for place in order:
        # sorted, so that the first of a batch is its longest and sets the width
        if cut and lengths[cut[-1][0]] * (len(cut[-1]) + 1) <= budget:
            cut[-1].append(place)
        else:
            cut.append([place])
    return cut
