"""The report of a classifier on a suite: the failure rate of each test, worst first, and what fails."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nlpkit.data.file_format import format_of, suffix_of
from nlpkit.data.formats.suite import SUITE
from nlpkit.data.text_files import start_of
from nlpkit.errors import ConfigError
from nlpkit.evaluation.behavior import Failure, Rate, SuiteResult, load_suite, run_suite
from nlpkit.evaluation.suites import SUITES
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.ratio import Ratio, ratio_metric
from nlpkit.metrics.score import Score
from nlpkit.reports.keeping import of_run, write_report
from nlpkit.reports.parts import Baseline, Headline
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Column, Example, Panel, Plot, Series, Table, Tag, Texts
from nlpkit.run import Run, versions
from nlpkit.settings import Settings
from nlpkit.sources.resolution import SUITES as FOLDERS

if TYPE_CHECKING:
    from nlpkit.classifiers.classifier import Classifier

Named = tuple[str, SuiteResult]
MOST_EXAMPLES = 3
"""Failures of a test that the page shows."""


def is_suite(source: str, format: str | None = None) -> bool:
    """Return whether data is a suite: one of nlpkit's by name, or a file or folder with tests."""
    if format is not None or source in (*FOLDERS, *SUITES):
        return format in (None, SUITE)
    path = Path(source)
    is_likely = path.is_dir() or (path.is_file() and suffix_of(path) in (".yaml", ".yml"))
    return is_likely and format_of(path, start_of(path)) == SUITE


def evaluate_suite(
    run: Run, source: Settings, *, baseline: Classifier | None, classifier: Classifier
) -> Report:
    """Measure a classifier on a suite, and write the report into the run.

    Raises:
        ConfigError: a setting means nothing for a suite, or the file has a wrong key.
        DataError: a row of the suite is wrong.
        RunError: the suite expects a label that the run does not have.
    """
    name: str = source.source  # type: ignore[attr-defined]
    if foreign := sorted(source.model_fields_set - {"source", "format", "on_bad"}):
        raise ConfigError(
            f"{name}: {', '.join(foreign)}: means nothing for a suite, which says itself what it expects; "
            "hint: leave it out"
        )
    suite = load_suite(name)
    ours = run_suite(classifier.predict, suite)
    theirs = (baseline.name, run_suite(baseline.predict, suite)) if baseline else None
    report = behavior_report(ours, run=run.name, data=name, seed=run.read().seed, baseline=theirs)
    report = report.model_copy(update=of_run(run) | {"task": classifier.task.kind})
    write_report(run, report)
    return report


def behavior_report(
    ours: SuiteResult, *, run: str, data: str, seed: int = 0, baseline: Named | None = None
) -> Report:
    """Return the report of a model on a suite, compared with a baseline on the same cases."""
    models = [("this run" if baseline else run, ours), *([baseline] if baseline else [])]
    compared: tuple[Baseline, ...] = ()
    scores = {key: bootstrap(rows(ours), [metric], seed=seed)[key] for key, rows, metric in _METRICS}
    if baseline:
        name, theirs = baseline
        compared = (
            Baseline(
                name=name,
                scores={
                    key: bootstrap(rows(theirs), [metric], seed=seed)[key] for key, rows, metric in _METRICS
                },
                tests={
                    key: paired(metric, rows(ours), rows(theirs), seed=seed) for key, rows, metric in _METRICS
                },
                details={topic: failure_score(topic, rate) for topic, rate in theirs.topics.items()},
            ),
        )
    return Report(
        run=run,
        data=data,
        task="polarity",
        seed=seed,
        unit="cases",
        measured=f"{len(ours.cases):,} cases in {len(ours.topics)} tests",
        summary=_summary(ours, scores, compared),
        scores=scores,
        details={topic: failure_score(topic, rate) for topic, rate in ours.topics.items()},
        headlines=tuple(Headline(score=score, title=score.title) for score in scores.values()),
        sections=tuple(filter(None, (_table(models), _plot(models), _failures(ours)))),
        baselines=compared,
        limits=(
            "The suite's sentences come from templates: a failure is a weakness, few failures are no promise "
            "for other texts.",
        ),
        versions=versions(),
    )


def ranked(result: SuiteResult) -> list[str]:
    """Return the names of the tests, the one that fails most first."""
    return sorted(result.topics, key=lambda topic: (-result.topics[topic].value, topic))


def failure_score(topic: str, rate: Rate) -> Score:
    """Return the failure rate of a test with its interval."""
    low, high = rate.interval
    return Score(
        value=rate.value, low=low, high=high, count=rate.of, title=topic, scale=(0.0, 1.0), percent=True,
        higher_is_better=False,
    )  # fmt: skip


def _all_cases(result: SuiteResult) -> Ratio:
    return Ratio.of(result.is_wrong)


def _by_test(result: SuiteResult) -> Ratio:
    """Weigh the cases so that every test counts alike."""
    total = len(result.cases)
    sizes = {topic: rate.of for topic, rate in result.topics.items()}
    weights = [total / (len(sizes) * sizes[case.topic]) for case in result.cases]
    return Ratio.of([wrong * weight for wrong, weight in zip(result.is_wrong, weights, strict=True)])


