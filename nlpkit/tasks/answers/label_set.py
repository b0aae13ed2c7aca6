"""Several labels a text, or none: each has its own probability, and a threshold above which it is given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from nlpkit.data.examples import LabelSetText, from_words, in_words
from nlpkit.errors import DataError
from nlpkit.metrics.label_sets import AUROC, LABEL_SET_METRICS, LOG_LOSS, MACRO_F1
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.outcomes import LabelSetOutcomes
from nlpkit.metrics.thresholds import NEVER, best_thresholds, fit_scale
from nlpkit.reports.constant_answers import label_set_signs
from nlpkit.reports.label_set_sections import LABEL_SET_REPORT
from nlpkit.reports.usage import LABEL_SET_USAGE, FamilyReport, Usage
from nlpkit.tasks.answers.claims import Claim, LabelClaim, named_label
from nlpkit.tasks.answers.differences import Differences, Limits, changed_answers
from nlpkit.tasks.answers.family import ClassifierFamily, ColumnType, Head, Loss, TargetFindings, shares_of
from nlpkit.tasks.answers.showing import Shown, likeliest
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import SEVERAL, Prediction

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nlpkit.settings.training import LabelSetTraining


@dataclass(frozen=True, kw_only=True)
class LabelSet(ClassifierFamily):
    """Any of `labels`. An output x of the head stands for the probability sigmoid(slope x + offset)."""

    labels: tuple[str, ...]
    slope: float = 1.0
    offset: float = 0.0
    thresholds: tuple[float, ...] = ()
    """The probability above which each label is given; empty before they are chosen."""
    precision: float | None = None
    """The precision that the thresholds are chosen for; None: the highest F1."""
    usage: Usage = LABEL_SET_USAGE

    best_by: ClassVar[Metric[LabelSetOutcomes]] = MACRO_F1
    watched: ClassVar[tuple[Metric[LabelSetOutcomes], ...]] = (MACRO_F1, AUROC, LOG_LOSS)
    metrics: ClassVar[tuple[Metric[LabelSetOutcomes], ...]] = LABEL_SET_METRICS

    @property
    def report(self) -> FamilyReport:
        """What a report shows of several labels."""
        return replace(LABEL_SET_REPORT, usage=self.usage)

    @property
    def head(self) -> Head:
        """One output for each label."""
        return Head(names=self.labels, problem="multi_label_classification")

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The labels that are given, and the probability of each label."""
        return {SEVERAL: "string", **dict.fromkeys((f"p_{label}" for label in self.labels), "float")}

    @property
    def calibration(self) -> str:
        """The fitted numbers in words."""
        given = [threshold for threshold in self.thresholds if threshold < NEVER]
        never = len(self.thresholds) - len(given)
        words = f"slope {self.slope:.2f}, offset {self.offset:+.2f}"
        if given:
            words += f", thresholds {min(given):.2f} to {max(given):.2f}"
        return words + (f"; {never} labels are never given" if never else "")

    def target(self, example: LabelSetText, encoded: Encoded | None = None) -> list[float]:
        """Return 1 for each label that applies, and 0 for the others."""
        return [float(label in example.labels) for label in self.labels]

    def truth(self, example: LabelSetText) -> str:
        """Return the labels in words."""
        return in_words(example.labels)

    def loss(self, training: LabelSetTraining, targets: Sequence[Sequence[float]]) -> Loss:
        """Return the binary loss that the settings ask for, its mean over the labels."""
        if training.imbalance == "asymmetric":
            return _asymmetric
        weights = _rarity(targets) if training.imbalance == "balanced" else None

        def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            import torch
            from torch.nn import functional

            weight = None if weights is None else torch.tensor(weights, device=logits.device)
            return functional.binary_cross_entropy_with_logits(
                logits, target, reduction="none", pos_weight=weight
            ).mean(dim=1)

        return loss

    def fit(
        self, logits: np.ndarray, examples: Sequence[LabelSetText], encoded: Sequence[Encoded] = ()
    ) -> dict[str, Any]:
        """Return slope, offset and thresholds that fit held-out outputs best, by name."""
        import numpy as np

        truth = np.array([self.target(example) for example in examples], dtype=bool)
        slope, offset = fit_scale(logits, truth)
        chosen = best_thresholds(_sigmoid(logits, slope, offset), truth, precision=self.precision)
        return {"slope": slope, "offset": offset, "thresholds": chosen}

    def decode(self, outputs: np.ndarray, encoded: Sequence[Encoded] = ()) -> list[Prediction]:
        """Return the given labels, the most probable first, and the probability of each label."""
        probabilities = _sigmoid(outputs, self.slope, self.offset)
        given = probabilities > (self.thresholds or (0.5,) * len(self.labels))
        return [
            Prediction(
                labels=tuple(self.labels[at] for at in (-chances).argsort(kind="stable").tolist() if row[at]),
                probabilities=dict(zip(self.labels, chances.tolist(), strict=True)),
            )
            for chances, row in zip(probabilities, given, strict=True)
        ]

    def outcomes(
        self, examples: Sequence[LabelSetText], predictions: Sequence[Prediction]
    ) -> LabelSetOutcomes:
        """Pair true and given labels."""
        import numpy as np

        return LabelSetOutcomes(
            labels=self.labels,
            truth=np.array([self.target(example) for example in examples]),
            probabilities=np.array(
                [[answer.probabilities[label] for label in self.labels] for answer in predictions]
            ),
            given=np.array(
                [[label in (answer.labels or ()) for label in self.labels] for answer in predictions]
            ),
        )

    def signs(self, outcomes: LabelSetOutcomes) -> tuple[str, ...]:
        """Return whether answers or probabilities show that nothing was learned."""
        return label_set_signs(outcomes)

    def outcomes_of(self, outputs: np.ndarray, targets: np.ndarray) -> LabelSetOutcomes:
        """Pair labels and uncalibrated answers, with the thresholds that are best for these rows."""
        probabilities, truth = _sigmoid(outputs), targets[:, : len(self.labels)].astype(bool)
        thresholds = best_thresholds(probabilities, truth, precision=self.precision)
        return LabelSetOutcomes(
            labels=self.labels, truth=truth, probabilities=probabilities, given=probabilities > thresholds
        )

    def preflight(
        self,
        train: Sequence[LabelSetText],
        validation: Sequence[LabelSetText],
        training: LabelSetTraining,
        targets: Sequence[Sequence[float]] = (),
    ) -> TargetFindings:
        """Count the labels, and warn of rare and missing ones.

        Raises:
            DataError: one of the task's labels applies to every training row or to none.
        """
        counts = _counted(train)
        for label in self.labels:
            if counts[label] in (0, len(train)):
                extent = "every row has" if counts[label] else "no row has"
                raise DataError(
                    f"the label {label!r}: {extent} it among the {len(train):,} training rows; expected rows "
                    "with and without it; hint: leave it out of task.labels"
                )
        per_row = sum(counts.values()) / len(train)
        empty = sum(not example.labels for example in train)
        return TargetFindings(
            lines=(
                f"labels     {', '.join(shares_of(counts, self.labels, len(train)))}",
                f"           {per_row:.2f} labels a row; {empty:,} rows without any",
            ),
            warnings=tuple(_warnings(counts, _counted(validation), training)),
        )

    def strata(self, examples: Sequence[LabelSetText]) -> list[str]:
        """Return the rarest label of each example, so that rare ones stand in every part."""
        counts = _counted(examples)
        return [
            f"label {min(example.labels, key=lambda label: (counts[label], label), default='')}"
            for example in examples
        ]

    def describe(self, parts: Mapping[str, Sequence[LabelSetText]]) -> dict[str, Any]:
        """Count the examples that have each label, part by part."""
        return {"labels": {name: dict(sorted(_counted(part).items())) for name, part in parts.items()}}

    def parity(
        self,
        before: Sequence[Prediction],
        after: Sequence[Prediction],
        truth: Sequence[object],
        limits: Limits,
    ) -> Differences:
        """Count rows whose labels change, and compare how many rows are wholly right."""
        words = [[in_words(sorted(answer.labels or ())) for answer in answers] for answers in (before, after)]
        true = [in_words(sorted(from_words(str(labels)))) for labels in truth]
        return changed_answers(words[0], words[1], true, limits)

    def shown(self, answer: Prediction) -> Shown:
        """Return the given labels, and the most probable ones."""
        return Shown(
            headline=in_words(answer.labels or ()) or "none of the labels",
            shares=likeliest(answer.probabilities),
        )

    def claims(self, answer: Prediction, label: str | None = None) -> tuple[Claim, ...]:
        """Return a claim for each given label; where none is given, for the most probable one."""
        if label is not None:
            return (self._claim(named_label(label, self.labels)),)
        likeliest = max(answer.probabilities, key=lambda name: answer.probabilities[name])
        return tuple(self._claim(name) for name in answer.labels or (likeliest,))

    def _claim(self, name: str) -> LabelClaim:
        at = self.labels.index(name)
        return LabelClaim(name=name, evidence_of=lambda outputs: self.slope * outputs[:, at] + self.offset)


