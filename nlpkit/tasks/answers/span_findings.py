"""What the preflight reports of opinions: their polarities, and which cannot be learned."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from nlpkit.data.examples import OpinionText
from nlpkit.errors import DataError
from nlpkit.tasks.answers.family import TargetFindings, shares_of


def opinion_findings(train: Sequence[OpinionText], polarities: Sequence[str], *, lost: int) -> TargetFindings:
    """Describe the opinions of the training rows, of which so many are not among their targets.

    Raises:
        DataError: a polarity has no opinions.
    """
    counts = polarity_counts(train)
    total = sum(counts.values())
    for polarity in polarities:
        if not counts[polarity]:
            raise DataError(
                f"no training row has an opinion with the polarity {polarity!r}: it cannot be learned; "
                "hint: leave it out of task.labels"
            )
    empty = sum(not example.opinions for example in train)
    warnings = [
        f"the polarity {polarity!r} is rare ({counts[polarity]:,} opinions)"
        for polarity in polarities
        if 20 * counts[polarity] < max(counts.values())
    ]
    if lost:
        warnings.insert(
            0,
            f"{lost:,} opinions are not learned: they do not stand wholly in the first window of their text; "
            "a larger base.max_tokens, or shorter texts, keeps them",
        )
    return TargetFindings(
        lines=(
            f"opinions   {', '.join(shares_of(counts, polarities, total))}",
            f"           {total / len(train):.2f} a row; {empty:,} rows without any",
        ),
        warnings=tuple(warnings),
    )


def polarity_counts(examples: Sequence[OpinionText]) -> Counter[str]:
    """Count the opinions by polarity."""
    return Counter(opinion.polarity for example in examples for opinion in example.opinions)
