"""What an answer claims, as numbers by which texts can be compared: what an explanation is about."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nlpkit.errors import ConfigError, nearest
from nlpkit.tasks.prediction import Prediction

if TYPE_CHECKING:
    import torch

LEAST = 1e-12
"""Probabilities nearer to 0 or 1 are taken for this far from it: log-odds stay finite."""


class Claim(Protocol):
    """One label that an answer gives, or its number."""

    @property
    def name(self) -> str:
        """The label, or `value`."""

    @property
    def sign(self) -> int:
        """1 where more evidence is more of the claim; -1 for a number below the middle of its range."""

    @property
    def evidence_of(self) -> Callable[[torch.Tensor], torch.Tensor] | None:
        """The evidence by outputs, (texts, outputs) -> (texts,), to be differentiated; None where there is
        none.
        """

    def evidence(self, answer: Prediction) -> float:
        """Return what words add up to: the log-odds of the label, or the number."""

    def share(self, answer: Prediction) -> float:
        """Return how much of the claim an answer holds, from 0 to 1: the label's probability, or how far the
        number lies on its side of the range.
        """

    def holds(self, answer: Prediction) -> bool:
        """Return whether an answer says the same: gives the label, or a number of the same tone."""


@dataclass(frozen=True, kw_only=True)
class LabelClaim:
    """A label is given."""

    name: str
    evidence_of: Callable[[torch.Tensor], torch.Tensor] | None
    sign: int = 1

    def evidence(self, answer: Prediction) -> float:
        """Return the log-odds of the label."""
        chance = min(max(answer.probabilities[self.name], LEAST), 1 - LEAST)
        return math.log(chance / (1 - chance))

    def share(self, answer: Prediction) -> float:
        """Return the probability of the label."""
        return answer.probabilities[self.name]

    def holds(self, answer: Prediction) -> bool:
        """Return whether the label is given."""
        return self.name in ((answer.label,) if answer.labels is None else answer.labels)


def named_label(label: str, labels: Sequence[str]) -> str:
    """Return a label that was asked for.

    Raises:
        ConfigError: the run has no such label.
    """
    if label not in labels:
        raise ConfigError(f"the run has no label {label!r}{nearest(label, labels)}")
    return label
