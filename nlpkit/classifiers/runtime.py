"""What computes a classifier's logits, as the classifier sees it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np

RuntimeName: TypeAlias = Literal[
    "auto", "torch", "torch-bf16", "onnx", "onnx-int8", "openvino", "openvino-bf16"
]
"""`auto` is onnx on a CPU where it is installed and the run was exported before, else torch."""

CPU_BUDGETS = (256, 512, 1024)
"""Tokens a batch that are tried on a CPU, the second by default: more fill the caches, fewer make small products."""

GPU_BUDGETS = (16_384, 32_768, 65_536)
"""Likewise on a GPU."""


class Runtime(Protocol):
    """A model that answers one padded batch at a time."""

    @property
    def name(self) -> str:
        """Of RuntimeName, but for auto."""

    @property
    def device(self) -> str:
        """Where it computes: cpu, cuda:0, mps."""

    @property
    def workers(self) -> bool:
        """Whether several threads may call it at once, each computing on its own core."""

    @property
    def identity(self) -> Mapping[str, str]:
        """All that the last bits of an answer depend on, besides weights, tokenizer and batches."""

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(batch, outputs) of int64 ids and mask, (batch, time).

        Raises:
            OutOfMemoryError: the batch does not fit.
        """

    def free(self) -> None:
        """Give back what a batch holds that did not fit."""

    def single_threaded(self) -> AbstractContextManager[None]:
        """Around a scoring by workers: each computes on its calling thread alone."""

    def begin(self) -> None:
        """Called once in each worker."""


class OutOfMemoryError(Exception):
    """A batch did not fit the device's memory."""
