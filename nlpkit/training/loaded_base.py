"""A base model opened for training, and the record that a training leaves."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlpkit.errors import ConfigError
from nlpkit.models.bases import find_base
from nlpkit.models.emoji_names import with_emoji_names
from nlpkit.models.pretrained import depth_of, load_tokenizer, pick_device, quiet, window_of
from nlpkit.models.vision import Vision
from nlpkit.run import Run, now, versions
from nlpkit.run_record import BaseModelIdentity, RunRecord
from nlpkit.settings.training import Base, EncoderBase, Lora
from nlpkit.training.runs import RunInProgress


@dataclass(frozen=True, kw_only=True)
class LoadedVision:
    """A vision transformer on this machine."""

    folder: Path
    vision: Vision
    learns: bool
    """Whether LoRA is added to it too; else it stays as it is."""


@dataclass(frozen=True, kw_only=True)
class LoadedBase:
    """A base model on this machine: its folder, identity, tokenizer and window."""

    folder: Path
    identity: BaseModelIdentity
    tokenizer: Any
    window: int
    """The most tokens that the model reads at once."""
    max_tokens: int
    """Tokens that training texts are cut to."""
    mean_pooled: bool = False
    """Whether a classifier's head reads the mean of all tokens."""
    vision: LoadedVision | None = None
    """What reads the pictures; None where there are none."""


def load_base(base: Base) -> LoadedBase:
    """Load the config's base.

    Raises:
        RunError, SourceError: the base is refused, or can't be fetched.
        ConfigError: `max_tokens` is more than the model's window.
    """
    folder, identity = find_base(base.source)
    tokenizer = load_tokenizer(folder)
    window = window_of(folder, tokenizer)
    if base.max_tokens and base.max_tokens > window:
        raise ConfigError(f"base.max_tokens: {base.max_tokens}; {base.source} reads at most {window} tokens")
    return LoadedBase(
        folder=folder,
        identity=identity,
        tokenizer=tokenizer,
        window=window,
        max_tokens=base.max_tokens or window,
    )


def load_classifier_base(base: Base, *, mean_pooled: bool = False) -> LoadedBase:
    """Load the config's base as `load_base` does; it reads emoji by name where it does not know them.

    Raises:
        ConfigError: it has fewer layers than are asked for.
    """
    loaded = load_base(base)
    layers = base.layers if isinstance(base, EncoderBase) else None
    if layers is not None and layers > (most := depth_of(loaded.folder)):
        raise ConfigError(f"base.layers: {layers}; {base.source} has {most}")
    return replace(
        loaded,
        identity=loaded.identity.model_copy(update={"layers": layers}),
        tokenizer=with_emoji_names(loaded.tokenizer),
        mean_pooled=mean_pooled,
    )


def count_weights(model: Any) -> tuple[int, int]:
    """Return how many weights are trained, and how many there are."""
    weights = list(model.parameters())
    return sum(weight.numel() for weight in weights if weight.requires_grad), sum(
        weight.numel() for weight in weights
    )


def save_initial(model: Any, run: Run, lora: Lora) -> Path | None:
    """Save PiSSA's untrained state, which makes plain LoRA of it later; return None for other adapters."""
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
    """Return the most memory that this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))


def public_name(identity: BaseModelIdentity) -> str:
    """Return the name by which plain PEFT finds the base: its id on the Hub if it has one."""
    from nlpkit.sources import hub_id

    if identity.adapted_from is not None:
        return str(Run(Path(identity.source)).base)
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
        mean_pooled=base.mean_pooled,
        vision=base.vision.vision.model_dump(mode="json") if base.vision else {},
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
