"""How faithful an explanation is to the model: what happens to the answer when its words or turns go, or stay
alone.

Comprehensiveness and sufficiency after DeYoung et al. 2020 (doi:10.18653/v1/2020.acl-main.408), averaged over
their shares of words; and the area under the deletion curve. Each is set against random orders of the words.
Those of turns are in nats per token of the reply.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SHARES = (0.01, 0.05, 0.1, 0.2, 0.5)
"""The shares of the words that are left out or kept alone."""

MOST_SIZES = 32
"""Points of a curve at most; between them it is a straight line."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """How much of the answer is left after so many words of an order are left out, or kept alone."""

    sizes: tuple[int, ...]
    """Numbers of words, from none to all."""
    shares: tuple[float, ...]
    """How much of the claim each leaves, from 0 to 1; of turns how many nats per token."""

    def at(self, size: float) -> float:
        """Return the value for a number of words."""
        import numpy as np

        return float(np.interp(size, self.sizes, self.shares))

    @property
    def area(self) -> float:
        """The mean height of the curve."""
        import numpy as np

        return float(np.trapezoid(self.shares, self.sizes)) / self.sizes[-1]

    @property
    def reversed(self) -> Curve:
        """The other reading of it: keeping the last words of an order is leaving out the first."""
        sizes = tuple(self.sizes[-1] - size for size in reversed(self.sizes))
        return Curve(sizes=sizes, shares=self.shares[::-1])


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What an order of the words scores."""

    comprehensiveness: float
    """How much of the answer goes with the first words: higher is better."""
    sufficiency: float
    """How much of the answer is lost where only the first words stay: lower is better."""
    deletion: float
    """The mean of what is left while word after word goes: lower is better."""


@dataclass(frozen=True, kw_only=True)
class Faithfulness:
    """The scores of an explanation, and the mean scores of random orders of the same words."""

    scores: Scores
    random: Scores
    completeness_error: float | None = None
    """Of integrated gradients: how far their sum lies from the evidence they share out, as a part of it."""

    def line(self, of: str) -> str:
        """Return the scores in words; `of` names what is left out, such as `words`."""
        return (
            f"(in brackets: random orders of the {of}): "
            f"comprehensiveness {self.scores.comprehensiveness:.2f} ({self.random.comprehensiveness:.2f}), "
            "higher is better; "
            f"sufficiency {self.scores.sufficiency:.2f} ({self.random.sufficiency:.2f}) and "
            f"deletion {self.scores.deletion:.2f} ({self.random.deletion:.2f}), lower is better"
        )


def sizes_of(words: int) -> tuple[int, ...]:
    """Return the numbers of words that a curve is measured at, from 0 to all."""
    points = min(words, MOST_SIZES)
    return tuple(sorted({round(words * point / points) for point in range(points + 1)}))


def scores(removing: Curve, keeping: Curve) -> Scores:
    """Return the scores of an order by its two curves."""
    words = removing.sizes[-1]
    sizes = [math.ceil(share * words) for share in SHARES]
    whole = removing.shares[0]
    return Scores(
        comprehensiveness=sum(whole - removing.at(size) for size in sizes) / len(sizes),
        sufficiency=sum(whole - keeping.at(size) for size in sizes) / len(sizes),
        deletion=removing.area,
    )


def mean_scores(curves: Sequence[Curve]) -> Scores:
    """Return the mean scores of random orders by what is left after leaving out their first words.

    The words kept of an order are those left after leaving out its others, in an order that is as random.
    """
    each = [scores(curve, curve.reversed) for curve in curves]
    return Scores(
        comprehensiveness=sum(score.comprehensiveness for score in each) / len(each),
        sufficiency=sum(score.sufficiency for score in each) / len(each),
        deletion=sum(score.deletion for score in each) / len(each),
    )
