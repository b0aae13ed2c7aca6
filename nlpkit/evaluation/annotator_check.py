"""How far people agree on the rows of a data check."""

from __future__ import annotations

from collections.abc import Sequence

from nlpkit.data.annotations import people_of
from nlpkit.data.check_findings import Finding
from nlpkit.data.examples import TextExample
from nlpkit.metrics.agreement import Scale, krippendorff_alpha, one_against_the_rest
from nlpkit.tasks.polarity import NEGATIVE_TO_POSITIVE

RELIABLE = 0.667
"""Krippendorff's own least alpha for tentative conclusions (Content Analysis, 2004)."""


def agreement_finding(part: str, examples: Sequence[TextExample]) -> Finding | None:
    """Return how far people agree: Krippendorff's alpha and one person against the others; None where no
    text has several answers.
    """
    people = people_of(examples)
    texts = sum(len(text) > 1 for text in people)
    if not texts:
        return None
    answers, scale = _scaled(people)
    alpha, ceiling = krippendorff_alpha(answers, scale), one_against_the_rest(answers, scale)
    agreed = "undefined, as all answers are equal" if alpha is None else f"{alpha:.2f} ({scale})"
    shown = "" if ceiling is None else f"r = {ceiling:.3f}" if scale == "interval" else f"{ceiling:.1%}"
    return Finding(
        kind="agreement",
        severity="warning" if alpha is not None and alpha < RELIABLE else "info",
        part=part,
        rows=texts,
        message=f"{texts:,} texts have the answers of several people: Krippendorff's alpha {agreed}"
        + (f"; one person against the others: {shown}" if shown else ""),
        hint="Compare a model with that: `annotators:` below the source, or nlpkit evaluate --annotators",
    )


def _scaled(people: Sequence[Sequence[str | float]]) -> tuple[list[list[float]], Scale]:
    """Return answers as numbers, and their scale: numbers, labels from negative to positive, or names."""
    names = {str(answer) for text in people for answer in text}
    if all(_is_number(name) for name in names):
        return [[float(answer) for answer in text] for text in people], "interval"
    order = next((known for known in NEGATIVE_TO_POSITIVE if {n.casefold() for n in names} <= {*known}), None)
    line = sorted(names, key=lambda name: (order.index(name.casefold()) if order else 0, name))
    number = {name: float(index) for index, name in enumerate(line)}
    scale: Scale = "ordinal" if order else "nominal"
    return [[number[str(answer)] for answer in text] for text in people], scale


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
