"""A classifier whose head reads the mean of all tokens, as sentence encoders are trained to be read."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from nlpkit.models.pooling import unit_means


class MeanPooled(nn.Module):
    """A pretrained body and a linear head on the mean of its last states, at unit length."""

    base_model_prefix = "body"

    def __init__(self, body: Any, outputs: int) -> None:
        super().__init__()
        if getattr(body, "pooler", None) is not None:
            body.pooler = None  # it reads the first token for nobody
        self.body = body
        self.config: Any = body.config
        self.classifier: nn.Linear = nn.Linear(body.config.hidden_size, outputs)

    @property
    def base_model(self) -> Any:
        """The pretrained body, as a transformers model calls it."""
        return self.body

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        device: torch.device = next(self.body.parameters()).device
        return device

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **_: Any
    ) -> SequenceClassifierOutput:
        """Return logits, (batch, labels), of ids and their mask, (batch, time)."""
        return SequenceClassifierOutput(
            logits=self.classifier(unit_means(self.body, input_ids, attention_mask))
        )
