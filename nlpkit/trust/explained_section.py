"""The sections of a report that show what answers rest on: a few texts with the effect of each word."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.rows import unreadable_text
from nlpkit.errors import DataError
from nlpkit.reports.sections import Column, Example, Section, Table, Tag, Texts
from nlpkit.tasks.answers.family import ClassifierFamily
from nlpkit.tasks.prediction import Prediction
from nlpkit.trust.explain import brief_explainer
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.explanation import Explanation
from nlpkit.trust.explanation_page import LEGEND, marks_of
from nlpkit.trust.posts import Asked, cells_of, plain_text

EACH = 2
"""Texts of each kind that are shown."""

MOST_WORDS = 20
"""A text with more words is not shown: each word costs about five predictions."""

MOST_CHARACTERS = 400
"""The same of characters: what has few words may still be long."""

SECONDS = 5.0
"""After these no further text is explained."""


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """A kind of answers, and the rows that have one, the clearest case first."""

    tag: Tag
    rows: list[int]


def explained_sections(
    classifier: Classifier, examples: Sequence[Any], predictions: Sequence[Prediction], outcomes: Any
) -> tuple[Section, ...]:
    """Return a few texts with the effect of each word, and how faithful those effects are.

    Args:
        classifier: answered the examples.
        examples: what was measured on.
        predictions: the answer to each.
        outcomes: truth and answer of each, as the family pairs them.

    Returns:
        No sections where the classifier's answers cannot be explained, or all texts are too long.
    """
    explainer = brief_explainer(classifier)
    if explainer is None:
        return ()
    family = classifier.task.family
    kinds = _kinds(family, predictions, outcomes)
    chosen = sorted(
        _chosen(explainer, kinds, [_asked(classifier, example) for example in examples]),
        key=lambda each: each[0],
    )
    if not chosen:
        return ()
    shown = [
        Example(
            text=explanation.text,
            marks=marks_of(explanation),
            tags=(kinds[kind].tag, *_answer_tags(family.truth(examples[row]), explanation)),
            where=examples[row].where,
        )
        for kind, row, explanation in chosen
    ]
    return _texts(shown), _faithfulness([explanation for _, _, explanation in chosen])


def _kinds(family: ClassifierFamily, predictions: Sequence[Prediction], outcomes: Any) -> list[_Kind]:
    """Return the kinds of answers in the order in which they are shown; numbers are ranked by their error.

    Only the less sure half of the answers counts as unsure.
    """
    import numpy as np

    sure = np.array([_confidence(family, answer) for answer in predictions])

    def ranked(order: Any, among: Any) -> list[int]:
        return [int(row) for row in np.argsort(order, kind="stable") if among[row]]

    doubted = sure <= np.median(sure)
    tested = next((metric.right for metric in family.metrics if metric.right), None)
    if tested is None:
        errors = abs(outcomes.truth - outcomes.predicted)
        is_large = errors > np.median(errors)
        return [
            _Kind(tag=Tag(text="small error", good=True), rows=ranked(errors, ~is_large)),
            _Kind(tag=Tag(text="large error", good=False), rows=ranked(-errors, is_large)),
            _Kind(tag=Tag(text="near the middle"), rows=ranked(sure, doubted)),
        ]
    right = np.asarray(tested(outcomes), dtype=bool)
    return [
        _Kind(tag=Tag(text="right", good=True), rows=ranked(-sure, right)),
        _Kind(tag=Tag(text="wrong", good=False), rows=ranked(-sure, ~right)),
        _Kind(tag=Tag(text="unsure"), rows=ranked(sure, doubted)),
    ]


def _confidence(family: ClassifierFamily, answer: Prediction) -> float:
    """Return the probability of an answer; of a number how far it lies from the middle of its range."""
    return family.claims(answer)[0].share(answer) if answer.certainty is None else answer.certainty


def _chosen(
    explainer: Explainer, kinds: Sequence[_Kind], texts: Sequence[Asked]
) -> Iterator[tuple[int, int, Explanation]]:
    """Yield the kind, the row and the explanation of each text that is shown, one of each kind in turn."""
    started = time.monotonic()
    seen: set[Asked] = set()
    waiting = [iter(kind.rows) for kind in kinds] * EACH  # the same iterators again: each goes on
    for turn, rows in enumerate(waiting):
        for row in rows:
            if time.monotonic() - started > SECONDS:
                return
            if texts[row] not in seen and _is_short(explainer, texts[row]):
                seen.add(texts[row])
                yield turn % len(kinds), row, next(explainer.explain([texts[row]]))[0]
                break


def _asked(classifier: Classifier, example: Any) -> Asked:
    given = classifier.task.input(example)
    return given if given.picture else given.text


def _is_short(explainer: Explainer, given: Asked) -> bool:
    """Return whether a text can be shown; it has at least as many words as parts between spaces."""
    text = plain_text(given)
    if len(text) > MOST_CHARACTERS or len(text.split()) > MOST_WORDS or unreadable_text(text):
        return False
    try:
        return explainer.check(given, "") <= MOST_WORDS + len(cells_of(given))
    except DataError:
        return False


def _answer_tags(truth: object, explanation: Explanation) -> Iterator[Tag]:
    yield Tag(text=f"true: {f'{truth:+.2f}' if isinstance(truth, float) else truth or 'none'}")
    about, headline = explanation.about, explanation.headline or "none"
    share = "" if about == "value" else f"{explanation.share:.1%}"
    yield Tag(text=f"predicted: {headline}{f', {share}' if about == headline else ''}")
    if share and about != headline:
        yield Tag(text=f"explained: {about}, {share}")


def _texts(examples: Sequence[Example]) -> Texts:
    return Texts(
        id="explained",
        title="What answers rest on",
        nav="What answers rest on",
        note=f"{LEGEND} Found by leaving out one word after the other. Shown: the surest right and wrong "
        "answers (of numbers: small and large errors) and the least sure ones, among texts of at most "
        f"{MOST_WORDS} words. More by nlpkit explain RUN 'a text', or for a file by nlpkit explain RUN FILE "
        "--html explained.html.",
        examples=tuple(examples),
    )


def _faithfulness(explanations: Sequence[Explanation]) -> Table:
    def row(name: str, better: str) -> tuple[str, float, float, str]:
        ours, random = (
            round(fmean(getattr(scores, name.lower()) for scores in each), 4)
            for each in (
                [explanation.faithfulness.scores for explanation in explanations],
                [explanation.faithfulness.random for explanation in explanations],
            )
        )
        return name, ours, random, better

    return Table(
        id="faithfulness",
        title="How faithful the effects are",
        under="explained",
        note=f"Means over these {len(explanations)} texts, each with one random order of its words. "
        "Comprehensiveness: how much probability (of a number: share of its range) an answer loses without "
        "the words that speak most for it. Sufficiency: how much it loses if only they stay.",
        columns=(
            Column(name="Figure"),
            Column(name="By effect", number=True),
            Column(name="Random order", number=True),
            Column(name="Better"),
        ),
        rows=(row("Comprehensiveness", "higher"), row("Sufficiency", "lower")),
    )
