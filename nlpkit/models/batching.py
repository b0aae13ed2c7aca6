"""Which sequences share a forward pass: sorted by length, within a max number of tokens, deterministic."""

from __future__ import annotations

from collections.abc import Sequence


def batches(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Positions of the sequences, batch by batch, longest first so that a lack of memory shows at once.

    The budget is in tokens, padding included; a sequence longer than the budget makes a batch of its own.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    cut: list[list[int]] = []
    for index in order:
        # sorted, so that the first of a batch is its longest and sets the width
        if cut and lengths[cut[-1][0]] * (len(cut[-1]) + 1) <= budget:
            cut[-1].append(index)
        else:
            cut.append([index])
    return cut
