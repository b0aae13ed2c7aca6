"""p-values corrected for many comparisons."""

from __future__ import annotations

from collections.abc import Sequence


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values corrected for all of them together, in the same order (Holm 1979)."""
    order = sorted(range(len(p_values)), key=lambda row: p_values[row])
    largest, adjusted = 0.0, [1.0] * len(p_values)
    for rank, row in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[row]))
        adjusted[row] = largest
    return adjusted
