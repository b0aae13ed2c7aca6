"""What an alarm is about: a label shift explains how much the texts and the confidence changed, or it does
not.

Under a label shift the texts of a label look as before, so a stream is the reference with each label's rows
weighted by how much more frequent it is (Saerens et al. 2002; Lipton et al. 2018, arXiv:1802.03916). What
that leaves unexplained is a covariate shift or a loss of confidence.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nlpkit.trust.shares import adjusted
from nlpkit.watching.reference import CERTAINTY, MEASURES, Reference
from nlpkit.watching.watcher import CONFIDENCE, LABELS, TEXTS, Period, Watcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

LABEL_SHIFT, COVARIATE_SHIFT, CONFIDENCE_LOSS = "label shift", "covariate shift", "loss of confidence"
NAMES = {TEXTS: COVARIATE_SHIFT, CONFIDENCE: CONFIDENCE_LOSS}
"""What an alarm is called where sizes tell nothing yet."""
RESAMPLES = 200
LEVEL = 0.01
"""How rarely what a label shift explains is called something else, for each measure."""
Z = 2.576
"""Of the normal distribution, for LEVEL."""
TIGHT = 500
"""Texts for which the confidence sequence is tightest."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large something is in the reference and since the change."""

    name: str
    before: float
    """In the reference."""
    expected: float
    """In the reference, with the shares of labels that the stream has."""
    now: float
    low: float
    """The end of an interval that holds at all times at once, with a probability of 99%."""
    high: float
    is_explained: bool
    """Whether the shares of labels explain the difference."""


@dataclass(frozen=True, kw_only=True)
class LabelSize:
    """The share of a label in the reference and since the change."""

    label: str
    before: float
    now: float
    low: float
    """The ends of a 95% interval."""
    high: float


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What changed, and how much."""

    kinds: tuple[str, ...]
    """Of LABEL_SHIFT, COVARIATE_SHIFT, CONFIDENCE_LOSS; empty without an alarm."""
    is_share_unknown: bool
    """Whether the labels' shares cannot be known, since the texts of a label do not look as before."""
    since: int
    """The number of the first text that it is about."""
    date: str
    texts: int
    labels: tuple[LabelSize, ...]
    measures: tuple[Size, ...]


def diagnose(watcher: Watcher) -> Diagnosis:
    """Return what changed since the first alarm's change, or of the whole stream where there is none."""
    first = min(watcher.alarms, key=lambda alarm: alarm.text) if watcher.alarms else None
    periods = watcher.since(first.since if first else 1)
    labels, measures = _sizes(watcher.reference, periods, watcher.seed)
    unexplained = [size for size in measures if not size.is_explained]
    kinds: list[str] = []
    if any(size.name != CERTAINTY for size in unexplained):
        kinds.append(COVARIATE_SHIFT)
    if any(size.name == CERTAINTY and size.now < size.expected for size in unexplained):
        kinds.append(CONFIDENCE_LOSS)
    crossed = {alarm.detector for alarm in watcher.alarms}
    if LABELS in crossed and (watcher.with_truth or not kinds):
        kinds.insert(0, LABEL_SHIFT)
    kinds = kinds or [kind for detector, kind in NAMES.items() if detector in crossed]
    return Diagnosis(
        kinds=tuple(kinds) if first else (),
        is_share_unknown=bool(first and unexplained and not watcher.with_truth),
        since=periods[0].first,
        date=periods[0].date,
        texts=sum(period.texts for period in periods),
        labels=labels,
        measures=measures,
    )


