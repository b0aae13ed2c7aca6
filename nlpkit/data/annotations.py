"""What several people answered to one text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from nlpkit.data.examples import LabeledText, TextExample


def people_of(examples: Sequence[TextExample]) -> list[tuple[str | float, ...]]:
    """Return for each example what several people answered; empty where that is not known.

    Where no example holds annotations and at least half of the rows repeat a text, each row of a text is one
    person's answer: the first row gets them all.
    """
    labeled = [example if isinstance(example, LabeledText) else None for example in examples]
    own = [example.annotations if example else () for example in labeled]
    if any(own):
        return own
    rows: dict[str, list[int]] = defaultdict(list)
    given: list[tuple[str | float, ...]] = [
        (*example.labels, *example.numbers) if example else () for example in labeled
    ]
    for row, (example, answers) in enumerate(zip(labeled, given, strict=True)):
        if example and answers:
            rows[example.text].append(row)
    repeated = [numbers for numbers in rows.values() if len(numbers) > 1]
    if 2 * sum(map(len, repeated)) < max(1, len(examples)):
        return own
    for numbers in repeated:
        own[numbers[0]] = tuple(answer for number in numbers for answer in given[number])
    return own
