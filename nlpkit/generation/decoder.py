"""The interface of a runtime to the scheduler: read tokens into caches, and step several replies at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Decoder(Protocol):
    """A model and its caches of keys and values, whose type only it knows. One thread at a time uses it."""

    def begin(self) -> None:
        """Prepare the thread that computes; called in it before anything else."""

    def new_cache(self) -> Any:
        """Return a cache that has read nothing."""

    def read(self, cache: Any, ids: Sequence[int]) -> NDArray[np.float32]:
        """Read further tokens and return the logits after them, `(vocabulary,)`."""

    def step(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        """Read one further token for each cache and return the logits after it, `(vocabulary,)` each."""

    def truncate(self, cache: Any, length: int, keep: int) -> bool:
        """Forget all but the first `keep` of the `length` tokens; return False if the cache cannot."""
