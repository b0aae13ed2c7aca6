"""A sentiment classifier from its parts to a whole run: base opened, adapter put on, trained, saved, proved and calibrated."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.data.examples import LabeledText
from nlpkit.errors import ConfigError, RunError
from nlpkit.evaluation.calibration import fit_temperature
from nlpkit.inference.classifier import Classifier
from nlpkit.models.lora import add_lora, load_adapter, save_adapter
from nlpkit.models.pretrained import find_base, load_classifier, load_tokenizer, pick_device, quiet, window_of
from nlpkit.run import BaseModelIdentity, Run, RunRecord, now, versions
from nlpkit.settings import Base, Lora
from nlpkit.tasks.encoding import Frame
from nlpkit.tasks.task import Task
from nlpkit.training.rows import Rows

TOLERANCE = 1e-3
"""How far the logits of a saved run may lie from those of the model that was trained: float32 rounding of a merge, not more."""


@dataclass(frozen=True, kw_only=True)
class OpenBase:
    """A base model on this machine: its folder, who it is, its tokenizer and its window."""

    folder: Path
    identity: BaseModelIdentity
    tokenizer: Any
    window: int
    """Tokens that the model reads at once."""
    max_tokens: int
    """Tokens that training texts are cut to."""


def open_base(base: Base) -> OpenBase:
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
    return OpenBase(folder=folder, identity=identity, tokenizer=tokenizer, window=window, max_tokens=base.max_tokens or window)


def build(base: OpenBase, task: Task, lora: Lora, *, dropout: float | None, seed: int) -> Any:
    """The base with a fresh head and LoRA on it: the same for the same seed."""
    from transformers import set_seed

    set_seed(seed)
    plain = load_classifier(
        base.folder, id2label=task.id2label, regression=task.kind == "intensity", dropout=dropout, pad_id=base.tokenizer.pad_token_id
    )
    return add_lora(plain, lora)


def count_weights(model: Any) -> tuple[int, int]:
    """How many weights are trained, and how many there are."""
    return sum(one.numel() for one in model.parameters() if one.requires_grad), sum(one.numel() for one in model.parameters())


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


def finish(
    run: Run, model: Any, base: OpenBase, rows: Rows, *, recipe: str, seed: int, started: float,
    initial: Path | None, fingerprint: str, talk: Callable[[str], None],
) -> Classifier:  # fmt: skip
    """Save the trained model, prove that it comes back as it was, calibrate it, and declare the run whole.

    Raises:
        RunError: what was saved answers otherwise than what was trained.
    """
    import numpy as np

    save_adapter(model, run.adapter, base=_public_name(base.identity), initial=initial)
    base.tokenizer.save_pretrained(run.tokenizer)
    saved = _load_saved(run, base, rows.task)
    _prove(model, saved, rows)
    temperature = 1.0
    if rows.task.kind == "polarity":
        truth = np.array([int(rows.task.target(example)[0]) for example in rows.validation])
        temperature = fit_temperature(saved.logits([example.text for example in rows.validation]), truth)
        talk(f"calibrated: temperature {temperature:.2f}")
    trainable, total = count_weights(model)
    record = RunRecord(
        name=run.name,
        recipe=recipe,
        created=now(),
        task=rows.task.model_dump(mode="json"),
        base=base.identity,
        outputs=rows.task.outputs,
        max_tokens=base.window,
        temperature=temperature,
        seed=seed,
        data={**rows.describe(), "fingerprint": fingerprint},
        cost={
            "train_seconds": round(time.monotonic() - started, 1),
            "peak_memory_mb": peak_memory_mb(),
            "device": str(pick_device()),
            "trainable_parameters": trainable,
            "total_parameters": total,
        },
        versions=versions(),
    )
    run.finish(record)
    return Classifier.load(run)


def is_main_process() -> bool:
    """Whether this process is the one that writes: the only one, or the first of several that train together."""
    return os.environ.get("RANK", "0") == "0"


def peak_memory_mb() -> int:
    """The most memory that this process has held so far, in MB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1e6 if sys.platform == "darwin" else 1e3))


def _public_name(identity: BaseModelIdentity) -> str:
    """The name that plain PEFT finds the base by: its id on the hub where it has one."""
    from nlpkit.sources import hub_id

    return hub_id(identity.source) or identity.source


def _load_saved(run: Run, base: OpenBase, task: Task) -> Classifier:
    tokenizer = load_tokenizer(run.tokenizer)
    plain = load_classifier(base.folder, id2label=task.id2label, regression=task.kind == "intensity", pad_id=tokenizer.pad_token_id)
    return Classifier(load_adapter(plain, run.adapter).to(pick_device()), tokenizer, task, max_tokens=base.window)


def _prove(model: Any, saved: Classifier, rows: Rows) -> None:
    """Compare trained and saved logits on a few validation texts: a head that is lost or drawn anew shows here."""
    import numpy as np
    import torch

    texts = _short(rows.validation, saved)
    ids = [Frame.of(saved.tokenizer).around(one) for one in saved.tokenizer(texts, add_special_tokens=False)["input_ids"]]
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        trained = np.concatenate([model(input_ids=torch.tensor([one], device=device)).logits.float().cpu().numpy() for one in ids])
    drift = float(np.abs(trained - saved.logits(texts)).max())
    if not drift <= TOLERANCE * max(1.0, float(np.abs(trained).max())):
        found = f"the saved run answers otherwise than the trained model: logits differ by {drift:.2g}"
        raise RunError(f"{found}; expected at most {TOLERANCE}")


def _short(examples: Sequence[LabeledText], saved: Classifier, count: int = 16) -> list[str]:
    """A few texts that fit one window."""
    texts = [example.text[: saved.max_tokens] for example in examples[:count]]
    return [text for text in texts if text.strip()]
