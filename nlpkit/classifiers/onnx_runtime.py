"""A classifier's logits by ONNX Runtime on a CPU, without torch: ten times faster to start."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.processor import instructions
from nlpkit.classifiers.runtime import OutOfMemoryError
from nlpkit.errors import RunError, optional

if TYPE_CHECKING:
    import numpy as np

EXTRA = "onnx"

FILE = "model.onnx"

SLOW_FUSIONS = ("SkipLayerNormFusion",)
"""Switched off: the fused kernel for residual and norm is several times slower than the two separate ones."""


class OnnxRuntime:
    """An exported classifier: `logits` of input_ids and attention_mask."""

    def __init__(self, folder: Path, *, name: str) -> None:
        library: Any = optional("onnxruntime", extra=EXTRA)
        self.name = name
        self.device = "cpu"
        self.workers = True
        self.identity: Mapping[str, str] = {"onnxruntime": library.__version__, "cpu": instructions()}
        options = library.SessionOptions()
        # One thread a call: as many calls at once as there are cores beat one call on all of them
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = library.InferenceSession(
                str(folder / FILE),
                options,
                providers=["CPUExecutionProvider"],
                disabled_optimizers=list(SLOW_FUSIONS),
            )
        except Exception as error:  # its errors share no class
            raise RunError(
                f"{folder / FILE}: ONNX Runtime cannot read it: {str(error).splitlines()[0][:300]}"
            ) from None

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return (batch, outputs) in float32."""
        try:
            logits: np.ndarray = self._session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
        except Exception as error:
            if isinstance(error, MemoryError) or "allocate memory" in str(error):
                raise OutOfMemoryError(str(error)) from error
            raise
        return logits

    def free(self) -> None:
        """Do nothing: a failed call holds no memory."""

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """Do nothing: a call always computes on its own thread."""
        yield

    def begin(self) -> None:
        """Do nothing: a worker needs no preparation."""
