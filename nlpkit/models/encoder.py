"""A pretrained encoder as it is: an embedding for each token of a text, or one for the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.models.bases import find_base
from nlpkit.models.batching import batches
from nlpkit.models.pooling import mean_of_tokens
from nlpkit.models.pretrained import load_body, load_tokenizer, pick_device, window_of
from nlpkit.tasks.encoding import Frame, token_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 16

FEATURE_TOKENS = 2048
"""Tokens in a batch of features, padding included."""


class Encoder:
    """Texts in, token embeddings out. `Encoder.load` returns one."""

    def __init__(self, model: Any, tokenizer: Any, *, window: int) -> None:
        self.model: Any = model.eval()
        self.tokenizer = tokenizer
        self.window = window
        self._frame = Frame.of(tokenizer)

    @classmethod
    def load(cls, source: str) -> Encoder:
        """Load the encoder of a folder, a hub's name or a name of the catalog.

        Raises:
            RunError: it is no encoder.
            SourceError: it cannot be brought here.
        """
        folder, _ = find_base(source)
        tokenizer = load_tokenizer(folder)
        model = load_body(folder)
        return cls(model.to(pick_device()), tokenizer, window=window_of(folder, tokenizer))

    def embed(self, texts: Sequence[str]) -> list[NDArray[Any]]:
        """Return (tokens, size) for each text, without its special tokens.

        A text longer than the window is read up to there.
        """
        ids = self._framed(texts)
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        embedded: dict[int, NDArray[Any]] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            embedded.update(zip(batch, self._run([ids[index] for index in batch]), strict=True))
        return [embedded[index] for index in range(len(ids))]

    def features(
        self,
        texts: Sequence[str],
        progress: Callable[[int, int], None] = lambda done, total: None,
        *,
        depth: float = 1.0,
    ) -> NDArray[Any]:
        """Return (texts, size): the mean over each text's tokens, special tokens included.

        Args:
            texts: what to embed; one longer than the window is read up to there.
            depth: the layer whose states are taken, as a share of all; 1 is the last.
            progress: gets how many texts of how many are done.
        """
        import numpy as np

        ids = self._framed(texts)
        pooled = np.empty((len(ids), self.model.config.hidden_size), dtype=np.float32)
        layer = round(depth * self.model.config.num_hidden_layers)
        done = 0
        for batch in batches([len(text_ids) for text_ids in ids], FEATURE_TOKENS):
            states, mask = self._states([ids[index] for index in batch], layer)
            pooled[batch] = mean_of_tokens(states, mask).cpu().numpy()
            done += len(batch)
            progress(done, len(ids))
        return pooled

    def _framed(self, texts: Sequence[str]) -> list[list[int]]:
        window = self.window - self._frame.size
        return [self._frame.around(text_ids[:window]) for text_ids in token_ids(self.tokenizer, texts)]

    def _run(self, ids: list[list[int]]) -> list[NDArray[Any]]:
        states = self._states(ids)[0].cpu().numpy()
        before, size = len(self._frame.before), self._frame.size
        return [
            state[before : before + len(text_ids) - size] for state, text_ids in zip(states, ids, strict=True)
        ]

    def _states(self, ids: list[list[int]], layer: int = -1) -> tuple[Any, Any]:
        """Return a layer's states, (texts, tokens, size), and the mask of the tokens that count."""
        import torch

        width = max(map(len, ids))
        pad, device = self.tokenizer.pad_token_id, self.model.device
        inputs = torch.tensor([row + [pad] * (width - len(row)) for row in ids], device=device)
        mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in ids], device=device)
        with torch.inference_mode():
            outputs = self.model(input_ids=inputs, attention_mask=mask, output_hidden_states=True)
        return outputs.hidden_states[layer].float(), mask
