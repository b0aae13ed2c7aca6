"""A pretrained encoder as it is: an embedding for each token of a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from nlpkit.models.pretrained import find_base, load_body, load_tokenizer, pick_device, window_of
from nlpkit.tasks.encoding import Frame, token_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

BATCH = 16


class Encoder:
    """Texts in, token embeddings out. `Encoder.load` returns one."""

    def __init__(self, model: Any, tokenizer: Any, *, window: int) -> None:
        self.model = model.eval()
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
        window = self.window - self._frame.size
        ids = [text_ids[:window] for text_ids in token_ids(self.tokenizer, texts)]
        order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
        embedded: dict[int, NDArray[Any]] = {}
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            embedded.update(zip(batch, self._run([ids[index] for index in batch]), strict=True))
        return [embedded[index] for index in range(len(ids))]

    def _run(self, ids: list[list[int]]) -> list[NDArray[Any]]:
        import torch

        framed = [self._frame.around(text_ids) for text_ids in ids]
        width = max(map(len, framed))
        pad = self.tokenizer.pad_token_id
        inputs = torch.tensor([row + [pad] * (width - len(row)) for row in framed], device=self.model.device)
        mask = torch.tensor(
            [[1] * len(row) + [0] * (width - len(row)) for row in framed], device=self.model.device
        )
        with torch.inference_mode():
            states = self.model(input_ids=inputs, attention_mask=mask).last_hidden_state.float().cpu().numpy()
        before = len(self._frame.before)
        return [state[before : before + len(text_ids)] for state, text_ids in zip(states, ids, strict=True)]
