"""Metrics of labels of which the last means that a text belongs to none of the others."""

from __future__ import annotations

from nlpkit.metrics.label_probabilities import ranking
from nlpkit.metrics.metric import Bootstrap, Metric
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.ratio import Ratio, ratio_metric


def _inside_right(outcomes: LabelOutcomes) -> Ratio:
    inside = outcomes.truth < len(outcomes.labels) - 1
    return Ratio.of(inside & outcomes.right, inside)


def _false_alarms(outcomes: LabelOutcomes) -> Ratio:
    outside = len(outcomes.labels) - 1
    inside = outcomes.truth < outside
    return Ratio.of(inside & (outcomes.predicted == outside), inside)


def _outside_right(outcomes: LabelOutcomes) -> Ratio:
    outside = outcomes.truth == len(outcomes.labels) - 1
    return Ratio.of(outside & outcomes.right, outside)


def _outside_ranking(outcomes: LabelOutcomes) -> Bootstrap:
    return Bootstrap(
        statistic=ranking(outcomes.probabilities[:, -1], outcomes.truth == len(outcomes.labels) - 1)
    )


def _outside_auroc(outcomes: LabelOutcomes) -> float:
    import numpy as np

    return float(_outside_ranking(outcomes).statistic(np.ones((1, len(outcomes))))[0])


def _one_side(outcomes: LabelOutcomes) -> str | None:
    outside = outcomes.truth == len(outcomes.labels) - 1
    return "the rows are all inside or all outside" if outside.all() or not outside.any() else None


INSIDE_ACCURACY: Metric[LabelOutcomes] = ratio_metric(
    _inside_right,
    name="inside_accuracy",
    title="Accuracy inside",
    meaning="Of the texts that have a label, the share that gets it.",
    percent=True,
    scale=(0, 1),
    nothing="no text has a label",
)
OUTSIDE_RECALL: Metric[LabelOutcomes] = ratio_metric(
    _outside_right,
    name="outside_recall",
    title="Recall outside",
    meaning="Of the texts that belong to no label, the share that is recognized.",
    percent=True,
    scale=(0, 1),
    nothing="every text has a label",
)
FALSE_ALARMS: Metric[LabelOutcomes] = ratio_metric(
    _false_alarms,
    name="false_alarms",
    title="False alarms",
    meaning="Of the texts that have a label, the share that is taken for outside.",
    percent=True,
    scale=(0, 1),
    higher_is_better=False,
    nothing="no text has a label",
)
OUTSIDE_AUROC = Metric[LabelOutcomes](
    name="outside_auroc",
    title="AUROC outside",
    meaning="How well the score tells texts inside and outside apart, whatever the threshold: 0.5 is chance.",
    scale=(0, 1),
    compute=_outside_auroc,
    resample=_outside_ranking,
    undefined=_one_side,
)

OUTSIDE_METRICS: tuple[Metric[LabelOutcomes], ...] = (
    INSIDE_ACCURACY,
    OUTSIDE_RECALL,
    FALSE_ALARMS,
    OUTSIDE_AUROC,
)
"""In the order in which they are shown."""
