"""Measure a run on held-out data, whatever its task is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from nlpkit.config import validate
from nlpkit.errors import ConfigError, nearest
from nlpkit.evaluation.evaluate import evaluate as evaluate_source
from nlpkit.reports.report import Report
from nlpkit.run import Run
from nlpkit.settings import Settings
from nlpkit.settings.training import DialogueEvaluation
from nlpkit.tasks.task import Task, task_from


def evaluate(
    run: Run | Path | str,
    source: Settings | Path | str,
    *,
    baseline: Run | Path | str | None = None,
    talk: Callable[[str], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    **fields: Any,
) -> Report:
    """Measure a run on held-out data, and write the report into the run.

        nlpkit.evaluate("runs/mine", "held-out.csv", label="stars", baseline="runs/older")
        nlpkit.evaluate("runs/chat", "chats.jsonl", bot="second", items=200)

    Args:
        run: a completed run, or its folder.
        source: a file, a folder, `hub:org/name`, a catalog name, or a `DataSource` or `ConversationSource`.
        baseline: a run to compare with on the same data; for a chat model the default is its base.
        talk: gets lines for people.
        progress: gets how much is done, and how much there is.
        fields: settings of the data source that the run's task has, such as `label` or `bot`; of a chat model
            also those of its evaluation, such as `items`.

    Raises:
        ConfigError: a field means nothing to the task, or has an invalid value.
        DataError: a file or a row is wrong, or there is nothing to measure on.
        RunError: a run is refused.
    """
    opened, compared = _opened(run), None if baseline is None else _opened(baseline)
    task = task_from(opened.read().task)
    evaluation = DialogueEvaluation.model_fields if task.family.served_by == "chat model" else {}
    _refuse_unknown(opened, task, fields, evaluation)
    data = _source(task, source, {name: fields[name] for name in fields if name not in evaluation})
    given = {name: fields[name] for name in fields if name in evaluation}
    settings = validate(given, DialogueEvaluation, where=Path(data.source))
    report: Report = evaluate_source(
        opened,
        data,
        baseline=compared,
        settings=settings,
        talk=talk or (lambda line: None),
        progress=progress,
    )
    return report


def _opened(run: Run | Path | str) -> Run:
    return run if isinstance(run, Run) else Run.open(run)


def _refuse_unknown(run: Run, task: Task, fields: Collection[str], evaluation: Collection[str]) -> None:
    known = [*task.source_settings.model_fields, *evaluation]
    for name in fields:
        if name not in known:
            raise ConfigError(f"{run.path}: its task {task.kind!r} has no {name!r}{nearest(name, known)}")


def _source(task: Task, source: Settings | Path | str, fields: Mapping[str, Any]) -> Any:
    if not isinstance(source, Settings):
        return validate({**fields, "source": str(source)}, task.source_settings, where=Path(str(source)))
    if not fields:
        return source
    tree = {**source.model_dump(exclude_unset=True), **fields}
    return validate(tree, type(source), where=Path(str(tree["source"])))
