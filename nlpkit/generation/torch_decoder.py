"""A transformers model as a decoder: one pass for several replies of unequal length, without padding."""

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

ATTENTION = "nlpkit_rows"
"""The name under which transformers finds our attention."""

TOLERANCE = 1e-2
"""How far logits of a shared pass may be from those of separate passes, relative to the largest logit."""


SHARING = (
    ("full_attention", "DynamicLayer"),
    ("sliding_attention", "DynamicSlidingWindowLayer"),
)
"""Kinds of layers whose cache returns just the keys that one new token may attend to, so that no mask is
needed."""


class TorchDecoder:
    """Reads with a causal model. Its caches are those of transformers."""

    def __init__(self, model: Any, *, threads: int | None = None) -> None:
        self.model = model
        self._threads = threads
        self._shares_passes: bool | None = None
        """Whether replies may share a pass; None before it was tried."""

    def begin(self) -> None:
        """Set the number of threads of the thread that computes."""
        if self._threads:
            import torch

            torch.set_num_threads(self._threads)

    def new_cache(self) -> Any:
        """Return a cache that has read nothing."""
        from transformers import DynamicCache

        return DynamicCache(config=self.model.config.get_text_config(decoder=True))

    def read(self, cache: Any, ids: Sequence[int]) -> NDArray[np.float32]:
        """Read further tokens and return the logits after them, `(vocabulary,)`."""
        import torch

        with self._inference():
            inputs = torch.tensor([ids], device=self.model.device)
            output = self.model(input_ids=inputs, past_key_values=cache, use_cache=True, logits_to_keep=1)
            logits: NDArray[np.float32] = output.logits[0, -1].float().cpu().numpy()
        return logits

    def step(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        """Read one further token for each cache and return the logits after it, `(vocabulary,)` each."""
        if len(caches) > 1 and self._shares_passes is None:
            self._shares_passes = self._can_share_passes()
        if len(caches) > 1 and self._shares_passes:
            return self._step_together(caches, ids)
        return [self.read(cache, [token]) for cache, token in zip(caches, ids, strict=True)]

    def truncate(self, cache: Any, length: int, keep: int) -> bool:
        """Forget all but the first `keep` tokens; a cache that has lost its beginning cannot be truncated."""
        if length == keep:
            return True
        if not cache.is_croppable:
            return False
        cache.crop(keep - length)
        return True

    def _step_together(self, caches: Sequence[Any], ids: Sequence[int]) -> list[NDArray[np.float32]]:
        import torch

        config = self.model.config
        usual = config._attn_implementation
        with self._inference():
            device = self.model.device
            positions = torch.tensor(
                [[cache.get_seq_length()] for cache in caches], device=device
            )  # (batch, 1)
            inputs = torch.tensor([[token] for token in ids], device=device)  # (batch, 1)
            config._attn_implementation = ATTENTION
            try:
                logits = self.model(
                    input_ids=inputs,
                    position_ids=positions,
                    past_key_values=_BatchCache(caches),
                    use_cache=True,
                ).logits[:, -1]
            finally:
                config._attn_implementation = usual
            return list(logits.float().cpu().numpy())

    def _can_share_passes(self) -> bool:
        """Return whether a shared pass gives the logits of separate ones; some ignore our attention."""
        import numpy as np
        from transformers import AttentionInterface

        AttentionInterface.register(ATTENTION, _attend)
        prompts, last = ([1, 2, 3, 4, 5], [3, 2]), (2, 1)
        try:
            separate = [self.new_cache(), self.new_cache()]
            shared = [self.new_cache(), self.new_cache()]
            for cache, shared_cache, ids in zip(separate, shared, prompts, strict=True):
                self.read(cache, ids)
                self.read(shared_cache, ids)
            if not self._needs_no_mask(shared[0]):
                return False
            expected = [self.read(cache, [token]) for cache, token in zip(separate, last, strict=True)]
            together = self._step_together(shared, last)
        except Exception:  # models fail in many ways on a cache that they do not know
            return False
        return all(
            np.abs(logits - reference).max() <= TOLERANCE * np.abs(reference).max()
            for logits, reference in zip(together, expected, strict=True)
        )

    def _needs_no_mask(self, cache: Any) -> bool:
        config = self.model.config.get_text_config(decoder=True)
        kinds = getattr(config, "layer_types", None) or [SHARING[0][0]] * len(cache.layers)
        layers = [type(layer).__name__ for layer in cache.layers]
        return len(kinds) == len(layers) and set(zip(kinds, layers, strict=True)) <= set(SHARING)

    @contextmanager
    def _inference(self) -> Iterator[None]:
        import torch

        try:
            with torch.inference_mode():
                yield
        except torch.OutOfMemoryError as error:
            gc.collect()
            raise NlpkitError(
                f"a reply does not fit the memory of {self.model.device}; "
                "hint: generate fewer replies at once"
            ) from error


class _BatchCache:
    """The caches of several replies as the cache of one batch.

    The keys of a row go to the row's own cache. What the cache holds comes back as a list, one tensor a row.
    """

    def __init__(self, caches: Sequence[Any]) -> None:
        self._caches = caches
        self.layers = caches[0].layers
        self.is_compileable = False

    def update(
        self, keys: torch.Tensor, values: torch.Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        rows = [
            cache.update(keys[row : row + 1], values[row : row + 1], layer)
            for row, cache in enumerate(self._caches)
        ]
        return [row_keys for row_keys, _ in rows], [row_values for _, row_values in rows]

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
    """Attend from one new token a row, `(batch, heads, 1, size)`, to the keys of that row alone.

    Keys and values are one tensor a row, `(1, key heads, time, size)`, where `time` differs by row.
    """
    import torch

    rows = [
        torch.nn.functional.scaled_dot_product_attention(
            query[row : row + 1], keys, values, scale=scaling, enable_gqa=keys.shape[1] != query.shape[1]
        )
        for row, (keys, values) in enumerate(zip(key, value, strict=True))
    ]
    return torch.cat(rows).transpose(1, 2).contiguous(), None
