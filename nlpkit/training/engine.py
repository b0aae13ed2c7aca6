"""A run that a server answers for: rows read, probabilities calibrated where rows are given, and saved."""

from __future__ import annotations

import time
from typing import Annotated

from pydantic import BeforeValidator

from nlpkit.classifiers.engine import Engine, questions_for
from nlpkit.classifiers.engine_runtime import engine_model
from nlpkit.classifiers.runtime import SERVER
from nlpkit.errors import ConfigError
from nlpkit.generation.addresses import public_address
from nlpkit.generation.decision_server import naming_rows
from nlpkit.run import now, versions
from nlpkit.run_record import BaseModelIdentity, RunRecord
from nlpkit.settings import Settings
from nlpkit.settings.data import DataSource, as_sources
from nlpkit.tasks.reading import read_examples
from nlpkit.tasks.task import TextTask
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress


class EngineData(Settings):
    """Labeled rows; none are needed."""

    validation: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources)] = ()
    """Rows that probabilities are calibrated on; without any they are the server's own."""
    test: Annotated[tuple[DataSource, ...], BeforeValidator(as_sources)] = ()
    """Rows to report on."""


def load_engine_rows(task: TextTask, data: EngineData, engine: Engine, *, seed: int) -> Rows[TextTask]:
    """Read the rows, and check that the server can be asked for the task's answers.

    Raises:
        ConfigError: the server's answers are none of the task's, or the config names no labels.
        DataError: a file or a row is wrong.
    """
    parts = {}
    for name, sources in (("validation", data.validation), ("test", data.test)):
        parts[name] = read_examples(task, sources, seed=seed).examples
        task = task.fit(parts[name]) if parts[name] else task
    if len(task.head.names) < 2 and task.head.problem == "single_label_classification":
        raise ConfigError("task.labels: expected the labels; hint: task.labels=[negative, positive]")
    if not parts["validation"] and getattr(task, "learns_outside", True) is False:
        raise ConfigError(
            "task: nothing tells which texts belong to no label; hint: data.validation=FILE, or "
            "task.learns_outside=true, which lets the server answer so"
        )
    questions_for(task, engine)
    return Rows(task=task, train=(), validation=parts["validation"], test=parts["test"], dropped=0)


def engine_lines(engine: Engine, rows: Rows[TextTask]) -> list[str]:
    """Describe what will be asked, for the preflight."""
    questions = questions_for(rows.task, engine)
    calibrated = f"on {len(rows.validation):,} rows" if rows.validation else "no: no data.validation"
    return [
        f"server     {engine.model} at {public_address(engine.address)} ({engine.protocol})",
        f"asked      {len(questions)} questions a text, the first: {questions[0].instructions}",
        f"answers    {', '.join(questions[0].options)}",
        f"calibrated {calibrated}",
    ]


def complete_engine(job: RunInProgress, engine: Engine, rows: Rows[TextTask]) -> None:
    """Calibrate the server's answers on the validation rows, if there are any, and complete the run.

    Raises:
        DecisionError: the server does not answer, or with something else; names file and row.
    """
    task, examples = rows.task, rows.validation
    if examples:
        model = engine_model(engine, task, answers=job.run.answers, name=job.run.name, identity="")
        inputs = [task.input(example) for example in examples]
        with naming_rows((given.text, row.where) for given, row in zip(inputs, examples, strict=True)):
            encoded = model.encode(inputs)
            task = task.calibrate(model.logits_of(encoded), examples, encoded)
        if task.family.calibration:
            job.options.talk(f"calibrated: {task.family.calibration}")
    source = f"{public_address(engine.address)}#{engine.model}"
    job.run.finish(
        RunRecord(
            name=job.run.name,
            recipe=job.recipe,
            created=now(),
            task=task.model_dump(mode="json"),
            base=BaseModelIdentity(source=source, revision=None, weights_sha256="", tokenizer_sha256=""),
            outputs=task.head.outputs,
            max_tokens=engine.characters,
            seed=job.seed,
            data={**rows.describe(), "fingerprint": job.fingerprint},
            cost={"train_seconds": round(time.monotonic() - job.started, 1), "device": SERVER},
            versions=versions(),
            engine=engine.model_dump(mode="json"),
        )
    )
