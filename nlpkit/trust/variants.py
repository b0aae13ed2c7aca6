"""What an explanation is tested on: a text without the first words of an order, and with them alone; or a
conversation without turns.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from nlpkit.data.examples import Span
from nlpkit.tasks.answers.claims import Claim
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.faithfulness import sizes_of
from nlpkit.trust.posts import Asked, left_of, shown_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

Variant = TypeVar("Variant")
VariantOf_co = TypeVar("VariantOf_co", covariant=True)

RANDOM_ORDERS = 3
"""Random orders of the words or turns that an explanation is compared with."""


class Ranked(Protocol[VariantOf_co]):
    """Words or turns in the order of their weights, and what is left without some of them."""

    @property
    def text(self) -> str:
        """What is explained: equal texts get equal random orders."""

    @property
    def order(self) -> list[int]:
        """The numbers of those that the model read, those that add most first."""

    def leaving_out(self, order: Sequence[int], size: int) -> VariantOf_co:
        """Return what is left without the first ones of an order."""

    def keeping(self, order: Sequence[int], size: int) -> VariantOf_co:
        """Return what the first ones of an order are alone."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One claim about one text."""

    given: Asked
    claim: Claim
    answer: Prediction
    words: list[Span]
    """Of the text; after them the cells of its picture, if it has one."""
    weights: NDArray[Any]
    """(words,); nan where the model did not read one."""
    error: float | None

    @property
    def text(self) -> str:
        """The text, with its picture drawn below it."""
        return shown_text(self.given)

    @property
    def order(self) -> list[int]:
        """The numbers of the words that were read, those that add most to the claim first."""
        import numpy as np

        support = self.weights * self.claim.sign
        ranked = np.argsort(-support, kind="stable")
        return [int(number) for number in ranked[~np.isnan(support[ranked])]]

    def leaving_out(self, order: Sequence[int], size: int) -> Asked:
        """Return the text without the first words of an order."""
        return left_of(self.given, self.words, set(order[:size]))

    def keeping(self, order: Sequence[int], size: int) -> Asked:
        """Return only the first words of an order."""
        kept = set(order[:size])
        return left_of(self.given, self.words, set(range(len(self.words))) - kept)


@dataclass(frozen=True, kw_only=True)
class Variants(Generic[Variant]):
    """What the curves of an explanation are measured on."""

    sizes: tuple[int, ...]
    removing: list[Variant]
    keeping: list[Variant]
    random: list[list[Variant]]

    @property
    def texts(self) -> Iterable[list[Variant]]:
        """All of them."""
        return (self.removing, self.keeping, *self.random)


def variants_of(case: Ranked[Variant], *, orders: int, seed: int) -> Variants[Variant]:
    """Return what is left of a case along its own order and random ones, which are the same whatever is
    explained with it.
    """
    import numpy as np

    order = case.order
    sizes = sizes_of(len(order))
    random = np.random.default_rng([seed, zlib.crc32(case.text.encode())])
    drawn = [random.permutation(order).tolist() for _ in range(orders)]
    return Variants(
        sizes=sizes,
        removing=[case.leaving_out(order, size) for size in sizes],
        keeping=[case.keeping(order, size) for size in sizes],
        random=[[case.leaving_out(each, size) for size in sizes] for each in drawn],
    )
