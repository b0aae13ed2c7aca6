"""A run's classifier brought into memory by torch, its base checked to be the one that it was trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nlpkit.files import sha256_of
from nlpkit.models.lora import WEIGHTS, load_adapter
from nlpkit.models.pretrained import (
    find_base,
    load_classifier,
    load_tokenizer,
    pick_device,
    refuse_other_base,
    source_of,
)
from nlpkit.run import Run
from nlpkit.tasks.task import text_task_from


def default_run() -> Run:
    """The run that the package carries: three classes, trained on reviews and tweets."""
    return Run.open(Path(__file__).parent.parent / "default")


def identity_of(run: Run) -> str:
    """A hash of all that a run's answers depend on: adapter and head, task, base, tokenizer."""
    return sha256_of([run.adapter / WEIGHTS, run.marker, *sorted(run.tokenizer.glob("*.json"))])


def load_model(run: Run) -> tuple[Any, Any]:
    """A run's model, its adapter merged, on the fastest device here, and its tokenizer.

    Raises:
        RunError: its base, tokenizer or adapter is not the one that it was trained with.
        SourceError: its base cannot be brought here.
    """
    record = run.read()
    task = text_task_from(record.task)
    folder, base = find_base(source_of(record.base))
    refuse_other_base(run.path, record.base, base)
    tokenizer = load_tokenizer(run.tokenizer)
    plain = load_classifier(folder, head=task.head, pad_id=tokenizer.pad_token_id)
    return load_adapter(plain, run.adapter).to(pick_device()), tokenizer
