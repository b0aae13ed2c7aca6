"""What to read: the strongest, most typical, most surprising and most doubtful texts, no two alike."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nlpkit.analysis.cells import ALL, Cell
from nlpkit.analysis.counts import Counts
from nlpkit.analysis.shortlists import Candidate
from nlpkit.data.near import near_groups
from nlpkit.data.personal import scan
from nlpkit.reports.sections import Mark
from nlpkit.trust.explain import brief_explainer
from nlpkit.trust.explanation_page import marks_of

if TYPE_CHECKING:
    from nlpkit.classifiers.classifier import Classifier

EACH = 3
"""Texts of each kind for each label, among all texts."""
EACH_IN_GROUP = 1
"""The same in each group."""
NEAR = 0.6
"""Texts whose pairs of words are as similar as this are near-equal: one of them is shown."""
MOST_LABELS = 4
"""Labels whose texts are shown, the most frequent ones; the table has the same ones."""
MOST_WORDS = 40
"""A text with more words gets no marks: each word costs about five predictions."""
SECONDS = 20.0
"""After these no further text gets marks."""
KINDS = ("strongest", "most typical", "most surprising", "most doubtful")


Group = tuple[str, str] | None
"""Column and value; None stands for all texts."""


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """A text to read, and why."""

    group: Group
    """What it is chosen for."""
    kind: str
    candidate: Candidate
    share: float
    """The share of its label, as counted, in its group and period: what makes it surprising."""
    marks: tuple[Mark, ...] = ()


def choose(
    counts: Counts, labels: tuple[str, ...], *, about: str, is_masked: bool, seed: int
) -> list[Chosen]:
    """Choose the texts that are shown: of all texts and of each group, by kind and label.

    The label `about` comes first, then the most frequent ones.
    """
    lists = counts.shortlists.lists
    given = dict(zip(labels, counts.whole.given.tolist(), strict=True))
    order = sorted(labels, key=lambda label: (label != about, -given[label]))[:MOST_LABELS]
    groups = sorted({group for group, _, _ in lists if group is not None})
    offered = []
    for group in (None, *groups):
        for label in order:
            strongest = lists.get((group, label, "strongest"), [])
            around = strongest
            if group is None:
                around = strongest + [
                    each for of in groups for each in lists.get((of, label, "strongest"), [])
                ]
            kinds = {
                "strongest": strongest,
                "most typical": _typical(lists.get((group, label, "sample"), [])),
                "most surprising": _surprising(around, counts, labels) if counts.cells else [],
                "most doubtful": lists.get((group, label, "doubtful"), []),
            }
            offered += [
                Chosen(group=group, kind=kind, candidate=each, share=_share(each, counts, labels))
                for kind in KINDS
                for each in kinds[kind]
            ]
    return _without_near(offered, is_masked=is_masked, seed=seed)


def _without_near(offered: Sequence[Chosen], *, is_masked: bool, seed: int) -> list[Chosen]:
    """Return the first texts of each kind, label and group that are not near-equal to one before."""
    if not offered:
        return []
    near = near_groups([each.candidate.text for each in offered], threshold=NEAR, seed=seed)
    used: set[int] = set()
    taken: Counter[tuple[str, str, Group]] = Counter()
    chosen = []
    for each, number in zip(offered, near, strict=True):
        candidate, kind = each.candidate, (each.kind, each.candidate.label, each.group)
        most = EACH if each.group is None else EACH_IN_GROUP
        if taken[kind] >= most or number in used or not candidate.text.strip():
            continue
        used.add(number)
        taken[kind] += 1
        text = scan(candidate.text)[0] if is_masked else candidate.text
        chosen.append(replace(each, candidate=replace(candidate, text=text)))
    return chosen


def _typical(sample: Sequence[Candidate]) -> list[Candidate]:
    """Return a random sample of texts, those first whose words are most like those of all of it (TF-IDF)."""
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer

    if len(sample) < 2:
        return list(sample)
    try:
        vectors = TfidfVectorizer(sublinear_tf=True, min_df=1).fit_transform([each.text for each in sample])
    except ValueError:  # no words at all
        return list(sample)
    likeness = vectors @ np.asarray(vectors.mean(axis=0)).ravel()
    return [sample[row] for row in sorted(range(len(sample)), key=lambda row: -likeness[row])]


def _surprising(strongest: Sequence[Candidate], counts: Counts, labels: tuple[str, ...]) -> list[Candidate]:
    """Return the texts first that surely have a label that is rare in their group and period."""

    def surprise(each: Candidate) -> float:
        return each.probability * -math.log(max(_share(each, counts, labels), 1e-6))

    return sorted(strongest, key=surprise, reverse=True)


def _share(candidate: Candidate, counts: Counts, labels: tuple[str, ...]) -> float:
    """Return the share of a text's label in the smallest cell around it, as counted."""
    number = labels.index(candidate.label)
    groups = (candidate.group,) if candidate.group else ()
    tries = (Cell(groups=groups, period=candidate.period), Cell(groups=groups), ALL)
    tally = next(counts.of(cell) for cell in tries if cell == ALL or cell in counts.cells)
    return float(tally.given[number] / tally.texts)


def with_words(chosen: Sequence[Chosen], classifier: Classifier) -> list[Chosen]:
    """Mark the words that drove the label, in the short texts while time is left."""
    explainer, started = brief_explainer(classifier), time.monotonic()
    marked = []
    for each in chosen:
        text = each.candidate.text
        is_short = 0 < len(text.split()) <= MOST_WORDS
        if explainer and is_short and not each.group and time.monotonic() - started <= SECONDS:
            explanations = next(explainer.explain([text]))
            each = replace(each, marks=marks_of(explanations[0]) if explanations else ())
        marked.append(each)
    return marked
