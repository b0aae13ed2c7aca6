"""One vector for a text, of those of its tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def mean_of_tokens(states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return (batch, size): the mean of states, (batch, time, size), over tokens, special ones included."""
    weight = mask.unsqueeze(-1).to(states.dtype)  # (batch, time, 1)
    return (states * weight).sum(1) / weight.sum(1).clamp(min=1)


def unit_means(body: Any, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    """Return (batch, size): the mean of a body's last states, at unit length."""
    states = body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    means = mean_of_tokens(states, attention_mask)
    lengths: torch.Tensor = means.norm(dim=-1, keepdim=True).clamp(min=1e-12)
    return means / lengths
