"""How far people agree on the same texts, and how well one of them answers as the others do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from numpy.typing import NDArray

Scale: TypeAlias = Literal["nominal", "ordinal", "interval"]
Answers: TypeAlias = Sequence[Sequence[float]]
"""For each text the answers that people gave: numbers, or indices of labels."""


def krippendorff_alpha(answers: Answers, scale: Scale) -> float | None:
    """Return Krippendorff's alpha: 1 where all agree, 0 where they agree as by chance.

    Texts with a single answer say nothing and are left out (Krippendorff 2011, Computing Krippendorff's
    Alpha-Reliability).

    Args:
        answers: for each text those of several people, in any order, as many as there are.
        scale: `nominal` counts answers that differ, `ordinal` how many ranks lie between them, `interval`
            their squared difference.

    Returns:
        None where no text has two answers, or all answers are equal.
    """
    import numpy as np

    pairable = [list(text) for text in answers if len(text) > 1]
    values = np.array(sorted({value for text in pairable for value in text}), dtype=np.float64)
    if len(values) < 2:
        return None
    number = {value: index for index, value in enumerate(values.tolist())}
    coincidences = np.zeros((len(values), len(values)))
    for text in pairable:
        counts = np.bincount([number[float(value)] for value in text], minlength=len(values))
        coincidences += (np.outer(counts, counts) - np.diag(counts)) / (len(text) - 1)
    totals = coincidences.sum(axis=0)
    distance = _distance(values, totals, scale)
    observed = (coincidences * distance).sum()
    expected = (np.outer(totals, totals) * distance).sum() / (totals.sum() - 1)
    return float(1 - observed / expected)


def _distance(values: NDArray[Any], totals: NDArray[Any], scale: Scale) -> NDArray[Any]:
    """Return (values, values): the squared distance between two answers."""
    import numpy as np

    if scale == "nominal":
        return 1 - np.eye(len(values))
    # On an ordinal scale two ranks are as far apart as answers lie between their middles.
    line = values if scale == "interval" else np.cumsum(totals) - totals / 2
    squares: NDArray[Any] = (line[:, None] - line[None, :]) ** 2
    return squares


def one_against_the_rest(
    answers: Answers, scale: Scale, given: Sequence[float] | None = None
) -> float | None:
    """Return how well one person answers as the others of the same text do: the human ceiling.

    For labels it is the share of answers that are the others' commonest one; where several are as common,
    each counts for its share. On an interval scale it is the correlation with the others' mean.

    Args:
        answers: for each text those of several people.
        scale: of the answers.
        given: a model's answer to each text, measured against the same others in place of the one.

    Returns:
        None where no text has two answers, or a correlation is undefined.
    """
    ours: list[float] = []
    rests: list[list[float]] = []
    for number, text in enumerate(answers):
        for index, answer in enumerate(text):
            if len(text) > 1:
                ours.append(answer if given is None else given[number])
                rests.append([*text[:index], *text[index + 1 :]])
    if not ours:
        return None
    if scale == "interval":
        return _correlation(ours, [sum(rest) / len(rest) for rest in rests])
    return sum(map(_hit, ours, rests)) / len(ours)


def _hit(answer: float, rest: Sequence[float]) -> float:
    counts = Counter(rest)
    commonest = [value for value, count in counts.items() if count == max(counts.values())]
    return (answer in commonest) / len(commonest)


def _correlation(ours: Sequence[float], theirs: Sequence[float]) -> float | None:
    import numpy as np

    if len(set(ours)) < 2 or len(set(theirs)) < 2:
        return None
    return float(np.corrcoef(ours, theirs)[0, 1])
