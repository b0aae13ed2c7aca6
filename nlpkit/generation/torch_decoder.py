"""A model of transformers as an engine: one forward pass for several answers of unequal length, without padding."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from nlpkit.errors import NlpkitError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

ROWS = "nlpkit_rows"
"""The name under which transformers finds our attention."""

NEAR = 1e-2
"""Logits that are computed together may differ this much, relative to the largest, from those computed alone."""


class TorchDecoder:
    """Reads with a causal model. Caches are those of transformers."""

    def __init__(self, model: Any, *, threads: int | None = None) -> None:
        self.model = model
        self._threads = threads
        self._together: bool | None = None
        """Whether answers may share a pass; None before it was tried."""

    def begin(self) -> None:
        """Set the number of threads of the thread that computes."""
        if self._threads:
            import torch

            torch.set_num_threads(self._threads)

    def empty(self) -> Any:
        """A cache that has read nothing."""
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config.get_text_config(decoder=True))

    def read(self, cache: Any, ids: Sequence[int]) -> NDArray[np.float32]:
        """The logits after these further tokens."""
        import torch

        with self._computing():
            inputs = torch.tensor([ids], device=self.model.device)
            logits = self.model(
                input_ids=inputs, past_key_values=cache, use_cache=True, logits_to_keep=1
            ).logits[0, -1]
            found: NDArray[np.float32] = logits.float().cpu().numpy()
        return found

    def step(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        """The logits after one further token for each cache."""
        if len(caches) > 1 and self._together is None:
            self._together = self._agrees()
        if len(caches) > 1 and self._together:
            return self._at_once(caches, ids)
        return [self.read(cache, [token]) for cache, token in zip(caches, ids, strict=True)]

    def cut(self, cache: Any, have: int, keep: int) -> bool:
        """Forget all but the first `keep` tokens; a cache that has forgotten its beginning cannot be cut."""
        if have == keep:
            return True
        if not cache.is_croppable:
            return False
        cache.crop(keep - have)
        return True

    def _at_once(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        import torch

        config = self.model.config
        usual = config._attn_implementation
        with self._computing():
            device = self.model.device
            places = torch.tensor([[cache.get_seq_length()] for cache in caches], device=device)
            inputs = torch.tensor([[one] for one in ids], device=device)
            config._attn_implementation = ROWS
            try:
                logits = self.model(
                    input_ids=inputs, position_ids=places, past_key_values=_Rows(caches), use_cache=True
                ).logits[:, -1]
            finally:
                config._attn_implementation = usual
            return list(logits.float().cpu().numpy())

    def _agrees(self) -> bool:
        """Whether this model computes together what it computes alone: not all use the attention that they are given."""
        import numpy as np
        from transformers import AttentionInterface

        AttentionInterface.register(ROWS, _attend)
        texts, last = ([1, 2, 3, 4, 5], [3, 2]), (2, 1)
        try:
            alone = [self.empty(), self.empty()]
            together = [self.empty(), self.empty()]
            for cache, other, ids in zip(alone, together, texts, strict=True):
                self.read(cache, ids)
                self.read(other, ids)
            if not all(
                type(layer).__name__ == "DynamicLayer" for cache in together for layer in cache.layers
            ):
                return False
            expected = [self.read(cache, [token]) for cache, token in zip(alone, last, strict=True)]
            found = self._at_once(together, last)
        except Exception:  # whatever a model does with a cache that it does not know
            return False
        return all(
            np.abs(one - other).max() <= NEAR * np.abs(other).max()
            for one, other in zip(found, expected, strict=True)
        )

    @contextmanager
    def _computing(self) -> Iterator[None]:
        import torch

        try:
            with torch.inference_mode():
                yield
        except torch.OutOfMemoryError as error:
            gc.collect()
            raise NlpkitError(
                f"an answer does not fit the memory of {self.model.device}; cure: fewer answers at once"
            ) from error


class _Rows:
    """The caches of several answers as the cache of one batch: a row's keys go to its own cache, and come back in a list."""

    def __init__(self, caches: Sequence[Any]) -> None:
        self._caches = caches
        self.layers = caches[0].layers
        self.is_compileable = False

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:  # fmt: skip
        rows = [
            cache.update(keys[place : place + 1], values[place : place + 1], layer)
            for place, cache in enumerate(self._caches)
        ]
        return [one for one, _ in rows], [other for _, other in rows]

    def get_seq_length(self, layer: int = 0) -> int:
        return int(self._caches[0].get_seq_length(layer))


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: list[torch.Tensor],
    value: list[torch.Tensor],
    mask: torch.Tensor | None,
    scaling: float | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attention of one new token a row, (rows, heads, 1, size), to the keys of that row alone."""
    import torch

    rows = [
        torch.nn.functional.scaled_dot_product_attention(
            query[place : place + 1], one, other, scale=scaling, enable_gqa=one.shape[1] != query.shape[1]
        )
        for place, (one, other) in enumerate(zip(key, value, strict=True))
    ]
    return torch.cat(rows).transpose(1, 2).contiguous(), None
