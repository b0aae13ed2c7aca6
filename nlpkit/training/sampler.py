"""The order of training rows, from seed and epoch alone, so that a resumed training sees the same rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

POOL = 50
"""The batches of random rows that are sorted by length together, to save padding and stay random."""


class RowOrder:
    """Row numbers in a new random order each epoch; if `grouped`, batches hold rows of similar length.

    transformers' own length-grouped sampler uses torch's global generator. Its state in the middle of an
    epoch differs from the one at the start: a training that resumed there saw other rows.
    """

    def __init__(self, lengths: Sequence[int], *, batch_size: int, grouped: bool, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._grouped = grouped
        self._seed = seed
        self._epoch = 0

    def __len__(self) -> int:
        return len(self._lengths)

    def set_epoch(self, epoch: int) -> None:
        """Set the number of the epoch; accelerate calls this before each, after a resume too."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[int]:
        import torch

        generator = torch.Generator().manual_seed(self._seed * 1_000_003 + self._epoch)
        order = torch.randperm(len(self), generator=generator).tolist()
        if not self._grouped:
            return iter(order)
        return iter([row for batch in self._batches(order, generator) for row in batch])

    def _batches(self, order: list[int], generator: torch.Generator) -> list[list[int]]:
        import torch

        size, pool = self._batch_size, self._batch_size * POOL
        batches = []
        for start in range(0, len(order), pool):
            alike = sorted(order[start : start + pool], key=lambda row: self._lengths[row])
            batches += [alike[first : first + size] for first in range(0, len(alike), size)]
        # A short batch anywhere but at the end would shift all that follow
        full, short = (
            [batch for batch in batches if len(batch) == size],
            [batch for batch in batches if len(batch) < size],
        )
        shuffled = [full[index] for index in torch.randperm(len(full), generator=generator).tolist()]
        return shuffled + short
