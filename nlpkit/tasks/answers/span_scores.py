"""Scores of parts of a text, as products of small vectors that a head gives each token.

For every pair of tokens a table holds a score: of a span the pair is its first and its last token, of a
pair of spans their first tokens, or their last ones (as in GPLinker, on the rotary span scores of
GlobalPointer, Su et al. 2022, arXiv:2208.03054). So a model, a runtime and an export need to know only
numbers per token.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import torch

SIZE = 32
"""Numbers of one of a token's vectors."""

NUMBERS = 5
"""Numbers of a target that stand for one opinion: first and last token of the aspect, of the opinion, and
the number of its polarity.
"""


@lru_cache(maxsize=1024)
def _turns(time: int) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine and sine of the angles that a vector at each place is turned by, (time, SIZE / 2)."""
    import numpy as np

    angles = np.arange(time)[:, None] / 10_000 ** (np.arange(0, SIZE, 2) / SIZE)
    return np.cos(angles), np.sin(angles)


def score_tables(outputs: Any, tables: int, cosine: Any, sine: Any) -> Any:
    """Return (..., tables, time, time) scores of (..., time, outputs), of arrays of NumPy and of torch alike.

    The vectors are turned by the places of their tokens (Su et al. 2021, arXiv:2104.09864), so that a
    product depends on how far these are apart.
    """
    vectors = outputs.reshape(*outputs.shape[:-1], tables, 4, SIZE // 2)
    # (..., time, tables, size) -> (..., tables, time, size)
    left, right, other_left, other_right = (vectors[..., part, :].swapaxes(-2, -3) for part in range(4))
    rows = left * cosine - right * sine, right * cosine + left * sine
    columns = other_left * cosine - other_right * sine, other_right * cosine + other_left * sine
    products = [row @ column.swapaxes(-1, -2) for row, column in zip(rows, columns, strict=True)]
    return (products[0] + products[1]) / SIZE**0.5


def window_tables(outputs: np.ndarray, tables: int) -> np.ndarray:
    """Return (tables, time, time) of the outputs of one window."""
    scores: np.ndarray = score_tables(outputs, tables, *_turns(len(outputs)))
    return scores


def tables_loss(
    logits: torch.Tensor, target: torch.Tensor, *, spans: int, polarities: int, pairs: bool
) -> torch.Tensor:
    """Return the loss of each example, (batch,): every true cell should have a score above 0, and every other
    one a score below (Su et al. 2022, arXiv:2208.02955), the mean over the tables.

    Args:
        logits: (batch, time, outputs).
        target: (batch, 2 + NUMBERS opinions): the places of the window's tokens, then the opinions.
        spans: how many tables are of spans, whose last token does not stand before the first.
        polarities: how many there are.
        pairs: whether opinions have words, which are paired with aspects.
    """
    import torch

    batch, time = logits.shape[:2]
    cosine, sine = (torch.from_numpy(part).to(logits) for part in _turns(time))
    count = spans + 2 * polarities if pairs else spans
    scores = score_tables(logits, count, cosine, sine)
    true = torch.zeros_like(scores, dtype=torch.bool)
    opinions = target[:, 2:].reshape(batch, -1, NUMBERS).long()
    row, number = (opinions[..., -1] >= 0).nonzero(as_tuple=True)
    a_first, a_last, o_first, o_last, polarity = opinions[row, number].unbind(-1)
    if pairs:
        true[row, 0, a_first, a_last] = True
        true[row, 1, o_first, o_last] = True
        true[row, spans + polarity, a_first, o_first] = True
        true[row, spans + polarities + polarity, a_last, o_last] = True
    else:
        true[row, polarity, a_first, a_last] = True
    position = torch.arange(time, device=logits.device)
    inside = (position >= target[:, :1]) & (position < target[:, 1:2])
    known = (inside[:, None, :, None] & inside[:, None, None, :]).expand_as(scores).clone()
    known[:, :spans] &= position[:, None] <= position
    low = torch.finfo(scores.dtype).min / 2
    zero = scores.new_zeros(batch, count, 1)
    false = torch.cat([zero, scores.masked_fill(true | ~known, low).flatten(2)], dim=-1)
    missed = torch.cat([zero, (-scores).masked_fill(~true, low).flatten(2)], dim=-1)
    return (false.logsumexp(-1) + missed.logsumexp(-1)).mean(dim=1)
