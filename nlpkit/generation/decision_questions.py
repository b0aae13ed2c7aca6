"""Questions about a text, and what makes the answer to one valid."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

QuestionKind: TypeAlias = Literal["choice", "score", "noul"]
"""One of several options; a level, from the lowest to the highest; or `noul`, yes or no."""

YES_NO = ("true", "false")
"""The options of a yes/no question."""

ROUNDING = 0.005
"""How far a probability may be rounded: to two digits."""


class AnswerError(ValueError):
    """An answer that holds no probabilities of the options, in words."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question about a text."""

    name: str
    kind: QuestionKind
    instructions: str
    options: tuple[str, ...]
    """What is chosen from. Of a score its levels, the lowest first; of yes or no YES_NO."""
    descriptions: Mapping[str, str] = field(default_factory=dict)
    """What options mean, as far as that is described."""

    def in_order(self, probabilities: object, names: tuple[str, ...] | None = None) -> list[float]:
        """Return the probability of each option, in order, so that they sum to 1.

        Args:
            probabilities: what the server answered, by name.
            names: what the answer calls the options.

        Raises:
            AnswerError: an option is missing or unknown, or they are no probabilities.
        """
        names = names or self.options
        if not isinstance(probabilities, dict):
            raise AnswerError(f"the answer to {self.name!r} has no probabilities of its options")
        if missing := [name for name in names if name not in probabilities]:
            raise AnswerError(f"the answer to {self.name!r} has no probability of {missing[0]!r}")
        if unknown := [name for name in probabilities if name not in names]:
            raise AnswerError(
                f"the answer to {self.name!r} has a probability of {str(unknown[0])[:40]!r}, no option of it"
            )
        values = [self.probability(probabilities[name]) for name in names]
        total = math.fsum(values)
        if abs(total - 1) > max(0.01, ROUNDING * len(values)) + 1e-9:
            raise AnswerError(
                f"the probabilities in the answer to {self.name!r} sum to {total:.3g}; expected 1"
            )
        return [value / total for value in values]

    def probability(self, value: Any) -> float:
        """Return a probability.

        Raises:
            AnswerError: it is none.
        """
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise AnswerError(
                f"the answer to {self.name!r} holds {str(value)[:40]!r}; expected a probability"
            )
        return float(value)
