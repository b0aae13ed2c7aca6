"""A sentence encoder and a vision transformer, fused late, with a head that reads both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput

from nlpkit.models.pooling import mean_of_tokens
from nlpkit.models.pretrained import load_classifier
from nlpkit.models.vision import Fusion, load_vision, states_of
from nlpkit.tasks.answers.family import Head

GATE = 0.5
"""What the gate begins with: its tangent weighs what the words take from the picture."""


class FusedParts(nn.Module):
    """One vector for a post, of the states of its words and of its picture.

    A missing picture is a learned state; a missing text is its special tokens alone.
    """

    def __init__(self, fusion: Fusion, *, text: int, picture: int, heads: int) -> None:
        super().__init__()
        self.no_picture: nn.Parameter = nn.Parameter(torch.zeros(picture))
        self.of_words: nn.LayerNorm = nn.LayerNorm(text)
        self.of_picture: nn.LayerNorm = nn.LayerNorm(picture)
        if fusion == "attention":
            self.attention: nn.MultiheadAttention = nn.MultiheadAttention(
                text, heads, kdim=picture, vdim=picture, batch_first=True
            )
            self.gate: nn.Parameter = nn.Parameter(torch.tensor(GATE))
        self.fusion = fusion
        self.hidden: nn.Linear = nn.Linear(2 * text if fusion == "attention" else text + picture, text)

    def forward(
        self, words: torch.Tensor, mask: torch.Tensor, seen: torch.Tensor | None, picture: torch.Tensor
    ) -> torch.Tensor:
        """Return (batch, size).

        Args:
            words: (batch, time, size), the states of the tokens.
            mask: (batch, time).
            seen: (pictures, states, size of the picture); None where no post has one.
            picture: (batch,), the number of each post's picture in `seen`; -1 where it has none.
        """
        words, shown = self.of_words(words), self.of_picture(self._shown(seen, picture))
        if self.fusion == "attention":
            taken, _ = self.attention(words, shown, shown, need_weights=False)
            both = mean_of_tokens(torch.cat([words, torch.tanh(self.gate) * taken], dim=-1), mask)
        else:
            both = torch.cat([mean_of_tokens(words, mask), shown.mean(dim=1)], dim=-1)
        fused: torch.Tensor = nn.functional.gelu(self.hidden(both))
        return fused

    def _shown(self, seen: torch.Tensor | None, picture: torch.Tensor) -> torch.Tensor:
        """Return (batch, states, size of the picture)."""
        if seen is None:
            return self.no_picture.expand(len(picture), 1, -1)
        return torch.where(
            (picture < 0)[:, None, None], self.no_picture.to(seen.dtype), seen[picture.clamp(min=0)]
        )


class PictureClassifier(nn.Module):
    """Two pretrained bodies, what fuses them, and a linear head."""

    base_model_prefix = "body"

    def __init__(self, text: Any, vision: Any, fusion: Fusion, outputs: int) -> None:
        super().__init__()
        self.body: nn.ModuleDict = nn.ModuleDict({"text": text, "vision": vision})
        self.config: Any = text.config
        self.fusion: FusedParts = FusedParts(
            fusion,
            text=text.config.hidden_size,
            picture=vision.config.hidden_size,
            heads=text.config.num_attention_heads,
        )
        self.classifier: nn.Linear = nn.Linear(text.config.hidden_size, outputs)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.classifier.weight.device

    def get_input_embeddings(self) -> Any:
        """Return the word embeddings."""
        text: Any = self.body["text"]
        return text.get_input_embeddings()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        picture: torch.Tensor,
        pixel_values: torch.Tensor | None = None,
        picture_states: torch.Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Return logits, (batch, labels).

        Args:
            input_ids: (batch, time).
            attention_mask: (batch, time).
            picture: (batch,), the number of each post's picture; -1 where it has none.
            pixel_values: (pictures, 3, side, side), or
            picture_states: (pictures, states, size), what the vision transformer made of them before.
        """
        words = self.body["text"](input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        if picture_states is None and pixel_values is not None:
            picture_states = states_of(self.body["vision"], pixel_values)
        fused = self.fusion(words, attention_mask, picture_states, picture)
        return SequenceClassifierOutput(logits=self.classifier(fused))


def load_picture_classifier(
    folder: Path,
    vision: Path,
    *,
    fusion: Fusion,
    head: Head,
    layers: int | None = None,
    dropout: float | None = None,
    pad_id: int | None = None,
) -> PictureClassifier:
    """Load both bases with a fresh fusion and head; seed torch before, since these are drawn at random.

    Args:
        folder: of the sentence encoder.
        vision: the folder of the vision transformer.
        fusion: how they are fused.
        head: what the task needs.
        layers: how many of the lowest layers of the sentence encoder are used; default: all.
        dropout: of the sentence encoder; default: its own.
        pad_id: its padding, where its settings do not say it.

    Raises:
        RunError: transformers cannot make a model of one of them.
    """
    text = load_classifier(
        folder, head=head, layers=layers, dropout=dropout, pad_id=pad_id, mean_pooled=True
    ).body
    return PictureClassifier(text, load_vision(vision), fusion, head.outputs)
