"""The gate at the end of a training: a run that fails too much of a suite ends the command with an error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from pydantic import Field

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import RunError
from nlpkit.evaluation.behavior import load_suite, refuse_other_labels, run_suite
from nlpkit.evaluation.behavior_report import behavior_report
from nlpkit.evaluation.suites import BEHAVIOR, Suite
from nlpkit.reports.keeping import of_run, place, warning_lines, write_report
from nlpkit.run import Run
from nlpkit.settings import Settings
from nlpkit.tasks.task import TextTask


class BehaviorGate(Settings):
    """How much of a suite a trained run may fail."""

    fail_above: Annotated[float, Field(ge=0, le=1)] = 0.1
    """The mean over a suite's tests of their failure rates above which the training ends with an error."""
    suites: Annotated[tuple[str, ...], Field(min_length=1)] = (BEHAVIOR,)
    """Names of nlpkit's suites, or files of your own."""


def gate_suites(gate: BehaviorGate | None, task: TextTask) -> list[Suite]:
    """Load the suites of a gate, before the training; none without a gate.

    Raises:
        ConfigError, DataError: a suite is wrong.
        RunError: it expects a label that the task does not have.
    """
    suites = [load_suite(name) for name in gate.suites] if gate else []
    for suite in suites:
        refuse_other_labels(suite, task.head.names)
    return suites


def check_behavior(
    runs: Sequence[Run], gate: BehaviorGate | None, suites: Sequence[Suite], *, talk: Callable[[str], None]
) -> list[Run]:
    """Measure each run on the suites, write a report of each into it, and return the runs.

    Raises:
        RunError: a run fails more of a suite than the gate lets pass. The runs are kept.
    """
    if gate is None:
        return list(runs)
    refused = []
    for run in runs:
        classifier = Classifier.load(run)
        for name, suite in zip(gate.suites, suites, strict=True):
            result = run_suite(classifier.predict, suite)
            report = behavior_report(result, run=run.name, data=name, seed=run.read().seed)
            failed = report.scores["failed_mean"]
            talk(f"{name}: failed, mean over tests {failed.shown_with_interval}")
            sentence = (
                f"fails {result.mean:.1%} of {name}, more than behavior.fail_above = {gate.fail_above:.1%}"
            )
            is_refused = result.mean > gate.fail_above
            warnings = (f"It {sentence}.",) if is_refused else ()
            report = report.model_copy(
                update=of_run(run) | {"task": classifier.task.kind, "warnings": warnings}
            )
            write_report(run, report)
            for line in warning_lines(report):
                talk(line)
            if is_refused:
                refused.append(f"{run.path} {sentence} ({place(run, name, '.html')})")
    if refused:
        raise RunError(
            f"{'; '.join(refused)}; the run is kept; hint: train on behavior/dev too, or raise fail_above"
        )
    return list(runs)
