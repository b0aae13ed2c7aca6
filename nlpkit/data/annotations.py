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
    for row, example in enumerate(labeled):
        if example and (example.label or example.value is not None):
            rows[example.text].append(row)
    repeated = [places for places in rows.values() if len(places) > 1]
    if 2 * sum(map(len, repeated)) < max(1, len(examples)):
        return own
    for places in repeated:
        answers = [labeled[number] for number in places]
        own[places[0]] = tuple(
            answer.label or answer.value or 0.0 for answer in answers if answer is not None
        )
    return own
