"""Measure a classifier on examples, as it will be served, and write its predictions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nlpkit.classifiers.cascade import Cascade
from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.runtime import Metered
from nlpkit.data.annotations import people_of
from nlpkit.data.examples import GROUP, input_columns
from nlpkit.errors import ConfigError, DataError
from nlpkit.generation.decision_server import naming_rows
from nlpkit.metrics.intervals import bootstrap, paired
from nlpkit.metrics.metric import Metric
from nlpkit.reports.group_section import group_table
from nlpkit.reports.headline import score_headline
from nlpkit.reports.keeping import of_run, place, source_card
from nlpkit.reports.label_sections import Rows
from nlpkit.reports.parts import Baseline, Cost, DataCard
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Section
from nlpkit.reports.self_training_sections import self_labeled
from nlpkit.reports.wording import no_better
from nlpkit.run import Run, versions
from nlpkit.tasks.answers.family import ClassifierFamily
from nlpkit.tasks.prediction import Prediction
from nlpkit.tasks.task import TextTask
from nlpkit.trust.explained_section import explained_sections

ALONE = "the same run without the turns before"
"""What the report calls a run's answers to turns of which it reads nothing that was said before."""


def measure(
    run: Run,
    classifier: Classifier,
    examples: Sequence[Any],
    *,
    data: str,
    baseline: Classifier | None = None,
    own: Sequence[Metric[Any]] = (),
    explained: bool = True,
) -> Report:
    """Measure one classifier on examples. Every score comes from what `classifier.predict` answers,
    and from nothing else. If `explained`, a few texts show what the answers rest on.
    """
    if not examples:
        raise DataError(f"{data}: no rows; expected labeled texts to measure on")
    record = run.read()
    predictions, before, cost = _answered(classifier, examples)
    family = classifier.task.family
    outcomes = family.outcomes(examples, predictions)
    scores = bootstrap(outcomes, (*family.metrics, *own), seed=record.seed)
    given = (_against(outcomes, classifier, baseline, examples, record.seed, own),) if baseline else ()
    constant = family.report.constant(outcomes).baseline(outcomes, record.seed)
    baselines = (*given, constant, *_alone(outcomes, classifier, examples, record.seed, own))
    rows = Rows(
        texts=[example.text for example in examples],
        where=[example.where for example in examples],
        people=people_of(examples),
        seed=record.seed,
        before=before,
    )
    sections = [make(outcomes, rows) for make in family.report.sections]
    sections.append(_groups(family, examples, predictions, record.seed))
    sections += explained_sections(classifier, examples, predictions, outcomes) if explained else ()
    _write_predictions(run, data, classifier.task, examples, predictions)
    report = Report(
        **of_run(run),
        data=data,
        task=classifier.task.kind,
        seed=record.seed,
        summary=family.report.summary(scores, baselines),
        warnings=(*no_better(scores, constant), *family.signs(outcomes)),
        scores=scores,
        headlines=(score_headline(scores, baselines[0], family.report.headline),),
        sections=tuple(section for section in sections if section),
        baselines=baselines,
        limits=family.report.limits(outcomes),
        data_card=_data_card(record.data),
        versions=versions(),
    )
    return report.model_copy(update={"cost": Cost(**{**record.cost, **cost})})


def _answered(
    classifier: Classifier, examples: Sequence[Any]
) -> tuple[list[Prediction], Any, dict[str, Any]]:
    """Return the predictions for examples, what they were before calibration, and what they cost.

    They are those of `classifier.predict`.

    Raises:
        DecisionError: a server that answers for the run does not, or with something else; names the row.
    """
    import numpy as np

    inputs = [classifier.task.input(example) for example in examples]
    places = zip((given.text for given in inputs), (example.where for example in examples), strict=True)
    started = time.monotonic()
    family, before = classifier.task.family, None
    with naming_rows(places):
        if isinstance(classifier.model, Cascade):  # whose two models have outputs of their own
            predictions = classifier.predict(inputs)
        else:
            encoded = classifier.encode(inputs)
            outputs = classifier.model.logits_of(encoded)
            predictions = classifier.model.answers(encoded, outputs)
            if family.distillable:  # its outputs are one distribution over labels
                targets = np.array([family.target(*pair) for pair in zip(examples, encoded, strict=True)])
                before = family.outcomes_of(outputs, targets) if (targets >= 0).all() else None
    cost = {"texts_per_second": round(len(examples) / (time.monotonic() - started), 1)}
    return (
        predictions,
        before,
        cost | (classifier.runtime.take_cost() if isinstance(classifier.runtime, Metered) else {}),
    )