def _sigmoid(outputs: np.ndarray, slope: float = 1.0, offset: float = 0.0) -> np.ndarray:
    import numpy as np
    from scipy.special import expit

    probabilities: np.ndarray = expit(slope * outputs.astype(np.float64) + offset)
    return probabilities


def _asymmetric(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the asymmetric loss with its paper's values: focus 4 on negatives, none on positives, margin
    0.05 (Ridnik et al. 2021, arXiv:2009.14119), the mean over labels.
    """
    from torch.nn import functional

    positive = target * functional.logsigmoid(logits)
    shifted = (logits.sigmoid() - 0.05).clamp(min=0)
    negative = (1 - target) * shifted**4 * (1 - shifted).clamp(min=1e-8).log()
    return -(positive + negative).mean(dim=1)


def _rarity(targets: Sequence[Sequence[float]]) -> list[float]:
    """Return for each label the root of how many times more rows lack it than have it."""
    return [((len(targets) - have) / have) ** 0.5 for have in map(sum, zip(*targets, strict=True))]


def _counted(examples: Sequence[LabelSetText]) -> Counter[str]:
    return Counter(label for example in examples for label in example.labels)


def _warnings(counts: Counter[str], validation: Counter[str], training: LabelSetTraining) -> list[str]:
    warnings = []
    rarest = min(counts, key=lambda label: counts[label])
    if max(counts.values()) > 10 * counts[rarest]:
        advice = "; training.imbalance: balanced may help" if training.imbalance == "none" else ""
        warnings.append(f"the label {rarest!r} is rare ({counts[rarest]:,} rows){advice}")
    if missing := [label for label in counts if not validation[label]]:
        warnings.append(
            f"the validation rows never hold {', '.join(sorted(missing))}: scores say nothing of it"
        )
    return warnings
