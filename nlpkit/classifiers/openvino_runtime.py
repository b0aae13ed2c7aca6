"""A classifier's logits by OpenVINO on a CPU, without torch: in float32 or bfloat16."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.processor import instructions
from nlpkit.errors import ConfigError, RunError, optional

if TYPE_CHECKING:
    import numpy as np

EXTRA = "openvino"

FILE = "model.xml"


def library() -> Any:
    """Import OpenVINO, without its telemetry, which would report each conversion to its makers.

    Raises:
        ConfigError: it is not installed.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    return optional("openvino", extra=EXTRA)


class OpenVinoRuntime:
    """An exported classifier: `logits` of input_ids and attention_mask."""

    def __init__(self, folder: Path, *, name: str, threads: int) -> None:
        openvino = library()
        core = openvino.Core()
        bf16 = name == "openvino-bf16"
        if bf16 and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
            raise ConfigError(
                "this processor does not multiply in bfloat16 (AVX512-BF16 or AMX); "
                "hint: --runtime openvino or onnx"
            )
        self.name = name
        self.device = "cpu"
        self.workers = True
        self.identity: Mapping[str, str] = {
            "openvino": openvino.__version__,
            "cpu": instructions(),
            "threads": str(threads),
        }
        # Without the hint a processor that can would take bfloat16 unasked
        settings = {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        try:
            self._model = core.compile_model(str(folder / FILE), "CPU", settings)
        except RuntimeError as error:
            raise RunError(
                f"{folder / FILE}: OpenVINO cannot read it: {str(error).splitlines()[0][:300]}"
            ) from None
        self._request = self._model.create_infer_request()
        # In 2026.4 two requests from two threads can wait for each other forever: one at a time, on all cores
        self._lock = threading.Lock()

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return (batch, outputs) in float32."""
        with self._lock:
            logits: np.ndarray = self._request.infer({"input_ids": ids, "attention_mask": mask})[0].copy()
        return logits

    def free(self) -> None:
        """Do nothing: a failed call holds no memory."""

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """Do nothing: its threads are its own."""
        yield

    def begin(self) -> None:
        """Do nothing: a worker needs no preparation."""
