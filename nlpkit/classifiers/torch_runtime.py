"""The reference: a classifier's logits by torch, on the device and in the precision that its weights have."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.first_token import first_token_only
from nlpkit.classifiers.runtime import OutOfMemoryError
from nlpkit.models.pretrained import load_merged, pick_device, quiet
from nlpkit.run import versions

if TYPE_CHECKING:
    import numpy as np


class TorchRuntime:
    """A transformers classifier, ready to serve."""

    def __init__(self, model: Any, *, name: str) -> None:
        self.name = name
        self.model: Any = first_token_only(model.eval())

    @property
    def device(self) -> str:
        """The device that holds its weights."""
        return str(next(self.model.parameters()).device)

    @property
    def workers(self) -> bool:
        """Whether it computes on a CPU: small matrices gain little from two threads."""
        return self.device == "cpu"

    @property
    def identity(self) -> Mapping[str, str]:
        """Device, processor and libraries."""
        import torch

        libraries = {
            name: version
            for name, version in versions().items()
            if name in ("torch", "transformers", "tokenizers")
        }
        return {"device": self.device, "cpu": str(torch.backends.cpu.get_cpu_capability()), **libraries}

    def logits(self, ids: np.ndarray, mask: np.ndarray, **more: np.ndarray) -> np.ndarray:
        """Return (batch, outputs) in float32; `more` is what else the model is given, by its names."""
        import torch

        try:
            with torch.inference_mode():
                given = {"input_ids": ids, "attention_mask": mask, **more}
                outputs = self.model(**{name: self._on_device(values) for name, values in given.items()})
                logits: np.ndarray = outputs.logits.float().cpu().numpy()
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemoryError(str(error)) from error
        return logits

    def free(self) -> None:
        """Release the memory that a failed batch holds."""
        import torch

        gc.collect()
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _on_device(self, values: np.ndarray) -> Any:
        import torch

        tensor = torch.from_numpy(values)
        # From pinned memory the copy does not hold up the thread that prepares the next batch
        return (
            tensor.pin_memory().to(self.device, non_blocking=True)
            if self.device.startswith("cuda")
            else tensor.to(self.device)
        )

    @contextmanager
    def single_threaded(self) -> Iterator[None]:
        """Set torch's own pool to one thread; workers call `begin`."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def begin(self) -> None:
        """Set one thread in this worker: torch keeps the number of threads by thread."""
        import torch

        torch.set_num_threads(1)


def in_bf16(model: Any, *, name: str) -> TorchRuntime:
    """Return the runtime of a transformers model, its weights rounded to bfloat16."""
    import torch

    return TorchRuntime(model.to(torch.bfloat16), name=name)


def open_merged(folder: Path) -> TorchRuntime:
    """Return the runtime of a merged export, on the fastest device here.

    Raises:
        RunError: it is damaged.
    """
    return TorchRuntime(load_merged(folder).to(pick_device()), name="torch")


def write_merged(model: Any, folder: Path) -> None:
    """Write a plain transformers model in safetensors."""
    with quiet():
        model.cpu().save_pretrained(folder, safe_serialization=True)