def _sizes(
    reference: Reference, periods: Sequence[Period], seed: int
) -> tuple[tuple[LabelSize, ...], tuple[Size, ...]]:
    import numpy as np

    texts = sum(period.texts for period in periods)
    total: dict[str, NDArray[Any]] = {
        name: np.sum([getattr(period, name) for period in periods], axis=0)
        for name in ("mass", "products", "sums", "squares", "given")
    }
    answer = total["mass"] / texts
    covariance = (total["products"] / texts - np.outer(answer, answer)) / texts
    truth = _truth(reference)
    drawn = _resampled(reference, truth, answer, covariance, total["given"], seed)
    shares, expected = np.split(drawn, [len(reference.labels)], axis=1)
    given = total["given"] / texts if total["given"].size else None
    point, explained = _explained(reference, truth, np.ones(len(truth)), answer, given)
    low, high = np.quantile(shares, (0.025, 0.975), axis=0)
    labels = tuple(
        LabelSize(label=label, before=before, now=now, low=least, high=most)
        for label, before, now, least, most in zip(
            reference.labels, truth.mean(axis=0).tolist(), point.tolist(), low.tolist(), high.tolist(),
            strict=True,
        )
    )  # fmt: skip
    mean = total["sums"] / texts
    deviations = np.sqrt(np.maximum(total["squares"] / texts - mean**2, 0))
    errors = expected.std(axis=0)
    measures = []
    for number, name in enumerate(MEASURES):
        now, wide = float(mean[number]), radius(texts, float(deviations[number]))
        difference = abs(now - explained[number])
        measures.append(
            Size(
                name=name, before=float(reference.measures[reference.rows_for(name), number].mean()),
                expected=float(explained[number]), now=now, low=now - wide, high=now + wide,
                is_explained=bool(difference <= wide + Z * errors[number]),
            )
        )  # fmt: skip
    return labels, tuple(measures)


def _truth(reference: Reference) -> NDArray[Any]:
    """Return (rows, labels): how much of each row is of each label.

    Those are its probabilities, where its label is not known.
    """
    import numpy as np

    if reference.truth is None:
        return reference.probabilities
    rows: NDArray[Any] = np.eye(len(reference.labels))[reference.truth]
    return rows


def _explained(
    reference: Reference,
    truth: NDArray[Any],
    weights: NDArray[Any],
    answer: NDArray[Any],
    given: NDArray[Any] | None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the shares of labels that make the mean answer, and the mean measures that follow from them."""
    import numpy as np

    rows = truth * weights[:, None]
    confusion = reference.probabilities.T @ rows / rows.sum(axis=0)
    shares = adjusted(confusion, answer) if given is None else given
    by_label = []
    for number, name in enumerate(MEASURES):
        known = rows * reference.rows_for(name)[:, None]
        by_label.append(reference.measures[:, number] @ known / known.sum(axis=0))
    return np.asarray(shares), np.stack(by_label) @ shares


def _resampled(
    reference: Reference,
    truth: NDArray[Any],
    answer: NDArray[Any],
    covariance: NDArray[Any],
    given: NDArray[Any],
    seed: int,
) -> NDArray[Any]:
    """Return (RESAMPLES, labels + measures): shares and expected measures of resampled rows and answers."""
    import numpy as np

    random = np.random.default_rng(seed)
    rows = len(truth)
    answers = random.multivariate_normal(answer, covariance, size=RESAMPLES, method="eigh")
    texts = int(given.sum())
    of_given = random.multinomial(texts, given / texts, size=RESAMPLES) / texts if texts else None
    drawn = []
    for number in range(RESAMPLES):
        weights = np.bincount(random.integers(rows, size=rows), minlength=rows).astype(float)
        shares = None if of_given is None else of_given[number]
        drawn.append(np.concatenate(_explained(reference, truth, weights, answers[number], shares)))
    return np.array(drawn)


def radius(texts: int, deviation: float, level: float = LEVEL) -> float:
    """Return how far a mean is off at most, at all times at once.

    An asymptotic confidence sequence (Waudby-Smith et al. 2021, arXiv:2103.06476).

    Args:
        texts: how many there are.
        deviation: their standard deviation.
        level: the probability that it is ever farther off, for many texts.
    """
    tuned = -2 * math.log(level)
    rate = (tuned + math.log(tuned + 1)) / TIGHT
    held = texts * rate + 1
    return deviation * math.sqrt(2 * held / (texts**2 * rate) * math.log(math.sqrt(held) / level))
