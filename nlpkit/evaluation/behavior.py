"""Suites of plain sentences whose answer is known: how often a model gets them wrong, and whether it
treats groups alike.

In the manner of CheckList (Ribeiro et al. 2020, arXiv:2005.04118): a case with an expected answer is a
minimum functionality test, a template whose answer may not change with the group that it names is an
invariance test. The sentences are nlpkit's own. Each suite has two halves with no template and no group
word in common: whoever builds a model may look at `dev`, and reports on `report`.
"""

from __future__ import annotations

import itertools
import string
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nlpkit.errors import DataError, RunError, nearest
from nlpkit.tasks.prediction import Prediction, labels_of

SUITES = ("neutrality", "negation", "named-groups", "emoji")
GROUP = "group"
"""The slot of a template that names a group of people: what stands there may not change the answer."""

Half = Literal["dev", "report"]
Line = TypeVar("Line", bound=BaseModel)
Predict = Callable[[Sequence[str]], Sequence[Prediction]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """A sentence, and the labels that are right for it."""

    text: str
    expect: tuple[str, ...]
    topic: str
    template: str
    """The sentence before its slots were filled: cases that share it differ by a word."""
    group: str | None = None
    """The group that the sentence names, where it names one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """The cases of one half of a suite."""

    name: str
    half: Half | None
    cases: tuple[Case, ...]


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
    groups: Groups | None = None


class _Row(BaseModel):
    """A line of a suite: a sentence, or a template with what its slots may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    text: str = Field(min_length=1)
    expect: tuple[str, ...] = Field(min_length=1)
    topic: str = ""
    half: Half | None = None
    fill: dict[str, tuple[str, ...]] = {}


class _Word(BaseModel):
    """A line of groups.jsonl."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    word: str
    kind: str
    half: Half


def load_suite(source: str | Path, *, half: Half | None = "report") -> Suite:
    """Load the cases of a suite of nlpkit's, by name, or of a JSONL file of your own; `half=None` takes
    all of them.

    A line of a file is `{"text": "The {thing} was not bad.", "expect": ["neutral", "positive"], "fill":
    {"thing": ["meal", "trip"]}}`. Rows without a `half` belong to both.

    Raises:
        DataError: no such suite or file, or a row of it is wrong.
    """
    name, lines = _read(source)
    words = [
        _parse(_Word, line, f"groups.jsonl, row {number}")
        for number, line in enumerate(_shipped("groups"), start=1)
    ]
    cases: list[Case] = []
    for number, line in enumerate(lines, start=1):
        where = f"{name}, row {number}"
        row = _parse(_Row, line, where)
        if half is None or row.half in (None, half):
            named = tuple(word.word for word in words if row.half in (None, word.half))
            cases += _expand(row, {GROUP: named} | row.fill, where)
    if not cases:
        raise DataError(f"{name}: no cases in the half {half!r}; expected at least one row")
    return Suite(name=name, half=half, cases=tuple(cases))


def run_suite(predict: Predict, suite: Suite) -> SuiteResult:
    """Report how often `predict` (such as `Classifier.predict`) is wrong on the suite, on what, and how
    unequal between groups.

    Raises:
        RunError: the model cannot give the answers that the suite expects.
    """
    predictions = predict([case.text for case in suite.cases])
    labels = _labels(suite, predictions)
    failures = tuple(
        Failure(case=case, label=label, score=prediction.score)
        for case, label, prediction in zip(suite.cases, labels, predictions, strict=True)
        if label not in case.expect
    )
    failed = Counter(failure.case.topic for failure in failures)
    cases = Counter(case.topic for case in suite.cases)
    return SuiteResult(
        name=suite.name,
        half=suite.half,
        failed=_rate(len(failures), len(suite.cases)),
        topics={topic: _rate(failed[topic], count) for topic, count in cases.items()},
        failures=failures,
        groups=_groups(suite.cases, labels, predictions),
    )


def _shipped(name: str) -> list[str]:
    return (
        (resources.files("nlpkit.data") / "suites" / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    )


def _read(source: str | Path) -> tuple[str, list[str]]:
    if source in SUITES:
        return str(source), _shipped(str(source))
    path = Path(source)
    if not path.is_file():
        raise DataError(
            f"no suite {str(source)!r}; expected a file or one of nlpkit's "
            f"suites{nearest(str(source), SUITES)}"
        )
    return path.name, path.read_text(encoding="utf-8").splitlines()


def _parse(model: type[Line], line: str, where: str) -> Line:
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the line"
        raise DataError(
            f"{where}: {key}: {first['msg']}; expected text, expect, and optionally topic, half, fill"
        ) from error


def _expand(row: _Row, fill: Mapping[str, Sequence[str]], where: str) -> Iterator[Case]:
    """One case for each way to fill the slots, the last slot changing fastest."""
    try:
        slots = [slot for _, slot, _, _ in string.Formatter().parse(row.text) if slot is not None]
    except ValueError as error:
        raise DataError(f"{where}: {row.text!r}: {error}; expected slots such as {{thing}}") from error
    for slot in slots:
        if not fill.get(slot):
            raise DataError(
                f"{where}: nothing to fill the slot {slot!r} with; expected it under "
                f"fill{nearest(slot, row.fill)}"
            )
    for words in itertools.product(*(fill[slot] for slot in slots)):
        filled = dict(zip(slots, words, strict=True))
        text = row.text.format(**filled)
        text = text[0].upper() + text[1:]
        yield Case(text=text, expect=row.expect, topic=row.topic, template=row.text, group=filled.get(GROUP))


def _labels(suite: Suite, predictions: Sequence[Prediction]) -> list[str]:
    """Return the label of each prediction; refuse a model that could never give an expected one."""
    try:
        labels = labels_of(predictions)
    except RunError as error:
        raise RunError(f"suite {suite.name}: {error}") from None
    known = set(predictions[0].probabilities)
    wanted = {label for case in suite.cases for label in case.expect}
    if known and not wanted <= known:
        raise RunError(
            f"suite {suite.name}: the model answers {sorted(known)}; the suite expects {sorted(wanted)}"
        )
    return labels


def _rate(count: int, of: int) -> Rate:
    from scipy.stats import binomtest

    interval: Any = binomtest(count, of).proportion_ci(method="wilson")
    return Rate(count=count, of=of, interval=(float(interval.low), float(interval.high)))


def _groups(cases: Sequence[Case], labels: Sequence[str], predictions: Sequence[Prediction]) -> Groups | None:
    answers: dict[str, set[str]] = defaultdict(set)
    scores: dict[str, list[float]] = defaultdict(list)
    for case, label, prediction in zip(cases, labels, predictions, strict=True):
        if case.group is not None:
            answers[case.template].add(label)
            if prediction.score is not None:
                scores[case.group].append(prediction.score)
    if not answers:
        return None
    means = {group: sum(values) / len(values) for group, values in scores.items()}
    return Groups(
        unequal=_rate(sum(len(given) > 1 for given in answers.values()), len(answers)),
        means=dict(sorted(means.items(), key=lambda pair: pair[1])),
    )
