"""Suites of plain sentences whose answer is known: how often a model gets them wrong, and whether it
treats groups alike.

In the manner of CheckList (Ribeiro et al. 2020, arXiv:2005.04118): a case with an expected answer is a
minimum functionality test, a template whose answer may not change with the group that it names is an
invariance test. The sentences are nlpkit's own. Each suite has two halves with no template and no word of
their lists in common: whoever builds a model may look at `dev`, and reports on `report`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nlpkit.data.suite_file import TOLERANCE, Case
from nlpkit.errors import RunError
from nlpkit.evaluation.suites import SUITES, Half, Suite, load_suite
from nlpkit.tasks.prediction import Prediction, labels_of

__all__ = ["SUITES", "Case", "Half", "Suite", "load_suite", "run_suite"]

Predict = Callable[[Sequence[str]], Sequence[Prediction]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """A share of cases, with its 95% interval (Wilson 1927)."""

    count: int
    of: int
    interval: tuple[float, float]

    @property
    def value(self) -> float:
        """The share, in [0, 1]."""
        return self.count / self.of


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """A case, and the wrong answer that it got."""

    case: Case
    label: str
    score: float | None = None
    label_before: str | None = None
    """The answer to the text that it is compared with."""
    score_before: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """How alike a model treats the groups that the same templates name."""

    unequal: Rate
    """Templates whose label is not the same for every group."""
    means: Mapping[str, float]
    """Mean score of each group, lowest first; empty where the model gives no score."""

    @property
    def gap(self) -> float | None:
        """The mean score of the best treated group less that of the worst, in [0, 2]."""
        return max(self.means.values()) - min(self.means.values()) if self.means else None


@dataclass(frozen=True, kw_only=True, slots=True)
class SuiteResult:
    """What a model made of a suite."""

    name: str
    half: Half | None
    failed: Rate
    topics: Mapping[str, Rate]
    failures: tuple[Failure, ...]
    cases: tuple[Case, ...] = ()
    is_wrong: tuple[bool, ...] = ()
    """Whether each case fails."""
    groups: Groups | None = None

    @property
    def mean(self) -> float:
        """The mean of the tests' failure rates."""
        return sum(rate.value for rate in self.topics.values()) / len(self.topics)


def run_suite(predict: Predict, suite: Suite) -> SuiteResult:
    """Report how often `predict` (such as `Classifier.predict`) is wrong on the suite, on what, and how
    unequal between groups.

    Raises:
        RunError: the model cannot give the answers that the suite expects.
    """
    texts = list(dict.fromkeys(text for case in suite.cases for text in (case.before, case.text) if text))
    answers = predict(texts)
    labels = dict(zip(texts, _labels(suite, answers), strict=True))
    given = dict(zip(texts, answers, strict=True))
    is_wrong = tuple(_is_wrong(suite, case, labels, given) for case in suite.cases)
    failures = tuple(
        Failure(
            case=case,
            label=labels[case.text],
            score=given[case.text].score,
            label_before=labels[case.before] if case.before else None,
            score_before=given[case.before].score if case.before else None,
        )
        for case, wrong in zip(suite.cases, is_wrong, strict=True)
        if wrong
    )
    failed = Counter(failure.case.topic for failure in failures)
    cases = Counter(case.topic for case in suite.cases)
    return SuiteResult(
        name=suite.name,
        half=suite.half,
        failed=_rate(len(failures), len(suite.cases)),
        topics={topic: _rate(failed[topic], count) for topic, count in cases.items()},
        failures=failures,
        cases=suite.cases,
        is_wrong=is_wrong,
        groups=_groups(suite.cases, labels, given),
    )


def _is_wrong(suite: Suite, case: Case, labels: Mapping[str, str], given: Mapping[str, Prediction]) -> bool:
    label = labels[case.text]
    if case.before is None:
        return label not in case.expect
    if case.relation == "same":
        return label != labels[case.before]
    after, before = given[case.text].score, given[case.before].score
    if after is None or before is None:
        raise RunError(
            f"suite {suite.name}: {case.where}: {case.topic!r} compares scores, and the model gives none; "
            "hint: evaluate a run whose labels are ordered (task.ordered=true)"
        )
    moved = after - before
    wrong = {
        "up": moved <= 0,
        "down": moved >= 0,
        "not up": moved > TOLERANCE,
        "not down": moved < -TOLERANCE,
    }
    return wrong[str(case.relation)]


def _labels(suite: Suite, predictions: Sequence[Prediction]) -> list[str]:
    """Return the label of each prediction; refuse a model that could never give an expected one."""
    try:
        labels = labels_of(predictions)
    except RunError as error:
        raise RunError(f"suite {suite.name}: {error}") from None
    if known := set(predictions[0].probabilities):
        refuse_other_labels(suite, known)
    return labels


def refuse_other_labels(suite: Suite, known: Collection[str]) -> None:
    """Raise where a suite expects a label that a model never gives.

    Raises:
        RunError: names the first place that expects one.
    """
    wanted = {label for case in suite.cases for label in case.expect}
    if not wanted <= set(known):
        case = next(case for case in suite.cases if not set(case.expect) <= set(known))
        raise RunError(
            f"suite {suite.name}: the model answers {sorted(known)}; the suite expects {sorted(wanted)}, "
            f"first in {case.where}; hint: write a suite of your own with the model's labels "
            "(docs/behavior.md)"
        )


def _rate(count: int, of: int) -> Rate:
    from scipy.stats import binomtest

    interval: Any = binomtest(count, of).proportion_ci(method="wilson")
    return Rate(count=count, of=of, interval=(float(interval.low), float(interval.high)))


def _groups(
    cases: Sequence[Case], labels: Mapping[str, str], given: Mapping[str, Prediction]
) -> Groups | None:
    answers: dict[str, set[str]] = defaultdict(set)
    scores: dict[str, list[float]] = defaultdict(list)
    for case in cases:
        if case.group is not None:
            answers[case.template].add(labels[case.text])
            if (score := given[case.text].score) is not None:
                scores[case.group].append(score)
    if not answers:
        return None
    means = {group: sum(values) / len(values) for group, values in scores.items()}
    return Groups(
        unequal=_rate(sum(len(given) > 1 for given in answers.values()), len(answers)),
        means=dict(sorted(means.items(), key=lambda pair: pair[1])),
    )
