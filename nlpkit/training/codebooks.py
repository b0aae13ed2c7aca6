"""Codebooks where they are used: found by name, and brought into a task."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from nlpkit.config import validate
from nlpkit.data.codebook import Codebook, read_codebook
from nlpkit.data.examples import LabeledText
from nlpkit.errors import ConfigError, nearest
from nlpkit.run import Run
from nlpkit.training.shipped import recipes_folder

AnyTask = TypeVar("AnyTask")


def find_codebook(named: Path | str) -> Codebook:
    """Return the codebook of a file, of a run, or a shipped one, such as `sentiment`.

    Raises:
        ConfigError: it is none of these, or has a problem.
    """
    path = Path(named)
    if path.is_dir():
        if not Run(path).codebook.is_file():
            raise ConfigError(f"{path}: holds no codebook.yaml; hint: name a YAML file")
        return read_codebook(Run(path).codebook)
    shipped = {file.stem: file for file in sorted((recipes_folder() / "codebooks").glob("*.yaml"))}
    if path.suffix or path.exists():
        return read_codebook(path)
    if str(path) not in shipped:
        raise ConfigError(f"{path}: no such file, and no shipped codebook{nearest(str(path), shipped)}")
    return read_codebook(shipped[str(path)])


def with_codebook(task: AnyTask, codebook: Path | str | None) -> AnyTask:
    """Return the task with the labels of a codebook, in its order; without one, the task as it is.

    Raises:
        ConfigError: the task has no labels of its own, or others.
    """
    if codebook is None or not isinstance(task, BaseModel):
        return task
    names = find_codebook(codebook).names
    given = getattr(task, "labels", None)
    if given is None:
        raise ConfigError("task: this task has no labels; hint: leave `codebook` out")
    if given and set(given) != set(names):
        label = next(iter(set(given) ^ set(names)))
        raise ConfigError(
            f"task.labels: {label!r} stands in only one of the config and the codebook {codebook}; "
            "hint: leave `labels` out"
        )
    tree = {**task.model_dump(), "labels": given or names}
    return validate(tree, type(task), where=Path(codebook))


def worded_examples(codebook: Path | str | None) -> tuple[LabeledText, ...]:
    """Return each label's description and examples as texts that have the label; none without a codebook."""
    if codebook is None:
        return ()
    return tuple(
        LabeledText(text=text, label=entry.label, where=f"{codebook}, label {entry.label}")
        for entry in find_codebook(codebook).labels
        for text in (f"{entry.spoken}. {entry.description}".strip(), *entry.examples)
    )
