"""The best answer that is the same for every text, as a baseline, and signs that a run answers like one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nlpkit.metrics import label_sets
from nlpkit.metrics.calibration import COLDEST, HOTTEST
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.label_probabilities import BRIER, LOG_LOSS
from nlpkit.metrics.labels import ACCURACY, MACRO_F1
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.opinions import TERM_F1, TRIPLET_F1, OpinionOutcomes
from nlpkit.metrics.outcomes import LabelOutcomes, LabelSetOutcomes, ValueOutcomes
from nlpkit.metrics.values import MAE, RMSE
from nlpkit.reports.parts import Baseline

FEWEST = 10
"""Rows below which the same answer for all of them is no sign of anything."""
FLAT = 0.01
"""Probabilities that vary less than this, and values that vary less than this share of the true ones, are
nearly constant.
"""


@dataclass(frozen=True, kw_only=True)
class ConstantAnswer:
    """The best answer that is the same for every text, on the rows that are measured on."""

    name: str
    outcomes: Any
    metrics: tuple[Metric[Any], ...]
    """Those that say something of it."""

    def baseline(self, outcomes: Any, seed: int) -> Baseline:
        """Return it as the baseline of a run's outcomes on the same rows."""
        tests = {metric.name: paired(metric, outcomes, self.outcomes, seed=seed) for metric in self.metrics}
        scores = bootstrap(self.outcomes, self.metrics, seed=seed)
        return Baseline(name=self.name, scores=scores, tests=tests, constant=True)


def commonest_label(outcomes: LabelOutcomes) -> ConstantAnswer:
    """Return the commonest true label, with the share of each label as its probability."""
    import numpy as np

    shares = np.bincount(outcomes.truth, minlength=len(outcomes.labels)) / len(outcomes)
    return ConstantAnswer(
        name=f"always answering {outcomes.labels[int(shares.argmax())]}",
        outcomes=LabelOutcomes(
            labels=outcomes.labels, truth=outcomes.truth, probabilities=np.tile(shares, (len(outcomes), 1))
        ),
        metrics=(ACCURACY, MACRO_F1, LOG_LOSS, BRIER),
    )


def commonest_of_set(outcomes: LabelSetOutcomes) -> ConstantAnswer:
    """Return the commonest true label, with the share of each label as its probability."""
    import numpy as np

    shares = outcomes.truth.mean(axis=0)
    commonest, shape = int(shares.argmax()), outcomes.truth.shape
    return ConstantAnswer(
        name=f"always answering {outcomes.labels[commonest]}",
        outcomes=LabelSetOutcomes(
            labels=outcomes.labels,
            truth=outcomes.truth,
            probabilities=np.broadcast_to(shares, shape),
            given=np.broadcast_to(np.arange(len(shares)) == commonest, shape),
        ),
        metrics=(label_sets.MACRO_F1, label_sets.MICRO_F1, label_sets.JACCARD, label_sets.LOG_LOSS),
    )


def median_value(outcomes: ValueOutcomes) -> ConstantAnswer:
    """Return the median of the true values: no other constant has a smaller mean absolute error."""
    import numpy as np

    median = float(np.median(outcomes.truth))
    return ConstantAnswer(
        name=f"always answering the median {median:.4g}",
        outcomes=ValueOutcomes(truth=outcomes.truth, predicted=np.full(len(outcomes), median)),
        metrics=(MAE, RMSE),
    )


def no_opinion(outcomes: OpinionOutcomes) -> ConstantAnswer:
    """Return the only answer about parts of a text that fits every text: none."""
    return ConstantAnswer(
        name="always answering nothing",
        outcomes=OpinionOutcomes(
            polarities=outcomes.polarities,
            pairs=outcomes.pairs,
            truth=outcomes.truth,
            given=[() for _ in outcomes.truth],
        ),
        metrics=(TRIPLET_F1,) if outcomes.pairs else (TERM_F1,),
    )


def label_signs(outcomes: LabelOutcomes, temperature: float) -> tuple[str, ...]:
    """Return in words what shows that a classifier of labels learned nothing."""
    signs = []
    if not 1.01 * COLDEST < temperature < 0.99 * HOTTEST:
        signs.append(
            f"the temperature {temperature:.2f} is at the end of its range ({COLDEST:g} to {HOTTEST:g}): the "
            "model's outputs do not fit the labels of the validation rows, and its probabilities mean little"
        )
    if len(outcomes) < FEWEST:
        return tuple(signs)
    texts = f"all {len(outcomes):,} texts"
    if len(set(outcomes.predicted.tolist())) == 1 and len(set(outcomes.truth.tolist())) > 1:
        signs.append(f"{texts} get the same answer: {outcomes.labels[int(outcomes.predicted[0])]}")
    if outcomes.probabilities.std(axis=0).max() < FLAT:
        means = " / ".join(f"{share:.0%}" for share in outcomes.probabilities.mean(axis=0))
        signs.append(f"{texts} get nearly the same probabilities: {means}")
    return tuple(signs)


def label_set_signs(outcomes: LabelSetOutcomes) -> tuple[str, ...]:
    """Return in words what shows that a classifier of several labels learned nothing."""
    if len(outcomes) < FEWEST:
        return ()
    signs = []
    texts = f"all {len(outcomes):,} texts"
    if (outcomes.given == outcomes.given[0]).all() and not (outcomes.truth == outcomes.truth[0]).all():
        names = [label for label, given in zip(outcomes.labels, outcomes.given[0], strict=True) if given]
        signs.append(f"{texts} get the same answer: {', '.join(names) or 'none of the labels'}")
    if outcomes.probabilities.std(axis=0).max() < FLAT:
        signs.append(f"{texts} get nearly the same probabilities")
    return tuple(signs)


def value_signs(outcomes: ValueOutcomes) -> tuple[str, ...]:
    """Return in words what shows that a run of values learned nothing."""
    if len(outcomes) < FEWEST or outcomes.predicted.std() >= FLAT * outcomes.truth.std():
        return ()
    return (f"all {len(outcomes):,} texts get nearly the same value: {outcomes.predicted.mean():.4g}",)
