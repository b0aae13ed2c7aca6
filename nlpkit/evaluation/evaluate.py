"""Measure a whole run as it will be served, and write its report."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import LabeledText
from nlpkit.errors import ConfigError, DataError
from nlpkit.files import write_whole
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.labels import LABEL_METRICS
from nlpkit.metrics.metric import Metric
from nlpkit.metrics.outcomes import LabelOutcomes, ValueOutcomes
from nlpkit.metrics.values import VALUE_METRICS
from nlpkit.reports.card import model_card
from nlpkit.reports.findings import describe
from nlpkit.reports.html import to_html
from nlpkit.reports.keeping import curve, keep, place, source_card
from nlpkit.reports.report import Baseline, Cost, DataCard, Report
from nlpkit.run import Run, versions
from nlpkit.settings import DataSource
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import Task


def evaluate(run: Run, source: DataSource, *, baseline: Run | None = None) -> Report:
    """The run's scores on labelled rows, written into the run as JSON, predictions and page.

    Raises:
        DataError: a file or a row is wrong, or it holds no rows.
        RunError: the run is refused.
    """
    classifier = Classifier.load(run)
    examples = read_examples(classifier.task, [source], seed=0)
    report = measure(
        run,
        classifier,
        examples,
        data=source.source,
        baseline=Classifier.load(baseline) if baseline else None,
    )
    write_report(run, report)
    return report


def report_run(run: Run, parts: Mapping[str, Sequence[LabeledText]], *, talk: Callable[[str], None]) -> None:
    """Measure a fresh run on its held-out parts and write report and model card; the last part that has rows is the headline."""
    classifier = Classifier.load(run)
    reports = [measure(run, classifier, examples, data=name) for name, examples in parts.items() if examples]
    for report in reports:
        write_report(run, report)
    write_whole(run.report, to_html(reports[-1]))
    write_whole(run.card, model_card(reports[-1], run.read().model_dump(mode="json")))
    for report in reports:
        shown = ", ".join(
            f"{score.title} {score.shown(score.value)} ({score.interval})"
            for score in list(report.scores.values())[:3]
        )
        talk(f"{report.data}: {shown}")


def measure(
    run: Run,
    classifier: Classifier,
    examples: Sequence[LabeledText],
    *,
    data: str,
    baseline: Classifier | None = None,
) -> Report:
    """The report of one classifier on examples. Every score comes from what `classifier.predict` answers, and from nothing else."""
    if not examples:
        raise DataError(f"{data}: no rows; expected labelled texts to measure on")
    record = run.read()
    started = time.monotonic()
    predictions = classifier.predict([example.text for example in examples])
    seconds = time.monotonic() - started
    outcomes = outcomes_of(classifier.task, examples, predictions)
    metrics: Any = LABEL_METRICS if isinstance(outcomes, LabelOutcomes) else VALUE_METRICS
    scores = bootstrap(outcomes, metrics, seed=record.seed)
    _write_predictions(run, data, examples, predictions)
    return Report(
        run=run.name,
        data=data,
        kind="labels" if isinstance(outcomes, LabelOutcomes) else "values",
        seed=record.seed,
        scores=scores,
        findings=describe(
            outcomes,
            texts=[one.text for one in examples],
            where=[one.where for one in examples],
            seed=record.seed,
        ),
        baselines=(_against(outcomes, baseline, examples, metrics, record.seed),) if baseline else (),
        curve=curve(run),
        data_card=_data_card(record.data),
        cost=Cost(**record.cost, texts_per_second=round(len(examples) / seconds, 1)),
        config=run.config.read_text(encoding="utf-8"),
        versions=versions(),
    )


def outcomes_of(
    task: Task, examples: Sequence[LabeledText], predictions: Sequence[Prediction]
) -> LabelOutcomes | ValueOutcomes:
    """Truth beside prediction, row by row."""
    import numpy as np

    if task.kind == "intensity":
        truth = np.array([example.value for example in examples], dtype=float)
        return ValueOutcomes(truth=truth, predicted=np.array([one.value for one in predictions], dtype=float))
    labels = tuple(task.id2label.values())
    return LabelOutcomes(
        labels=labels,
        truth=np.array([labels.index(str(example.label)) for example in examples]),
        probabilities=np.array([[one.probabilities[label] for label in labels] for one in predictions]),
    )


def write_report(run: Run, report: Report) -> None:
    """The page of one report, with JSON and Markdown beside it, in the run's `evaluation/`.

    The run's own `report.html` and model card stay those of its training: its held-out rows, measured once.
    """
    keep(run, report.data, report=report.to_json(), markdown=report.to_markdown(), page=to_html(report))


def _against(
    outcomes: Any,
    baseline: Classifier,
    examples: Sequence[LabeledText],
    metrics: Sequence[Metric[Any]],
    seed: int,
) -> Baseline:
    theirs = tuple(baseline.task.id2label.values())
    if isinstance(outcomes, LabelOutcomes) and theirs != outcomes.labels:
        raise ConfigError(
            f"{baseline.name}: the baseline's labels are {', '.join(theirs)}; expected {', '.join(outcomes.labels)}"
        )
    answers: Any = outcomes_of(
        baseline.task, examples, baseline.predict([example.text for example in examples])
    )
    return Baseline(
        name=baseline.name,
        scores=bootstrap(answers, metrics, seed=seed),
        tests={metric.name: paired(metric, outcomes, answers, seed=seed) for metric in metrics},
    )


def _data_card(data: Mapping[str, Any]) -> DataCard:
    return DataCard(
        counts={name: rows for name, rows in data["rows"].items() if rows},
        balance={name: counts for name, counts in data["labels"].items() if counts},
        sources=tuple(source_card(name) for name in data.get("sources", ())),
        dropped={"near-duplicates of held-out texts": data["near_duplicates_dropped"]},
    )


def _write_predictions(
    run: Run, data: str, examples: Sequence[LabeledText], predictions: Sequence[Prediction]
) -> None:
    """Every row with its truth and its answer, so that the numbers can be defended one by one."""
    import pyarrow
    from pyarrow import parquet

    path = place(run, data, ".predictions.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "where": one.where,
            "text": one.text,
            "truth": one.value if one.label is None else one.label,
            **answer.row(),
        }
        for one, answer in zip(examples, predictions, strict=True)
    ]
    beside = path.with_name(f".{path.name}.part")
    parquet.write_table(pyarrow.Table.from_pylist(rows), beside)
    beside.replace(path)
