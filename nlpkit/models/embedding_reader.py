"""Labels by likeness: a label is likelier, the nearer a text's embedding lies to that of its words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from transformers.modeling_outputs import SequenceClassifierOutput

from nlpkit.data.codebook import Codebook, LabelWords
from nlpkit.models.batching import batches
from nlpkit.models.pooling import unit_means
from nlpkit.tasks.encoding import Frame, token_ids

SCALE = 20.0
"""What cosines, in [-1, 1], are multiplied by to become logits: that of sentence encoders in training."""

BUDGET = 2048
"""Tokens a batch while the labels' words are embedded."""


class EmbeddingReader(nn.Module):
    """A sentence encoder, mean-pooled, with one direction for each label: a linear classifier."""

    label_weight: torch.Tensor
    label_bias: torch.Tensor

    def __init__(self, body: Any, tokenizer: Any, codebook: Codebook) -> None:
        super().__init__()
        self.body = body
        self.config: Any = body.config
        self._tokenizer, self._frame, self._codebook = tokenizer, Frame.of(tokenizer), codebook
        count = len(codebook.labels)
        self.register_buffer("label_weight", torch.zeros(count, body.config.hidden_size))
        self.register_buffer("label_bias", torch.zeros(count))

    overhead = 0
    base_model_prefix = "body"

    def take_words(self) -> None:
        """Point each label's weights to the mean of its words, its description and its examples."""
        for index, entry in enumerate(self._codebook.labels):
            self.label_weight[index] = SCALE * functional.normalize(self._embed(_texts(entry)).mean(0), dim=0)

    def alike(self) -> list[tuple[int, int, float]]:
        """Return the pairs of labels whose directions are nearly one, with their cosine."""
        units = functional.normalize(self.label_weight, dim=1)
        cosines = torch.triu(units @ units.T, diagonal=1)
        return [(a, b, float(cosines[a, b])) for a, b in (cosines > 0.95).nonzero().tolist()]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> SequenceClassifierOutput:
        """Return logits, (batch, labels), of ids and their mask, (batch, time)."""
        pooled = unit_means(self.body, input_ids, attention_mask)
        return SequenceClassifierOutput(logits=functional.linear(pooled, self.label_weight, self.label_bias))

    def _embed(self, texts: Sequence[str]) -> torch.Tensor:
        window = self.config.max_position_embeddings // 2 - self._frame.size
        ids = [self._frame.around(row[:window]) for row in token_ids(self._tokenizer, texts)]
        pooled = torch.empty(len(ids), self.config.hidden_size)
        for numbers in batches([len(row) for row in ids], BUDGET):
            rows = [ids[number] for number in numbers]
            width, pad = max(map(len, rows)), self._tokenizer.pad_token_id
            padded = [row + [pad] * (width - len(row)) for row in rows]
            mask = [[1] * len(row) + [0] * (width - len(row)) for row in rows]
            device = self.label_weight.device
            with torch.no_grad():
                units = unit_means(
                    self.body, torch.tensor(padded, device=device), torch.tensor(mask, device=device)
                )
            pooled[numbers] = units.float().cpu()
        return pooled


def _texts(entry: LabelWords) -> list[str]:
    return [text for text in (entry.spoken, entry.description, *entry.examples) if text]
