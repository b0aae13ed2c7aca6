"""A base model opened for training, and what every recipe does around a training: count, remember, record."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.errors import ConfigError
from nlpkit.models.pretrained import find_base, load_tokenizer, pick_device, quiet, window_of
from nlpkit.run import BaseModelIdentity, Run, RunRecord, now, versions
from nlpkit.settings import Base, Lora
from nlpkit.training.runs import RunInProgress


@dataclass(frozen=True, kw_only=True)
class LoadedBase:
    """A base model on this machine: its folder, who it is, its tokenizer and its window."""

    folder: Path
    identity: BaseModelIdentity
    tokenizer: Any
    window: int
    """Tokens that the model reads at once."""
    max_tokens: int
    """Tokens that training texts are cut to."""


def load_base(base: Base) -> LoadedBase:
    """The base of the config.

    Raises:
        RunError, SourceError: it is refused, or cannot be brought here.
        ConfigError: `max_tokens` is more than it reads.
    """
    folder, identity = find_base(base.source)
    tokenizer = load_tokenizer(folder)
    window = window_of(folder, tokenizer)
    if base.max_tokens and base.max_tokens > window:
        raise ConfigError(f"base.max_tokens: {base.max_tokens}; {base.source} reads {window} tokens at most")
    return LoadedBase(
        folder=folder,
        identity=identity,
        tokenizer=tokenizer,
        window=window,
        max_tokens=base.max_tokens or window,
    )


def count_weights(model: Any) -> tuple[int, int]:
    """How many weights are trained, and how many there are."""
    return sum(one.numel() for one in model.parameters() if one.requires_grad), sum(
        one.numel() for one in model.parameters()
    )


def save_initial(model: Any, run: Run, lora: Lora) -> Path | None:
    """PiSSA's untrained state, which turns it back into plain LoRA when it is saved; None for other adapters."""
    if lora.init != "pissa":
        return None
    folder = run.checkpoints / "initial"
    settings = model.peft_config["default"]
    settings.init_lora_weights = True
    with quiet():
        model.save_pretrained(folder, safe_serialization=True)
    settings.init_lora_weights = "pissa"
    return folder


def peak_memory_mb() -> int:
    """The most memory that this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))


def public_name(identity: BaseModelIdentity) -> str:
    """The name that plain PEFT finds the base by: its id on the hub where it has one."""
    from nlpkit.sources import hub_id

    return hub_id(identity.source) or identity.source


def record_of(
    job: RunInProgress,
    model: Any,
    base: LoadedBase,
    task: dict[str, Any],
    *,
    data: Mapping[str, Any],
    max_tokens: int,
    outputs: int | None = None,
) -> RunRecord:
    """Return what `run.json` holds of a training that ends now."""
    trainable, total = count_weights(model)
    return RunRecord(
        name=job.run.name,
        recipe=job.recipe,
        created=now(),
        task=task,
        base=base.identity,
        outputs=outputs,
        max_tokens=max_tokens,
        seed=job.seed,
        data={**data, "fingerprint": job.fingerprint},
        cost={
            "train_seconds": round(time.monotonic() - job.started, 1),
            "peak_memory_mb": peak_memory_mb(),
            "device": str(pick_device()),
            "trainable_parameters": trainable,
            "total_parameters": total,
        },
        versions=versions(),
    )
