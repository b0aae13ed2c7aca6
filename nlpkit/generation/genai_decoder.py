"""A language model on ONNX Runtime GenAI as a decoder: fast on a CPU, loaded without torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class GenaiDecoder:
    """Reads with an exported model. A cache is a generator; it holds the memory of a full window."""

    def __init__(self, library: Any, folder: Path, *, window: int, threads: int | None = None) -> None:
        self._library = library
        self._library.disable_telemetry_events()
        config = self._library.Config(str(folder))
        if threads:
            options = {"intra_op_num_threads": threads, "inter_op_num_threads": 1}
            config.overlay(json.dumps({"model": {"decoder": {"session_options": options}}}))
        self._model = self._library.Model(config)
        self._window = window

    def begin(self) -> None:
        """Do nothing: the model has threads of its own."""

    def new_cache(self) -> Any:
        """Return a generator that has read nothing."""
        settings = self._library.GeneratorParams(self._model)
        settings.set_search_options(max_length=self._window, do_sample=False)
        return self._library.Generator(self._model, settings)

    def read(self, cache: Any, ids: Sequence[int]) -> NDArray[np.float32]:
        """Read further tokens and return the logits after them, `(vocabulary,)`."""
        import numpy as np

        cache.append_tokens(np.array([ids], dtype=np.int32))
        logits: NDArray[np.float32] = cache.get_logits()[0, -1]
        return logits

    def step(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        """Read one further token for each cache, one after the other, and return the logits after it."""
        return [self.read(cache, [token]) for cache, token in zip(caches, ids, strict=True)]

    def truncate(self, cache: Any, length: int, keep: int) -> bool:
        """Forget all but the first `keep` tokens."""
        if keep < length:
            cache.rewind_to(keep)
        return True
