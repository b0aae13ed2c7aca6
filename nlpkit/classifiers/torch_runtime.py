"""The reference: a classifier's logits by torch, on the device and in the precision that its weights have."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.first_token import first_token_only
from nlpkit.classifiers.runtime import OutOfMemoryError
from nlpkit.run import versions

if TYPE_CHECKING:
    import numpy as np


class TorchRuntime:
    """A transformers classifier, ready to serve."""

    def __init__(self, model: Any, *, bf16: bool = False) -> None:
        import torch

        self.name = "torch-bf16" if bf16 else "torch"
        self.model = first_token_only(model.to(torch.bfloat16).eval() if bf16 else model.eval())

    @property
    def device(self) -> str:
        """Where its weights lie."""
        return str(next(self.model.parameters()).device)

    @property
    def workers(self) -> bool:
        """On a CPU: small matrices gain little from two threads, and the bits do not depend on how many there are."""
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

    def logits(self, ids: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """(batch, outputs) in float32."""
        import torch

        try:
            with torch.inference_mode():
                found: np.ndarray = (
                    self.model(input_ids=self._there(ids), attention_mask=self._there(mask))
                    .logits.float()
                    .cpu()
                    .numpy()
                )
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemoryError(str(error)) from error
        return found

    def free(self) -> None:
        """Give back what a failed batch holds."""
        import torch

        gc.collect()
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()

    def _there(self, values: np.ndarray) -> Any:
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
        """Torch's own pool at one thread; workers call `begin`."""
        import torch

        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def begin(self) -> None:
        """In each worker: torch keeps the number of threads by thread."""
        import torch

        torch.set_num_threads(1)
