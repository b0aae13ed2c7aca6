"""Metrics of opinions by aspect. To add one, write an object and name it in `OPINION_METRICS`.

A span counts as found only where its first and its last character are the true ones.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from nlpkit.data.examples import Opinion
from nlpkit.errors import DataError
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]

Part: TypeAlias = Callable[[Opinion], Hashable]


@dataclass(frozen=True, kw_only=True, eq=False)
class OpinionOutcomes:
    """The true and the given opinions, row by row.

    Raises:
        DataError: there are no rows.
    """

    polarities: tuple[str, ...]
    pairs: bool = True
    """Whether opinions have words."""
    truth: Sequence[tuple[Opinion, ...]]
    given: Sequence[tuple[Opinion, ...]]

    def __post_init__(self) -> None:
        if len(self.truth) != len(self.given):
            raise ValueError(f"{len(self.truth)} rows of true opinions but {len(self.given)} of given ones")
        if not self.truth:
            raise DataError("nothing to measure: there are no rows; expected at least one")

    def __len__(self) -> int:
        return len(self.truth)

    def same_rows(self, outcomes: OpinionOutcomes) -> bool:
        """Whether both have the same true opinions in the same order."""
        return list(map(set, self.truth)) == list(map(set, outcomes.truth))

    def arrays(self) -> tuple[Array, Array]:
        """Return given and true opinions, each row a tuple."""
        import numpy as np

        given, true = (np.empty(len(self), dtype=object) for _ in range(2))
        given[:], true[:] = self.given, self.truth
        return given, true


def whole(opinion: Opinion) -> Hashable:
    """Return all of an opinion."""
    return opinion


def pair(opinion: Opinion) -> Hashable:
    """Return an opinion without its polarity."""
    return opinion.aspect, opinion.opinion


def aspect(opinion: Opinion) -> Hashable:
    """Return what is spoken of."""
    return opinion.aspect


def words(opinion: Opinion) -> Hashable:
    """Return what is said of it."""
    return opinion.opinion


def parts_of(outcomes: OpinionOutcomes, part: Part) -> list[tuple[set[Hashable], set[Hashable]]]:
    """Return this part of the true and of the given opinions, row by row, each once."""
    return [
        ({part(opinion) for opinion in true}, {part(opinion) for opinion in given})
        for true, given in zip(outcomes.truth, outcomes.given, strict=True)
    ]


def counts(outcomes: OpinionOutcomes, part: Part) -> Array:
    """Return (rows, 3): how many are right, true, given."""
    import numpy as np

    rows = [(len(true & given), len(true), len(given)) for true, given in parts_of(outcomes, part)]
    return np.array(rows, dtype=float).reshape(-1, 3)


def _f1(part: Part) -> Callable[[OpinionOutcomes], Ratio]:
    def parts(outcomes: OpinionOutcomes) -> Ratio:
        right, true, given = counts(outcomes, part).T
        return Ratio.of(2 * right, true + given)

    return parts


def _precision(outcomes: OpinionOutcomes) -> Ratio:
    right, _, given = counts(outcomes, whole).T
    return Ratio.of(right, given)


def _recall(outcomes: OpinionOutcomes) -> Ratio:
    right, true, _ = counts(outcomes, whole).T
    return Ratio.of(right, true)


def _polarity(outcomes: OpinionOutcomes) -> Ratio:
    pairs, right = counts(outcomes, pair)[:, 0], counts(outcomes, whole)[:, 0]
    return Ratio.of(right, pairs)


NOTHING = "no text has an opinion, and none was given"

TRIPLET_F1: Metric[OpinionOutcomes] = ratio_metric(
    _f1(whole),
    name="triplet_f1",
    title="Triplet F1",
    meaning="Precision and recall in one number. A triplet is right where aspect, opinion words and polarity "
    "are, each to the character.",
    scale=(0, 1),
    nothing=NOTHING,
)
TERM_F1: Metric[OpinionOutcomes] = ratio_metric(
    _f1(whole),
    name="term_f1",
    title="Term F1",
    meaning="Precision and recall in one number. A term is right where its first and last character and its "
    "polarity are.",
    scale=(0, 1),
    nothing=NOTHING,
)
PRECISION: Metric[OpinionOutcomes] = ratio_metric(
    _precision,
    name="precision",
    title="Precision",
    meaning="Share of the answers that are right in all parts.",
    percent=True,
    scale=(0, 1),
    nothing="no opinion was given",
)
RECALL: Metric[OpinionOutcomes] = ratio_metric(
    _recall,
    name="recall",
    title="Recall",
    meaning="Share of the true opinions that are found, right in all parts.",
    percent=True,
    scale=(0, 1),
    nothing="no text has an opinion",
)
PAIR_F1: Metric[OpinionOutcomes] = ratio_metric(
    _f1(pair),
    name="pair_f1",
    title="Pair F1",
    meaning="As triplet F1, whatever the polarity.",
    scale=(0, 1),
    nothing=NOTHING,
)
ASPECT_F1: Metric[OpinionOutcomes] = ratio_metric(
    _f1(aspect),
    name="aspect_f1",
    title="Aspect F1",
    meaning="Precision and recall of what is spoken of, whatever is said of it.",
    scale=(0, 1),
    nothing=NOTHING,
)
WORDS_F1: Metric[OpinionOutcomes] = ratio_metric(
    _f1(words),
    name="opinion_f1",
    title="Opinion words F1",
    meaning="Precision and recall of the opinion words, whatever they are said of.",
    scale=(0, 1),
    nothing=NOTHING,
)
POLARITY: Metric[OpinionOutcomes] = ratio_metric(
    _polarity,
    name="polarity_accuracy",
    title="Polarity accuracy",
    meaning="Of the answers whose spans are right, the share whose polarity is right.",
    percent=True,
    scale=(0, 1),
    nothing="no span was found",
)

OPINION_METRICS: tuple[Metric[OpinionOutcomes], ...] = (
    TRIPLET_F1,
    PRECISION,
    RECALL,
    PAIR_F1,
    ASPECT_F1,
    WORDS_F1,
    POLARITY,
)
"""In the order in which they are shown."""

TERM_METRICS: tuple[Metric[OpinionOutcomes], ...] = (TERM_F1, PRECISION, RECALL, ASPECT_F1, POLARITY)
"""Those of terms without opinion words."""