def _groups(
    family: ClassifierFamily, examples: Sequence[Any], predictions: Sequence[Prediction], seed: int
) -> Section | None:
    """Return the scores of each group by the metrics that stand for all; None where rows have no groups."""
    members: dict[str, list[int]] = {}
    for row, example in enumerate(examples):
        members.setdefault(example.group, []).append(row)
    if members.keys() == {""}:
        return None
    metrics = [
        metric
        for metric in family.metrics
        if metric.name in (family.report.headline, family.best_by.name, "accuracy")
    ]
    return group_table(
        {
            group: bootstrap(
                family.outcomes([examples[row] for row in rows], [predictions[row] for row in rows]),
                metrics,
                seed=seed,
            )
            for group, rows in members.items()
        }
    )


def _against(
    outcomes: Any,
    classifier: Classifier,
    baseline: Classifier,
    examples: Sequence[Any],
    seed: int,
    own: Sequence[Metric[Any]],
) -> Baseline:
    refuse_other_answers(classifier, baseline)
    metrics = (*classifier.task.family.metrics, *own)
    predictions, _, _ = _answered(baseline, examples)
    answers = baseline.task.family.outcomes(examples, predictions)
    return _compared(baseline.name, answers, outcomes, metrics, seed)


def _alone(
    outcomes: Any, classifier: Classifier, examples: Sequence[Any], seed: int, own: Sequence[Metric[Any]]
) -> tuple[Baseline, ...]:
    """Return the classifier's answers without the turns before, where it reads such."""
    inputs = [classifier.task.input(example) for example in examples]
    if not any(given.context for given in inputs):
        return ()
    family = classifier.task.family
    predictions = classifier.predict([replace(given, context=()) for given in inputs])
    answers = family.outcomes(examples, predictions)
    return (_compared(ALONE, answers, outcomes, (*family.metrics, *own), seed),)


def _compared(name: str, answers: Any, outcomes: Any, metrics: Sequence[Metric[Any]], seed: int) -> Baseline:
    """Return other answers to the same rows as a baseline, each of their scores with its paired test."""
    return Baseline(
        name=name,
        scores=bootstrap(answers, metrics, seed=seed),
        tests={metric.name: paired(metric, outcomes, answers, seed=seed) for metric in metrics},
    )


def refuse_other_answers(classifier: Classifier, baseline: Classifier) -> None:
    """Raise where two classifiers don't answer with the same names, such as labels.

    Raises:
        ConfigError: they cannot be compared.
    """
    ours, theirs = classifier.task.head, baseline.task.head
    if (ours.names, ours.problem) != (theirs.names, theirs.problem):
        raise ConfigError(
            f"{baseline.name}: answers with {', '.join(theirs.names)}; expected {', '.join(ours.names)}; "
            "hint: name a run that was trained on the same labels"
        )


def _data_card(data: Mapping[str, Any]) -> DataCard:
    counts = {**data["rows"], "labeled by the run": self_labeled(data)}
    return DataCard(
        counts={name: rows for name, rows in counts.items() if rows},
        balance={name: counts for name, counts in data["labels"].items() if counts},
        sources=tuple(source_card(name) for name in data.get("sources", ())),
        dropped={"near-duplicates of held-out texts": data["near_duplicates_dropped"]},
    )


def _write_predictions(
    run: Run, data: str, task: TextTask, examples: Sequence[Any], predictions: Sequence[Prediction]
) -> None:
    """Every row with its truth and its answer, so that the numbers can be defended one by one."""
    import pyarrow
    from pyarrow import parquet

    path = place(run, data, ".predictions.parquet")
    path.parent.mkdir(parents=True, exist_ok=True)
    read = [input_columns(task.input(example)) for example in examples]
    extra = dict.fromkeys(name for columns in read for name in columns)
    has_groups = any(example.group for example in examples)
    rows = [
        {
            "where": example.where,
            "text": example.text,
            "truth": task.family.truth(example),
            **answer.row(),
            **(extra | columns),
            **({GROUP: example.group} if has_groups else {}),
        }
        for example, columns, answer in zip(examples, read, predictions, strict=True)
    ]
    draft = path.with_name(f".{path.name}.part")
    parquet.write_table(pyarrow.Table.from_pylist(rows), draft)
    draft.replace(path)
