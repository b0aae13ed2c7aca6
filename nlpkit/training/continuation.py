"""Further training of a dialogue run: load its adapter, then save, verify and record the new run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.data.preferences import Preference, RatedReply
from nlpkit.errors import ConfigError, RunError
from nlpkit.files import sha256_of
from nlpkit.generation.language_model import LanguageModel
from nlpkit.generation.promoted import FILE, promoted_run
from nlpkit.models.lora import load_adapter, load_trainable, save_adapter
from nlpkit.models.pretrained import (
    load_language_model,
    load_tokenizer,
    pick_device,
    window_of,
)
from nlpkit.models.run_base import find_run_base
from nlpkit.run import Run
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.tasks.task import chat_task_from
from nlpkit.training.loaded_base import LoadedBase, public_name, record_of
from nlpkit.training.preferences import PreferenceRows
from nlpkit.training.runs import RunInProgress

TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2}
"""The largest difference in nats per token between a saved run and the trained model: rounding only."""

VERIFIED_ROWS = 4
"""Held-out rows on which the saved run is compared with the trained model."""


@dataclass(frozen=True, kw_only=True)
class StartingRun:
    """A completed run that a training starts from, on the base model that it was trained on."""

    run: Run
    task: Dialogue
    base: LoadedBase

    @property
    def identity(self) -> dict[str, str]:
        """The run's path and its adapter's hash, for the new run's record."""
        return {
            "run": str(self.run.path),
            "adapter_sha256": sha256_of(sorted(self.run.adapter.glob("*.safetensors"))),
        }

    def max_tokens(self, asked: int | None) -> int:
        """Return the most tokens that a history and its reply may have together.

        Raises:
            ConfigError: it is more than the chat model's window.
        """
        if asked and asked > self.base.max_tokens:
            raise ConfigError(
                f"training.max_tokens: {asked};"
                f" the chat model of {self.run.path} reads at most {self.base.max_tokens} tokens"
            )
        return asked or self.base.max_tokens


def open_start(path: Path) -> StartingRun:
    """Open the dialogue run at a path, or the one that a `promoted.json` names.

    Raises:
        RunError: it is no completed dialogue run, or its base has changed since.
        SourceError: its base can't be fetched.
    """
    run = promoted_run(path) if path.name == FILE else Run.open(path)
    read = run.read_verified()
    try:
        task = chat_task_from(read.task)
    except RunError as error:
        raise RunError(f"{run.path}: {error} to start from") from None
    folder = find_run_base(run, read)
    tokenizer = load_tokenizer(run.tokenizer)
    window = window_of(folder, tokenizer)
    base = LoadedBase(
        folder=folder, identity=read.base, tokenizer=tokenizer, window=window, max_tokens=read.max_tokens
    )
    return StartingRun(run=run, task=task, base=base)


def open_model(start: StartingRun) -> Any:
    """Load the base with the run's adapter, which can be trained."""
    return load_trainable(load_language_model(start.base.folder), start.run.adapter).to(pick_device())


def save(run: Run, model: Any, start: StartingRun, held: Sequence[Preference]) -> LanguageModel:
    """Save the trained model, load it as it will be served, and verify that both answer alike.

    Raises:
        RunError: the saved run gives other answers than the trained model.
    """
    save_adapter(model, run.adapter, base=public_name(start.base.identity), initial=None)
    start.base.tokenizer.save_pretrained(run.tokenizer)
    trained = LanguageModel(model, start.base.tokenizer, start.task, window=start.base.max_tokens)
    expected = [_mean(trained, row) for row in held[:VERIFIED_ROWS]]
    kind = str(trained.model.dtype).removeprefix("torch.")
    plain = load_adapter(load_language_model(start.base.folder), run.adapter).to(pick_device())
    saved = LanguageModel(
        plain, load_tokenizer(run.tokenizer), start.task, window=start.base.max_tokens, name=run.name
    )
    difference = max(abs(mean - _mean(saved, row)) for mean, row in zip(expected, held, strict=False))
    if not difference <= TOLERANCE.get(kind, TOLERANCE["bfloat16"]):
        raise RunError(
            "the saved run gives other answers than the trained model:"
            f" they differ by {difference:.2g} nats per token"
        )
    return saved


def record(job: RunInProgress, model: Any, start: StartingRun, rows: PreferenceRows, comparison: Any) -> None:
    """Write `run.json`, which completes the run."""
    data = {
        **rows.describe(),
        "method": rows.method,
        "comparison": comparison.model_dump(mode="json"),
        "parent": start.identity,
    }
    task, window = start.task.model_dump(mode="json"), start.base.max_tokens
    made = record_of(job, model, start.base, task, data=data, max_tokens=window)
    job.complete(made, rows.texts, parent=start.run)


def _mean(model: LanguageModel, row: Preference) -> float:
    reply = row.reply if isinstance(row, RatedReply) else row.chosen
    return model.log_likelihoods(row.history, [reply])[0].mean
