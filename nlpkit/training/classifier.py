"""A classifier from its parts to a completed run: base loaded, adapter added, trained, saved, verified and
calibrated.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nlpkit.classifiers.classifier import Classifier
from nlpkit.classifiers.first_token import first_token_only
from nlpkit.classifiers.picture_model import PictureModel
from nlpkit.classifiers.torch_runtime import TorchRuntime
from nlpkit.data.examples import TextInput
from nlpkit.errors import RunError
from nlpkit.models.lora import add_lora, load_adapter, save_adapter, targets_of
from nlpkit.models.pretrained import load_classifier, load_tokenizer, pick_device
from nlpkit.reports.privacy import privacy_words
from nlpkit.run import Run
from nlpkit.settings.training import Lora
from nlpkit.tasks.task import TextTask
from nlpkit.training.loaded_base import LoadedBase, public_name, record_of
from nlpkit.training.private import PrivateTraining
from nlpkit.training.private_gates import refuse_majority, refuse_unmoved
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress

if TYPE_CHECKING:
    from numpy.typing import NDArray

TOLERANCE = 1e-3
"""How far the logits of a saved run may lie from those of the model that was trained: float32 rounding of
a merge, not more."""


def build(
    base: LoadedBase, task: TextTask, lora: Lora, *, dropout: float | None, seed: int, freeze: float = 0
) -> Any:
    """Return the base with a fresh head and LoRA on it, above its frozen layers: the same for the same
    seed.
    """
    from transformers import set_seed

    set_seed(seed)
    plain = _fresh(base, task, base.tokenizer, dropout=dropout)
    if base.vision and not base.vision.learns:
        words = [name for name in targets_of(plain, lora) if name.startswith("body.text.")]
        lora = lora.model_copy(update={"targets": tuple(words)})
    kind: Literal["SEQ_CLS", "TOKEN_CLS"] = "TOKEN_CLS" if task.head.level == "token" else "SEQ_CLS"
    return add_lora(first_token_only(plain), lora, kind=kind, freeze=freeze)


def _fresh(base: LoadedBase, task: TextTask, tokenizer: Any, *, dropout: float | None = None) -> Any:
    """Load the base with a head that is drawn at random."""
    settings: dict[str, Any] = {
        "head": task.head, "layers": base.identity.layers, "dropout": dropout,
        "pad_id": tokenizer.pad_token_id,
    }  # fmt: skip
    if base.vision:
        from nlpkit.models.picture_classifier import load_picture_classifier

        fusion = base.vision.vision.fusion
        return load_picture_classifier(base.folder, base.vision.folder, fusion=fusion, **settings)
    return load_classifier(base.folder, mean_pooled=base.mean_pooled, **settings)


@dataclass(frozen=True, kw_only=True)
class Held:
    """Examples, and the logits of models that were trained without them."""

    examples: Sequence[Any]
    logits: NDArray[Any]


def finish(
    job: RunInProgress,
    model: Any,
    base: LoadedBase,
    rows: Rows[TextTask],
    *,
    initial: Path | None,
    held: Held | None = None,
    private: PrivateTraining | None = None,
) -> None:
    """Save the trained model, verify that it loads as it was, calibrate it, and complete the run.

    It is calibrated on its answers to the validation rows, or on `held`.

    Raises:
        RunError: what was saved answers differently from what was trained; or a private training changed
            nothing, or learned no more than the commonest label.
    """
    run = job.run
    if private:
        refuse_unmoved(private.before, model)
    save_adapter(model, run.adapter, base=public_name(base.identity), initial=initial)
    base.tokenizer.save_pretrained(run.tokenizer)
    saved = _load_saved(run, base, rows.task)
    inputs = [rows.task.input(example) for example in (held.examples if held else rows.validation)]
    _verify(model, saved, inputs)
    encoded = saved.encode(inputs)
    if held:
        task = rows.task.calibrate(held.logits, held.examples, encoded)
    else:
        logits = saved.model.logits_of(encoded)
        if private:
            truth = [
                int(rows.task.family.target(*pair)[0]) for pair in zip(rows.validation, encoded, strict=True)
            ]
            job.options.talk(f"private    {refuse_majority(logits.argmax(1).tolist(), truth)}")
        task = rows.task.calibrate(logits, rows.validation, encoded)
    if task.family.calibration:
        job.options.talk(f"calibrated: {task.family.calibration}")
    described, outputs = task.model_dump(mode="json"), task.head.outputs
    record = record_of(
        job, model, base, described, data=rows.describe(), outputs=outputs, max_tokens=base.window
    )
    if private:
        record = record.model_copy(update={"privacy": private.record()})
        job.options.talk(f"private    {privacy_words(record.privacy)}")
    job.complete(record, rows.texts)


def _load_saved(run: Run, base: LoadedBase, task: TextTask) -> Classifier:
    tokenizer = load_tokenizer(run.tokenizer)
    model = load_adapter(_fresh(base, task, tokenizer), run.adapter).to(pick_device())
    seen = {"vision": base.vision.vision} if base.vision else {}
    return Classifier.of_model(model, tokenizer, task, max_tokens=base.window, **seen)


def _verify(model: Any, saved: Classifier, inputs: Sequence[TextInput]) -> None:
    """Compare trained and saved logits on a few texts: a head that is lost or drawn anew shows
    here.
    """
    import numpy as np

    inputs = _short(inputs, saved)
    trained = _trained_logits(model, saved, inputs)
    difference = float(np.abs(trained - saved.logits(inputs)).max())
    if not difference <= TOLERANCE * max(1.0, float(np.abs(trained).max())):
        raise RunError(
            f"the saved run answers differently from the trained model: logits differ by {difference:.2g}; "
            f"expected at most {TOLERANCE}"
        )


def _trained_logits(model: Any, saved: Classifier, inputs: Sequence[TextInput]) -> NDArray[Any]:
    """Return the logits of the model that was trained."""
    import numpy as np
    import torch

    if isinstance(saved.model, PictureModel):
        as_trained = copy(saved.model)
        as_trained.runtime = TorchRuntime(model.get_base_model(), name="trained")
        return as_trained.logits(inputs)
    device = next(model.parameters()).device
    ids = [torch.tensor([encoded.windows[0]], device=device) for encoded in saved.encode(inputs)]
    frame = saved.model.tokenizer.frame
    model.eval()
    with torch.inference_mode():
        outputs = [
            model(input_ids=row, attention_mask=torch.ones_like(row)).logits.float().cpu().numpy()
            for row in ids
        ]
    if saved.task.head.level == "token":
        before, after = len(frame.before), len(frame.after)
        outputs = [logits[0, before : logits.shape[1] - after] for logits in outputs]
    return np.concatenate(outputs)


def _short(inputs: Sequence[TextInput], saved: Classifier) -> list[TextInput]:
    """Return a few inputs, their texts cut, that fit one window."""
    readable = [given for given in inputs if given.text.strip() or given.picture][:16]
    cut = [replace(given, text=given.text[: saved.max_tokens]) for given in readable]
    return [given for given, encoded in zip(cut, saved.encode(cut), strict=True) if len(encoded.windows) == 1]