def _metric(name: str, title: str, meaning: str) -> Metric[Ratio]:
    return ratio_metric(
        lambda ratio: ratio, name=name, title=title, meaning=meaning, percent=True, scale=(0.0, 1.0),
        higher_is_better=False,
    )  # fmt: skip


_METRICS: tuple[tuple[str, Callable[[SuiteResult], Ratio], Metric[Ratio]], ...] = (
    (
        "failed_mean",
        _by_test,
        _metric("failed_mean", "Failed, mean over tests", "Mean of the tests' failure rates."),
    ),
    ("failed", _all_cases, _metric("failed", "Failed cases", "Share of all cases that fail.")),
)


def _summary(ours: SuiteResult, scores: dict[str, Score], compared: Sequence[Baseline]) -> tuple[str, ...]:
    mean, worst = scores["failed_mean"], ranked(ours)[:3]
    than = "".join(
        f" ({baseline.name}: {baseline.scores['failed_mean'].shown_with_interval})" for baseline in compared
    )
    listed = ", ".join(f"{topic} ({ours.topics[topic].value:.0%})" for topic in worst)
    return (f"It fails {mean.shown_with_interval} of the cases, mean over tests{than}.", f"Worst: {listed}.")


def _shown(rate: Rate) -> str:
    return failure_score("", rate).shown_with_interval


def _table(models: Sequence[Named]) -> Table:
    first = models[0][1]
    kinds = {case.topic: (case.phenomenon, kind_of(case.relation)) for case in first.cases}
    return Table(
        id="tests",
        title="Tests",
        nav="Tests",
        note="The test that fails most comes first. 95% intervals (Wilson), as if cases of one template were "
        "independent of each other.",
        columns=(
            *(Column(name=name) for name in ("Test", "Phenomenon", "Kind")),
            Column(name="Cases", number=True),
            *(Column(name=f"Failed, {name}", number=True) for name, _ in models),
        ),
        rows=tuple(
            (topic, *kinds[topic], first.topics[topic].of, *(_shown(of.topics[topic]) for _, of in models))
            for topic in ranked(first)
        ),
    )


def kind_of(relation: str | None) -> str:
    """Return CheckList's name of a test that expects this relation."""
    return {None: "MFT", "same": "INV"}.get(relation, "DIR")


def _plot(models: Sequence[Named]) -> Plot:
    topics = ranked(models[0][1])
    shift = 0.36 / len(models)
    series = []
    for number, (name, result) in enumerate(models):
        rates = [result.topics[topic] for topic in topics]
        offset = shift * (2 * number - len(models) + 1)
        series.append(
            Series(
                mark="bars",
                name=name,
                x=tuple(row + offset for row in range(len(topics))),
                y=tuple(rate.value for rate in rates),
                low=tuple(rate.interval[0] for rate in rates),
                high=tuple(rate.interval[1] for rate in rates),
                color=number,
                symbol="o" if number == 0 else "s",
                width=1.8 * shift,
            )
        )
    words = "; ".join(f"{topic}: {models[0][1].topics[topic].value:.0%}" for topic in topics)
    return Plot(
        id="ranking",
        title="Failure rate by test",
        nav="Ranking",
        note="With 95% intervals; shorter is better.",
        words=f"Failure rate of each test, worst first: {words}",
        panels=(
            Panel(
                series=tuple(series),
                names=tuple(topics),
                x="share of cases that fail",
                x_range=(0.0, 1.0),
                horizontal=True,
            ),
        ),
        height=max(1.0, 0.075 * len(topics) + 0.3),
    )


def _failures(ours: SuiteResult) -> Texts | None:
    by_test: dict[str, list[Failure]] = defaultdict(list)
    for failure in ours.failures:
        by_test[failure.case.topic].append(failure)
    shown = [_example(failure) for topic in ranked(ours) for failure in _spread(by_test[topic])]
    if not shown:
        return None
    return Texts(
        id="failures",
        title="What fails",
        nav="Failures",
        note=f"At most {MOST_EXAMPLES} cases of a test, of different templates where there are such.",
        examples=tuple(shown),
        shown=12,
    )


def _spread(failures: Sequence[Failure]) -> list[Failure]:
    """Return a few failures, of as many templates as possible."""
    seen: Counter[str] = Counter()
    turns: list[tuple[int, int, Failure]] = []
    for failure in failures:
        turns.append((seen[failure.case.template], len(turns), failure))
        seen[failure.case.template] += 1
    return [turn[2] for turn in sorted(turns, key=lambda turn: turn[:2])[:MOST_EXAMPLES]]


def _example(failure: Failure) -> Example:
    case = failure.case
    text, expected = case.text, " or ".join(case.expect)
    if case.before is not None:
        text = f"{case.before}\n→ {case.text}"
        expected = {"same": f"{failure.label_before}, as before"}.get(str(case.relation), f"{case.relation}")
    moved = ""
    if failure.score is not None and failure.score_before is not None:
        moved = f", score {failure.score_before:+.2f} → {failure.score:+.2f}"
    return Example(
        text=text,
        tags=(
            Tag(text=case.topic),
            Tag(text=f"answered {failure.label}{moved}", good=False),
            Tag(text=f"expected {expected}"),
        ),
        where=case.where,
    )
