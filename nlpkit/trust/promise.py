"""A promise about errors: the least certainty at which at most a share of the answers is wrong.

Below it the classifier gives no label. The promise is made for the very file: the held-out rows of each label
count as much as the label's share there (`shares`), so that it holds where only these shares differ.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import DataError
from nlpkit.tasks.prediction import OPINIONS, SEVERAL
from nlpkit.trust.answer_columns import matrices, refuse_other_answers
from nlpkit.trust.calibration_rows import CalibrationRows
from nlpkit.trust.sampled_texts import EVERY, sampled_texts
from nlpkit.trust.set_promise import false_bounds, is_unlike_rows, stated_errors
from nlpkit.trust.shares import FEWEST, RESAMPLES, SharesEstimator, Tally, resamples

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95
"""How often such a promise is kept."""
LEVEL = 0.99
"""The percentile of the errors that must not exceed what is promised: more than CONFIDENCE, as the threshold
is chosen among many. Of several promises together each has a higher one (Bonferroni)."""
RESAMPLES_A_GROUP = 300
"""Of several promises together, so that some resamples lie above the percentile of each."""
LARGEST = 0.5
"""The largest share of errors that `nlpkit score --max-error` takes."""
THRESHOLDS = 50
PROMISED = ("label", SEVERAL, OPINIONS)
"""The output columns about which a promise can be made: a run has one of them."""


@dataclass(frozen=True, kw_only=True)
class Promise:
    """At most `max_error` of the answers are wrong, with 95% confidence."""

    max_error: float
    threshold: float
    """A text whose label is less probable gets none."""
    answered: float
    """The expected share of texts that get a label."""
    held_out: str
    held_out_rows: int
    what: str = "label"
    """What it is about: a label or an opinion."""

    @property
    def one(self) -> str:
        """What a text gets, with its article."""
        return "an opinion" if self.what == "opinion" else f"a {self.what}"

    def in_words(self) -> str:
        """Return the promise as a sentence."""
        return (
            f"at most {self.max_error:.1%} of the {self.what}s given are wrong, with {CONFIDENCE:.0%} "
            f"confidence, as far as texts{'' if self.what == 'opinion' else ' of a label'} look like the "
            f"{self.held_out_rows:,} labeled rows ({self.held_out}); about {self.answered:.0%} of the texts "
            f"get {self.one}"
        )


def promise(
    rows: CalibrationRows, tally: Tally, *, max_error: float, is_set: bool = False, seed: int = 1
) -> Promise:
    """Return the promise for a file that answers as many texts as can be.

    A threshold keeps it where the percentile LEVEL of the share of errors does not exceed `max_error`, over
    resamples of the held-out rows and of the file's shares of labels. For each label one wrong answer more
    than was seen is counted, so that few rows promise little. Of the thresholds that keep it, and above which
    all others do, the lowest is taken.

    Args:
        rows: what the classifier answers to rows whose labels are known.
        tally: of the file's texts, or of a sample of them.
        max_error: the share of wrong labels among those given.
        is_set: whether a text has any number of labels, or of opinions.
        seed: draws the resamples.

    Raises:
        DataError: it cannot be kept; says why.
    """
    refuse_unlike(rows, tally, max_error=max_error, is_set=is_set, seed=seed)
    return Bounds.of(rows, tally, is_set=is_set, seed=seed).promise(max_error)


def refuse_unlike(
    rows: CalibrationRows, tally: Tally, *, max_error: float, is_set: bool, seed: int = 1
) -> None:
    """Refuse texts about which the labeled rows say nothing; the arguments are those of `promise`.

    Raises:
        DataError: there are too few texts or labeled rows, or the texts are not like these.
    """
    if tally.texts < FEWEST:
        raise DataError(f"{tally.texts} texts; expected at least {FEWEST} for a promise about them")
    if is_set:
        is_unlike = is_unlike_rows(rows, tally)
    else:
        estimator = SharesEstimator(rows, seed=seed)
        is_unlike = estimator.is_unlike(tally, estimator.shares(tally))
    if is_unlike:
        raise DataError(
            f"no promise of at most {max_error:.1%} errors: these texts are not like those of {rows.source}; "
            "hint: label some of them, and name them with --held-out"
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Bounds:
    """What the share of errors rarely exceeds, above each threshold: decides about promises on one file."""

    rows: CalibrationRows
    tally: Tally
    is_set: bool
    thresholds: NDArray[Any]
    bounds: NDArray[Any]
    """The share for each of the thresholds."""

    @classmethod
    def of(
        cls, rows: CalibrationRows, tally: Tally, *, is_set: bool, groups: int = 1, seed: int = 1
    ) -> Bounds:
        """Return the bounds for a file like the labeled rows, or for one of so many groups of a file that
        all bounds hold for together; the other arguments are those of `promise`.
        """
        level, count = 1 - (1 - LEVEL) / groups, max(RESAMPLES, RESAMPLES_A_GROUP * groups)
        thresholds, bounds = (
            false_bounds(rows, tally.texts, thresholds=THRESHOLDS, level=level, count=count, seed=seed)
            if is_set
            else error_bounds(rows, tally, level=level, count=count, seed=seed)
        )
        return cls(rows=rows, tally=tally, is_set=is_set, thresholds=thresholds, bounds=bounds)

    @property
    def least(self) -> float:
        """The smallest share of errors that can be promised."""
        return float(self.bounds.min())

    def promise(self, max_error: float) -> Promise:
        """Return the promise of at most this share of errors.

        Raises:
            DataError: no threshold keeps it.
        """
        rows, threshold = self.rows, lowest_threshold(self.thresholds, self.bounds, max_error)
        if threshold is None:
            larger = f"--max-error {_rounded_up(self.least)}, or " if self.least <= LARGEST else ""
            raise DataError(
                f"no promise of at most {max_error:.1%} errors: {len(rows):,} labeled rows ({rows.source}) "
                f"and the texts' own probabilities bear out no less than {self.least:.1%}; "
                f"hint: {larger}more labeled rows with --held-out FILE"
            )
        return Promise(
            max_error=max_error,
            threshold=threshold,
            answered=_answered(rows, self.tally, threshold, self.is_set),
            held_out=rows.source,
            held_out_rows=len(rows),
            what=rows.what,
        )


def _answered(rows: CalibrationRows, tally: Tally, threshold: float, is_set: bool) -> float:
    """Return the expected share of texts that get a label; of sets that of the rows, which they are like."""
    if is_set:
        return float(((rows.probabilities >= threshold) & rows.given).any(axis=1).mean())
    return float((tally.sample.max(axis=1) >= threshold).mean())


def error_bounds(
    rows: CalibrationRows, tally: Tally, *, level: float = LEVEL, count: int = RESAMPLES, seed: int = 1
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return thresholds, and for each what the share of wrong labels among those given rarely exceeds.

    It is never below what the probabilities of the file's texts themselves say: luck with the labeled rows
    does not change these.

    Args:
        rows: what the classifier answers to rows whose labels are known.
        tally: of the file's texts, or of a sample of them.
        level: the percentile that is returned, as a share.
        count: how many resamples, a multiple of BLOCK.
        seed: draws the resamples.
    """
    import numpy as np

    certain = (rows.probabilities * rows.given).max(axis=1)
    wrong = ~(rows.truth & rows.given).any(axis=1)
    thresholds = np.unique(np.quantile(certain, np.linspace(0, 0.99, THRESHOLDS)))
    columns = list(rows.truth.T)
    answered = [(certain[column][:, None] >= thresholds).astype(float) for column in columns]
    mistaken = [given * wrong[column][:, None] for given, column in zip(answered, columns, strict=True)]
    errors = []
    by_label = [rows.probabilities[column] for column in columns]
    draws = np.random.default_rng(seed)
    for weights, drawn in resamples(by_label, tally.mean, tally.covariance / tally.texts, draws, count):
        given = _by_label(weights, answered)
        counts = rows.truth.sum(axis=0)[:, None]
        missed = (_by_label(weights, mistaken) * counts + 1) / (counts + 1)
        labeled = np.maximum(_mixed(drawn, given) * tally.texts, 1)
        rate = np.minimum(_mixed(drawn, missed) * tally.texts / labeled, 1)
        # How many of the file's own labels are wrong varies too
        errors.append(draws.binomial(np.ceil(labeled).astype(int), rate) / labeled)
    stated = stated_errors(tally.sample.max(axis=1), thresholds)
    return thresholds, np.maximum(np.quantile(np.concatenate(errors), level, axis=0), stated)


