"""What an alarm is about: a label shift explains how much the texts and the confidence changed, or it does
not.

Under a label shift the texts of a label look as before, so a stream is the reference with each label's rows
weighted by how much more frequent it is (Saerens et al. 2002; Lipton et al. 2018, arXiv:1802.03916). What
that leaves unexplained is a covariate shift or a loss of confidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nlpkit.trust.shares import adjusted
from nlpkit.watching.reference import CERTAINTY, MEASURES, Reference
from nlpkit.watching.watcher import CONFIDENCE, LABELS, SUMS, TEXTS, Period, Watcher

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
class LabelSize:
    """The share of a label in the reference and since the change."""

    label: str
    before: float
    now: float
    low: float
    """The ends of a 95% interval."""
    high: float


@dataclass(frozen=True, kw_only=True)
class Size:
    """How large a measure is in the reference and since the change."""

    name: str
    before: float
    expected: float
    """In the reference, with the shares of labels that the stream has."""
    now: float
    low: float
    """The ends of an interval that holds at all times at once, with a probability of 99%."""
    high: float
    is_explained: bool
    """Whether the shares of labels explain the difference."""


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
    periods = watcher.since(watcher.alarms[0].since if watcher.alarms else 1)
    labels, measures = _sizes(watcher.reference, periods, watcher.seed)
    unexplained = [size for size in measures if not size.is_explained]
    crossed = {alarm.detector for alarm in watcher.alarms}
    kinds = []
    if any(size.name != CERTAINTY for size in unexplained):
        kinds.append(COVARIATE_SHIFT)
    if any(size.name == CERTAINTY and size.now < size.expected for size in unexplained):
        kinds.append(CONFIDENCE_LOSS)
    if LABELS in crossed and (watcher.with_truth or not kinds):
        kinds.insert(0, LABEL_SHIFT)
    kinds = kinds or [kind for detector, kind in NAMES.items() if detector in crossed]
    return Diagnosis(
        kinds=tuple(kinds) if crossed else (),
        is_share_unknown=bool(crossed and unexplained and not watcher.with_truth),
        since=periods[0].first, date=periods[0].date, texts=sum(period.texts for period in periods),
        labels=labels, measures=measures,
    )  # fmt: skip


def _sizes(
    reference: Reference, periods: Sequence[Period], seed: int
) -> tuple[tuple[LabelSize, ...], tuple[Size, ...]]:
    texts = sum(period.texts for period in periods)
    mean: dict[str, NDArray[Any]] = {
        name: np.sum([getattr(period, name) for period in periods], axis=0) / texts for name in SUMS
    }
    # How much of each row is of each label, (rows, labels): its probabilities, where that is not known
    truth = reference.probabilities
    if reference.truth is not None:
        truth = np.eye(len(reference.labels))[reference.truth]
    known = np.stack([reference.rows_for(name) for name in MEASURES], axis=1)
    shares, expected = _explained(reference, truth, known, mean["mass"], mean["given"])
    resamples = list(_resamples(reference, truth, known, mean, texts, seed))
    low, high = np.quantile([drawn for drawn, _ in resamples], (0.025, 0.975), axis=0)
    labels = np.stack([truth.mean(axis=0), shares, low, high], axis=1).tolist()
    now = mean["sums"]
    wide = radius(texts, np.sqrt(np.maximum(mean["squares"] - now**2, 0)))
    off = wide + Z * np.std([drawn for _, drawn in resamples], axis=0)
    before = reference.measures.mean(axis=0, where=known)
    measures = np.stack([before, expected, now, now - wide, now + wide, off], axis=1).tolist()
    return (
        tuple(
            LabelSize(label=label, before=before, now=now, low=low, high=high)
            for label, (before, now, low, high) in zip(reference.labels, labels, strict=True)
        ),
        tuple(
            Size(
                name=name, before=before, expected=expected, now=now, low=low, high=high,
                is_explained=abs(now - expected) <= off,
            )
            for name, (before, expected, now, low, high, off) in zip(MEASURES, measures, strict=True)
        ),
    )  # fmt: skip


def _explained(
    reference: Reference, rows: NDArray[Any], known: NDArray[Any], answer: NDArray[Any], given: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the shares of labels that make the mean answer, and the mean measures that follow from them.

    Args:
        reference: the rows' answers and measures.
        rows: (rows, labels), how much of each row counts for each label.
        known: (rows, measures), whether a row counts for a measure.
        answer: (labels,).
        given: (labels,), the shares where true labels are known; else empty.
    """
    shares = given if given.size else adjusted(reference.probabilities.T @ rows / rows.sum(axis=0), answer)
    by_label = (reference.measures * known).T @ rows / (known.T @ rows)
    return shares, by_label @ shares


def _resamples(
    reference: Reference,
    truth: NDArray[Any],
    known: NDArray[Any],
    mean: dict[str, NDArray[Any]],
    texts: int,
    seed: int,
) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """Yield what `_explained` returns for resampled rows and answers."""
    random, rows, answer, given = np.random.default_rng(seed), len(reference), mean["mass"], mean["given"]
    covariance = (mean["products"] - np.outer(answer, answer)) / texts
    answers = random.multivariate_normal(answer, covariance, size=RESAMPLES, method="eigh")
    drawn = random.multinomial(texts, given, size=RESAMPLES) / texts if given.size else [given] * RESAMPLES
    for number in range(RESAMPLES):
        weights = np.bincount(random.integers(rows, size=rows), minlength=rows)
        yield _explained(reference, truth * weights[:, None], known, answers[number], drawn[number])


def radius(texts: int, deviation: Any) -> Any:
    """Return how far means are off at most, at all times at once, with a probability of 1 - LEVEL.

    An asymptotic confidence sequence (Waudby-Smith et al. 2021, arXiv:2103.06476).

    Args:
        texts: how many there are.
        deviation: their standard deviation, or one for each of several measures.
    """
    tuned = -2 * math.log(LEVEL)
    rate = (tuned + math.log(tuned + 1)) / TIGHT
    held = texts * rate + 1
    return deviation * math.sqrt(2 * held / (texts**2 * rate) * math.log(math.sqrt(held) / LEVEL))
