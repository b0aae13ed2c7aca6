"""One label a text, with the calibrated probability of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from nlpkit.data.examples import LabeledText, LabeledTurn
from nlpkit.data.near import turn_groups
from nlpkit.errors import DataError
from nlpkit.metrics.label_probabilities import LOG_LOSS
from nlpkit.metrics.labels import ACCURACY, LABEL_METRICS, MACRO_F1, WEIGHTED_F1
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.outcomes import LabelOutcomes
from nlpkit.metrics.outside import OUTSIDE_METRICS
from nlpkit.reports.constant_answers import label_signs
from nlpkit.reports.label_sections import LABEL_REPORT
from nlpkit.reports.usage import LABEL_USAGE, FamilyReport, Usage
from nlpkit.tasks.answers.claims import Claim, LabelClaim, named_label
from nlpkit.tasks.answers.differences import Differences, Limits, changed_answers
from nlpkit.tasks.answers.family import ClassifierFamily, ColumnType, Head, Loss, TargetFindings, shares_of
from nlpkit.tasks.answers.showing import Shown, likeliest, tone_of
from nlpkit.tasks.calibrator import Calibrator, calibrated
from nlpkit.tasks.encoding import Encoded
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.scope import Scope, fit_scope, with_outside

if TYPE_CHECKING:
    import numpy as np
    import torch

    from nlpkit.settings.training import ClassifierTraining

FURTHER = {
    "bias": "a bias for each label",
    "vector": "vector scaling",
    "isotonic": "isotonic regression",
}
Labeled: TypeAlias = LabeledText | LabeledTurn


@dataclass(frozen=True, kw_only=True)
class OneLabel(ClassifierFamily):
    """One of `labels`, which run from negative to positive where they are ordered; or `outside`."""

    labels: tuple[str, ...]
    ordered: bool
    temperature: float = 1.0
    calibrator: Calibrator | None = None
    """What follows the temperature; None where nothing does."""
    outside: str = ""
    """What a text is called that belongs to no label; empty where each text gets one."""
    learns_outside: bool = False
    """Whether such texts have an output of their own."""
    false_alarms: float = 0.0
    """The share of texts with a label that may be taken for outside."""
    scope: Scope | None = None
    """How they are recognized; None before it is fitted."""
    valence: tuple[float, ...] = ()
    """Where each label lies from -1 to 1, where labels without an order have such a place."""
    of_turns: bool = False
    """Whether the texts are turns: a split keeps those of one conversation together."""
    usage: Usage = LABEL_USAGE
    """What the model card says of how a text is read."""

    best_by: ClassVar[Metric[LabelOutcomes]] = MACRO_F1
    watched: ClassVar[tuple[Metric[LabelOutcomes], ...]] = (ACCURACY, MACRO_F1, LOG_LOSS)
    distillable: ClassVar[bool] = True

    @property
    def head(self) -> Head:
        """One output for each label, and one for texts outside where they are learned."""
        beyond = (self.outside,) if self.learns_outside else ()
        return Head(names=(*self.labels, *beyond), problem="single_label_classification")

    @property
    def answers(self) -> tuple[str, ...]:
        """All that an answer may be."""
        return (*self.labels, self.outside) if self.outside else self.labels

    @property
    def metrics(self) -> tuple[Metric[LabelOutcomes], ...]:
        """Those of labels, and those of texts outside or of turns."""
        more = (*(OUTSIDE_METRICS if self.outside else ()), *((WEIGHTED_F1,) if self.of_turns else ()))
        return (*LABEL_METRICS, *more)

    @property
    def report(self) -> FamilyReport:
        """That of labels; its model card says how a text is read."""
        return replace(LABEL_REPORT, usage=self.usage if self.has_score else self.usage.without_score())

    @property
    def has_score(self) -> bool:
        """Whether an answer has a score: labels lie on a line, or each has its place on one."""
        return self.ordered or bool(self.valence)

    @property
    def columns(self) -> Mapping[str, ColumnType]:
        """The label, the score where labels are ordered, and the probability of each label."""
        numbers = (*(("score",) if self.has_score else ()), *(f"p_{label}" for label in self.answers))
        return {"label": "string", **dict.fromkeys(numbers, "float")}

    @property
    def calibration(self) -> str:
        """The fitted numbers in words."""
        further = f", then {FURTHER[self.calibrator.method]}" if self.calibrator else ""
        is_changed = self.calibrator is not None or self.temperature != 1.0
        words = (
            f"temperature {self.temperature:.2f}{further}" if is_changed else "no change, as none was better"
        )
        scope = self.scope
        if scope is None:
            return words
        seen = "" if scope.recall is None else f", {scope.recall:.1%} of those outside are recognized"
        return (
            f"{words}; {self.outside} below {scope.score} {scope.threshold:.3g}: {scope.false_alarms:.1%} of "
            f"the validation rows with a label are refused{seen}"
        )

    def target(self, example: Labeled, encoded: Encoded | None = None) -> list[float]:
        """Return the output of the label; -1 for a text outside where those are not learned."""
        names = self.head.names
        return [float(names.index(str(example.label))) if example.label in names else -1.0]

    def truth(self, example: Labeled) -> str:
        """Return the label."""
        return str(example.label)

    def loss(self, training: ClassifierTraining, targets: Sequence[Sequence[float]]) -> Loss:
        """Return cross entropy, smoothed and weighted by class as the settings ask for."""
        weights = self._class_weights(targets) if training.class_weights == "balanced" else None

        def loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
            import torch
            from torch.nn import functional

            index = target[:, 0].long()
            each = functional.cross_entropy(
                logits,
                index,
                reduction="none",
                label_smoothing=training.label_smoothing,
                ignore_index=-1,
            )
            if weights is not None:
                each = each * torch.tensor(weights, device=each.device)[index]
            return each

        return loss

    def _class_weights(self, targets: Sequence[Sequence[float]]) -> list[float]:
        """Return for each class the inverse of its share, so that an average example weighs 1."""
        counts = [sum(target[0] == index for target in targets) for index in range(self.head.outputs)]
        return [len(targets) / (len(counts) * count) for count in counts]

    def fit(
        self, logits: np.ndarray, examples: Sequence[Labeled], encoded: Sequence[Encoded] = ()
    ) -> dict[str, Any]:
        """Return the calibration that fits held-out logits best: of texts that may be outside the scope a
        temperature and the scope, of others what cross-fitting shows to be of use.
        """
        import numpy as np

        from nlpkit.metrics.calibration import fit_temperature
        from nlpkit.tasks.calibrator import fit_calibration

        truth = np.array([int(self.target(example)[0]) for example in examples])
        if not self.outside:
            return fit_calibration(logits, truth)
        inside = np.array([example.label != self.outside for example in examples])
        return {
            "temperature": fit_temperature(logits[truth >= 0], truth[truth >= 0]),
            "scope": fit_scope(logits, inside, len(self.labels), false_alarms=self.false_alarms),
        }

    def decode(self, outputs: np.ndarray, encoded: Sequence[Encoded] = ()) -> list[Prediction]:
        """Return label, probabilities and, where labels are ordered, the score of each row of logits."""
        import numpy as np

        count = len(self.labels)
        probabilities = calibrated(outputs[:, :count].astype(np.float64) / self.temperature, self.calibrator)
        scores = probabilities @ (self.valence or np.linspace(-1, 1, count))
        best = probabilities.argmax(axis=1)
        if self.outside:
            probabilities, best = with_outside(self.scope or Scope(), outputs, probabilities)
        names = self.answers
        return [
            Prediction(
                label=names[best[row]],
                score=float(scores[row]) if self.has_score else None,
                probabilities=dict(zip(names, probabilities[row].tolist(), strict=True)),
            )
            for row in range(len(outputs))
        ]

    def outcomes(self, examples: Sequence[Labeled], predictions: Sequence[Prediction]) -> LabelOutcomes:
        """Pair true labels and predicted probabilities."""
        import numpy as np

        names = self.answers
        return LabelOutcomes(
            labels=names,
            truth=np.array([names.index(str(example.label)) for example in examples]),
            probabilities=np.array(
                [[answer.probabilities[label] for label in names] for answer in predictions]
            ),
            given=np.array([names.index(str(answer.label)) for answer in predictions]),
            ordered=self.ordered,
        )

    def signs(self, outcomes: LabelOutcomes) -> tuple[str, ...]:
        """Return whether temperature, answers or probabilities show that nothing was learned."""
        return label_signs(outcomes, self.temperature)

    def outcomes_of(self, outputs: np.ndarray, targets: np.ndarray) -> LabelOutcomes:
        """Pair label indices and uncalibrated probabilities, of the rows that have an output."""
        from scipy.special import softmax

        known = targets[:, 0] >= 0
        return LabelOutcomes(
            labels=self.head.names,
            truth=targets[known, 0].astype(int),
            probabilities=softmax(outputs[known], axis=1),
        )

    def preflight(
        self,
        train: Sequence[Labeled],
        validation: Sequence[Labeled],
        training: ClassifierTraining,
        targets: Sequence[Sequence[float]] = (),
    ) -> TargetFindings:
        """Count the labels, and warn of rare and missing ones.

        Raises:
            DataError: only one label occurs, or one of the task's labels never does.
        """
        counts = Counter(str(example.label) for example in train)
        if len(counts) < 2:
            raise DataError(
                f"the training rows hold only the label {next(iter(counts))!r}; expected at least two"
            )
        never = [label for label in self.labels if label not in counts]
        if never:
            raise DataError(
                f"the label {never[0]!r} of the config never occurs in the training rows; "
                f"they hold {', '.join(sorted(counts))}"
            )
        return TargetFindings(
            lines=(f"labels     {', '.join(shares_of(counts, self.head.names, len(train)))}",),
            warnings=tuple(_warnings(counts, validation, training)),
        )

    def groups(self, examples: Sequence[Any], *, near_duplicates: float, seed: int) -> list[int]:
        """Group near-equal texts, or the turns of near-equal conversations."""
        grouped = turn_groups if self.of_turns else super().groups
        return grouped(examples, near_duplicates=near_duplicates, seed=seed)

    def strata(self, examples: Sequence[Labeled]) -> list[str]:
        """Return the label of each example."""
        return [f"label {example.label}" for example in examples]

    def describe(self, parts: Mapping[str, Sequence[Labeled]]) -> dict[str, Any]:
        """Count the examples of each label, part by part."""
        return {
            "labels": {
                name: dict(sorted(Counter(str(example.label) for example in part).items()))
                for name, part in parts.items()
            }
        }

    def parity(
        self,
        before: Sequence[Prediction],
        after: Sequence[Prediction],
        truth: Sequence[object],
        limits: Limits,
    ) -> Differences:
        """Count changed labels, and compare accuracy where the truth is known."""
        labels = [[str(answer.label) for answer in answers] for answers in (before, after)]
        return changed_answers(labels[0], labels[1], truth, limits)

    def shown(self, answer: Prediction) -> Shown:
        """Return the label, and the most probable ones; of a text outside, that no label fits."""
        is_outside = bool(self.outside) and answer.label == self.outside
        return Shown(
            headline=f"{self.outside}: none of the labels fits" if is_outside else str(answer.label),
            tone=tone_of(answer.score),
            score=answer.score,
            shares=likeliest(answer.probabilities),
        )

    def claims(self, answer: Prediction, label: str | None = None) -> tuple[Claim, ...]:
        """Return the claim that the label is given; its log-odds by outputs are those among the labels."""
        name = str(answer.label) if label is None else named_label(label, self.answers)
        if name not in self.labels:  # outside of them is a verdict on all outputs
            return (LabelClaim(name=name, evidence_of=None),)
        at = self.labels.index(name)

        def evidence_of(outputs: torch.Tensor) -> torch.Tensor:
            logits = outputs[:, : len(self.labels)] / self.temperature
            others = [index for index in range(len(self.labels)) if index != at]
            return logits[:, at] - logits[:, others].logsumexp(dim=1)

        return (LabelClaim(name=name, evidence_of=evidence_of),)


def _warnings(counts: Counter[str], validation: Sequence[Labeled], training: ClassifierTraining) -> list[str]:
    warnings = []
    if max(counts.values()) > 10 * min(counts.values()):
        rarest = min(counts, key=lambda label: counts[label])
        is_weighted = training.class_weights == "balanced"
        advice = "" if is_weighted else "; training.class_weights: balanced may help"
        warnings.append(f"the label {rarest!r} is rare ({counts[rarest]:,} rows){advice}")
    warnings += [
        f"the label {label!r} is what programs write for a missing value ({counts[label]:,} rows); "
        "hint: remove these rows"
        for label in counts
        if label.lower() in ("nan", "null", "n/a", "#n/a")
    ]
    missing = set(counts) - {str(example.label) for example in validation}
    if missing:
        warnings.append(
            f"the validation rows never hold {', '.join(sorted(missing))}: scores say nothing of it"
        )
    return warnings
