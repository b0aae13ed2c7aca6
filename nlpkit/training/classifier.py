"""A sentiment classifier from its parts to a whole run: base opened, adapter put on, trained, saved, proved and calibrated."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.first_token import first_token_only
from nlpkit.data.examples import LabeledText
from nlpkit.errors import RunError
from nlpkit.metrics.calibration import fit_temperature
from nlpkit.models.lora import add_lora, load_adapter, save_adapter
from nlpkit.models.pretrained import load_classifier, load_tokenizer, pick_device
from nlpkit.run import Run
from nlpkit.settings import Lora
from nlpkit.tasks.task import Task
from nlpkit.training.loaded_base import LoadedBase, public_name, record_of
from nlpkit.training.rows import Rows

TOLERANCE = 1e-3
"""How far the logits of a saved run may lie from those of the model that was trained: float32 rounding of a merge, not more."""


def build(
    base: LoadedBase, task: Task, lora: Lora, *, dropout: float | None, seed: int, freeze: float = 0
) -> Any:
    """The base with a fresh head and LoRA on it, above its frozen layers: the same for the same seed."""
    from transformers import set_seed

    set_seed(seed)
    plain = load_classifier(
        base.folder,
        id2label=task.id2label,
        regression=task.kind == "intensity",
        dropout=dropout,
        pad_id=base.tokenizer.pad_token_id,
    )
    return add_lora(first_token_only(plain), lora, freeze=freeze)


def finish(
    run: Run, model: Any, base: LoadedBase, rows: Rows, *, recipe: str, seed: int, started: float,
    initial: Path | None, fingerprint: str, talk: Callable[[str], None],
) -> Classifier:  # fmt: skip
    """Save the trained model, prove that it comes back as it was, calibrate it, and declare the run whole.

    Raises:
        RunError: what was saved answers otherwise than what was trained.
    """
    import numpy as np

    save_adapter(model, run.adapter, base=public_name(base.identity), initial=initial)
    base.tokenizer.save_pretrained(run.tokenizer)
    saved = _load_saved(run, base, rows.task)
    _prove(model, saved, rows)
    temperature = 1.0
    if rows.task.kind == "polarity":
        truth = np.array([int(rows.task.target(example)[0]) for example in rows.validation])
        temperature = fit_temperature(saved.logits([example.text for example in rows.validation]), truth)
        talk(f"calibrated: temperature {temperature:.2f}")
    record = record_of(
        run, model, base, rows.task.model_dump(mode="json"), recipe=recipe, seed=seed, started=started,
        data={**rows.describe(), "fingerprint": fingerprint},
        outputs=rows.task.outputs, max_tokens=base.window, temperature=temperature,
    )  # fmt: skip
    run.finish(record)
    return Classifier.load(run)


def _load_saved(run: Run, base: LoadedBase, task: Task) -> Classifier:
    tokenizer = load_tokenizer(run.tokenizer)
    plain = load_classifier(
        base.folder,
        id2label=task.id2label,
        regression=task.kind == "intensity",
        pad_id=tokenizer.pad_token_id,
    )
    return Classifier.of_model(
        load_adapter(plain, run.adapter).to(pick_device()), tokenizer, task, max_tokens=base.window
    )


def _prove(model: Any, saved: Classifier, rows: Rows) -> None:
    """Compare trained and saved logits on a few validation texts: a head that is lost or drawn anew shows here."""
    import numpy as np
    import torch

    texts = _short(rows.validation, saved)
    ids = saved.framed(texts)
    model.eval()
    device = next(model.parameters()).device
    with torch.inference_mode():
        trained = np.concatenate(
            [model(input_ids=torch.tensor([one], device=device)).logits.float().cpu().numpy() for one in ids]
        )
    drift = float(np.abs(trained - saved.logits(texts)).max())
    if not drift <= TOLERANCE * max(1.0, float(np.abs(trained).max())):
        found = f"the saved run answers otherwise than the trained model: logits differ by {drift:.2g}"
        raise RunError(f"{found}; expected at most {TOLERANCE}")


def _short(examples: Sequence[LabeledText], saved: Classifier, count: int = 16) -> list[str]:
    """A few texts that fit one window."""
    texts = [example.text[: saved.max_tokens] for example in examples[:count]]
    return [text for text in texts if text.strip()]
