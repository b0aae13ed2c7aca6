"""Bring a run's classifier or an export into memory; only on the base that it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlpkit.classifiers.export_record import ExportRecord
from nlpkit.classifiers.picture_model import PictureModel
from nlpkit.classifiers.runtimes import EXPORTS, REFERENCE, RUNTIMES
from nlpkit.classifiers.text_model import TextModel, usable_cores
from nlpkit.classifiers.text_tokenizer import TextTokenizer
from nlpkit.errors import RunError
from nlpkit.files import sha256_of
from nlpkit.models.adapter import WEIGHTS
from nlpkit.models.bases import find_base, source_of
from nlpkit.models.label_readers import LABEL_WEIGHTS, load_reader
from nlpkit.models.lora import load_adapter
from nlpkit.models.pretrained import load_classifier, load_tokenizer, pick_device
from nlpkit.models.run_base import find_run_base, refuse_other_base
from nlpkit.models.vision import Vision
from nlpkit.run import PACKAGE, Run
from nlpkit.run_record import RunRecord
from nlpkit.tasks.task import TextTask, text_task_from


def default_run() -> Run:
    """Return the run of the built-in classifier: three classes, trained on reviews and tweets."""
    return Run.open(PACKAGE / "default")


def identity_of(run: Run) -> str:
    """Return a hash of all that a run's answers depend on: adapter and head, task, base, tokenizer."""
    labels = [run.adapter / WEIGHTS, run.reader / LABEL_WEIGHTS]
    weights = [file for file in labels if file.is_file()]
    return sha256_of([*weights, run.marker, *sorted(run.tokenizer.glob("*.json"))])


def load_model(run: Run) -> tuple[Any, Any]:
    """Return a run's model, its adapter merged, on the fastest device here, and its tokenizer.

    Raises:
        RunError: its base, tokenizer or adapter is not the one that it was trained with, or a server answers
            for it.
        SourceError: its base cannot be brought here.
    """
    record = run.read_verified()
    if record.cascade:
        raise RunError(
            f"{run.path}: a cascade of two runs, which is no single model; hint: name one of them: "
            f"{run.members[1]}"
        )
    if record.engine:
        raise RunError(
            f"{run.path}: a server answers for it, so that there is no model to load; "
            f"hint: train a model of your own on its answers: nlpkit train CONFIG with `teacher: {run.path}`"
        )
    task = text_task_from(record.task)
    folder = find_run_base(run, record, outputs=task.head.outputs)
    tokenizer = load_tokenizer(run.tokenizer)
    if record.vision:
        return _load_picture_model(run, record, folder, task, tokenizer), tokenizer
    if record.reader is not None:
        return load_reader(run, record, folder, tokenizer), tokenizer
    plain = load_classifier(
        folder,
        head=task.head,
        layers=record.base.layers,
        pad_id=tokenizer.pad_token_id,
        mean_pooled=record.mean_pooled,
    )
    return load_adapter(plain, run.adapter).to(pick_device()), tokenizer


def _load_picture_model(run: Run, record: RunRecord, folder: Path, task: TextTask, tokenizer: Any) -> Any:
    from nlpkit.models.picture_classifier import load_picture_classifier

    vision = Vision.model_validate(record.vision)
    seen, base = find_base(source_of(vision.base))
    refuse_other_base(run.path, vision.base, base)
    plain = load_picture_classifier(
        folder,
        seen,
        fusion=vision.fusion,
        head=task.head,
        layers=record.base.layers,
        pad_id=tokenizer.pad_token_id,
    )
    return load_adapter(plain, run.adapter).to(pick_device())


def text_model_of(
    model: Any,
    tokenizer: Any,
    task: TextTask,
    *,
    runtime: str = REFERENCE,
    threads: int | None = None,
    **settings: Any,
) -> TextModel:
    """Return the text model of a transformers model and tokenizer; `settings` are those of TextModel, and
    `vision` for a model that reads pictures.
    """
    row, threads = RUNTIMES[runtime], threads or usable_cores()
    kind = PictureModel if settings.get("vision") else TextModel
    return kind(
        row.open(row, model, threads),
        TextTokenizer.of(tokenizer),
        task,
        threads=threads,
        **settings,
    )


def load_run(run: Run, *, runtime: str = REFERENCE, threads: int | None = None) -> TextModel:
    """Load a run for a runtime that computes with the run's own model.

    Raises:
        RunError: its base, tokenizer or adapter is not the one that it was trained with.
        SourceError: its base cannot be brought here.
    """
    record = run.read()
    model, tokenizer = load_model(run)
    return text_model_of(
        model,
        tokenizer,
        text_task_from(record.task),
        runtime=runtime,
        threads=threads,
        max_tokens=record.max_tokens,
        name=run.name,
        identity=identity_of(run),
        **({"vision": Vision.model_validate(record.vision)} if record.vision else {}),
    )


def load_export(folder: Path, *, threads: int | None = None) -> TextModel:
    """Load an export; torch is imported only where the export needs it.

    Raises:
        RunError: it is damaged.
        ConfigError: its runtime is not installed.
    """
    record = ExportRecord.read(folder)
    row, threads = EXPORTS[record.form], threads or usable_cores()
    return TextModel(
        row.open(row, folder, threads),
        TextTokenizer.read(folder, frame=record.frame, pad_id=record.pad_id),
        text_task_from(record.task),
        max_tokens=record.max_tokens,
        threads=threads,
        name=record.name,
        identity=f"{record.run} {record.weights_sha256}",
    )
