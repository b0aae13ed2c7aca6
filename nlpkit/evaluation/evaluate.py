"""Measure a completed run as it will be served, and write its report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.evaluation.behavior_report import evaluate_suite, is_suite
from nlpkit.evaluation.evaluate_dialogue import evaluate_dialogue
from nlpkit.evaluation.measure_classifier import measure
from nlpkit.evaluation.overlap import with_overlap
from nlpkit.metrics.metric import Metric
from nlpkit.reports.keeping import shown_scores, warning_lines, write_report
from nlpkit.reports.privacy import privacy_section
from nlpkit.reports.report import Report
from nlpkit.reports.sections import Section
from nlpkit.reports.self_training_sections import self_training_sections
from nlpkit.run import Run
from nlpkit.settings.training import DialogueEvaluation
from nlpkit.tasks.own_settings import source_for
from nlpkit.tasks.reading import SHOWN_REASONS, read_examples
from nlpkit.tasks.task import task_from
from nlpkit.trust.promise_section import promises


def evaluate(
    run: Run,
    source: Any,
    *,
    baseline: Run | None = None,
    settings: DialogueEvaluation | None = None,
    talk: Callable[[str], None] = lambda line: None,
    progress: Callable[[int, int], None] | None = None,
) -> Report:
    """Measure a completed run on held-out data, and write scores, predictions and page into the run.

    Args:
        run: of a classifier or a chat model.
        source: where rows, or conversations, come from: a `DataSource` or a `ConversationSource`.
        baseline: another run to compare with on the same rows; a chat model is else compared with its base.
        settings: how much is asked of a chat model.
        talk: gets lines for people.
        progress: gets how many items of how many a chat model has answered.

    Raises:
        DataError: a file or a row is wrong, or it holds no rows.
        RunError: the run is refused.
    """
    task = task_from(run.read().task)
    source = source_for(task, source)
    if task.family.served_by == "classifier":
        return _evaluate_classifier(run, source, baseline, talk)
    return evaluate_dialogue(
        run,
        source,
        settings=settings or DialogueEvaluation(),
        baseline=baseline,
        talk=talk,
        progress=progress,
    )


def _evaluate_classifier(run: Run, source: Any, baseline: Run | None, talk: Callable[[str], None]) -> Report:
    classifier = Classifier.load(run)
    if is_suite(source.source, source.format):
        compared = Classifier.load(baseline) if baseline else None
        return evaluate_suite(run, source, classifier=classifier, baseline=compared)
    reading = read_examples(classifier.task, [source], seed=0)
    for reason in reading.skipped[:SHOWN_REASONS]:
        talk(f"left out: {reason}")
    report = measure(
        run,
        classifier,
        reading.examples,
        data=source.source,
        baseline=Classifier.load(baseline) if baseline else None,
    ).model_copy(update={"left_out": reading.left_out})
    report = with_overlap(report, run, classifier.task.family, reading.examples, baseline)
    write_report(run, report)
    return report


def report_run(
    run: Run,
    parts: Mapping[str, Sequence[Any]],
    *,
    talk: Callable[[str], None],
    own: Sequence[Metric[Any]] = (),
    sections: Sequence[Section] = (),
) -> None:
    """Measure a fresh run on its held-out parts and write report and model card; the last part that has
    rows is the headline: it has a few answers explained, what can be promised, and the recipe's own
    `sections`.
    """
    classifier, record = Classifier.load(run), run.read()
    family = classifier.task.family
    measured = [name for name, examples in parts.items() if examples]
    reports = [
        with_overlap(
            measure(run, classifier, parts[name], data=name, own=own, explained=name == measured[-1]),
            run,
            family,
            parts[name],
        )
        for name in measured
    ]
    for report in reports:
        headline = report is reports[-1]
        further: list[Section | None] = [privacy_section(record.privacy)] if record.privacy else []
        if headline:
            further += [*sections, promises(run, classifier), *self_training_sections(record.data)]
        for section in further:
            report = with_section(report, section) if section else report
        write_report(run, report, card=family.report.usage if headline else None)
        talk(f"{report.data}: {shown_scores(report)}")
        for line in warning_lines(report):
            talk(line)


def with_section(report: Report, section: Section) -> Report:
    """Return the report with a further section, before those that hold texts."""
    kinds = [each.kind for each in report.sections]
    at = kinds.index("texts") if "texts" in kinds else len(kinds)
    sections = (*report.sections[:at], section, *report.sections[at:])
    return report.model_copy(update={"sections": sections})