def lowest_threshold(thresholds: NDArray[Any], bounds: NDArray[Any], max_error: float) -> float | None:
    """Return the lowest threshold that keeps a promise of so many errors or fewer; None without.

    A promise is kept by a threshold together with all up to the highest that keeps it. A promise of fewer
    errors is one of more errors too, even where a higher threshold keeps the latter alone.
    """
    import numpy as np

    best: int | None = None
    for most in bounds[bounds <= max_error]:
        kept = np.flatnonzero(bounds <= most)
        gaps = np.flatnonzero(np.diff(kept) > 1)
        lowest = int(kept[gaps[-1] + 1] if gaps.size else kept[0])
        best = lowest if best is None else min(best, lowest)
    return None if best is None else float(thresholds[best])


def promise_for_file(
    classifier: Classifier,
    rows: CalibrationRows,
    file: Path | str,
    *,
    max_error: float,
    text: str = "text",
    format: str | None = None,
    encoding: str | None = None,
    skips_bad_rows: bool = False,
    seed: int = 1,
) -> Promise:
    """Return the promise for a file or folder, by what the classifier answers to at most SAMPLE of its texts.

    Raises:
        ConfigError: the classifier gives no labels, or the file can be read only once.
        DataError: the file or a row is wrong, or the promise cannot be kept.
    """
    refuse_other_answers(classifier, "--max-error", PROMISED)
    sampled = sampled_texts(
        file, text=text, format=format, encoding=encoding, skips_bad_rows=skips_bad_rows, seed=seed
    )
    tally = tally_of(classifier, rows, sampled.texts[EVERY], seed)
    return promise(rows, tally, max_error=max_error, is_set="label" not in classifier.columns, seed=seed)


def tally_of(classifier: Classifier, rows: CalibrationRows, texts: Sequence[str], seed: int) -> Tally:
    """Return the tally of what a classifier answers to texts; `rows` name its labels."""
    tally = Tally(len(rows.labels), seed)
    if texts:
        tally.add(*matrices([answer.row() for answer in classifier.predict(texts)], rows.labels))
    return tally


def _by_label(weights: Sequence[NDArray[Any]], values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Return (resamples, labels, thresholds): the weighted means over the rows of each label."""
    import numpy as np

    return np.stack([weight @ rows for weight, rows in zip(weights, values, strict=True)], axis=1)


def _mixed(shares: NDArray[Any], of_labels: NDArray[Any]) -> NDArray[Any]:
    """Return (resamples, thresholds): what holds for a file whose labels have these shares."""
    mixed: NDArray[Any] = (shares[:, :, None] * of_labels).sum(axis=1)
    return mixed


def _rounded_up(share: float) -> str:
    return f"{math.ceil(100 * share) / 100:.2f}"
