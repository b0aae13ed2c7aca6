"""The interface of a runtime: it computes a classifier's logits."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np

CPU_BUDGETS = (256, 512, 1024)
"""Max tokens per batch that are tried on a CPU, the second by default.

More fill the caches, fewer make small products.
"""

GPU_BUDGETS = (16_384, 32_768, 65_536)
"""Likewise on a GPU."""

SERVER = "server"
"""The device of a runtime that asks a server."""


class Runtime(Protocol):
    """A model that answers one padded batch at a time."""

    @property
    def name(self) -> str:
        """A row of nlpkit.classifiers.runtimes."""

    @property
    def device(self) -> str:
        """The device that it computes on: cpu, cuda:0, mps, or SERVER."""

    @property
    def workers(self) -> bool:
        """Whether several threads may call it at once, each computing on its own core."""

    @property
    def identity(self) -> Mapping[str, str]:
        """All that the last bits of an answer depend on, besides weights, tokenizer and batches."""

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return (batch, outputs), or of a head for tokens (batch, time, outputs), for int64 ids and mask,
        (batch, time).

        Raises:
            OutOfMemoryError: the batch does not fit.
        """

    def free(self) -> None:
        """Release the memory that a failed batch holds."""

    def single_threaded(self) -> AbstractContextManager[None]:
        """Return the context in which workers score: each computes on its calling thread alone."""

    def begin(self) -> None:
        """Prepare a worker thread; called once in each."""


@runtime_checkable
class Metered(Protocol):
    """A runtime whose answers cost something."""

    def take_cost(self) -> dict[str, Any]:
        """Return what the answers since the last call cost, as fields of a report's cost."""


class OutOfMemoryError(Exception):
    """A batch did not fit the device's memory."""
