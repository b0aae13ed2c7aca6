"""A dialogue model from its parts to a whole run: base opened, adapter put on, trained, saved and proved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlpkit.errors import RunError
from nlpkit.models.lora import add_lora, load_adapter, save_adapter
from nlpkit.models.pretrained import load_language_model, load_tokenizer
from nlpkit.prompts.rendering import DEFAULT_TEMPLATE
from nlpkit.prompts.template import ChatTemplate, EncodedDialogue
from nlpkit.run import Run
from nlpkit.settings import LanguageBase, Lora
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.training.loaded_base import LoadedBase, load_base, public_name, record_of
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress

TOLERANCE = 1e-3
"""How far the logits of a saved run may lie from those of the model that was trained, as a share of the largest: rounding, not more."""


def load_chat_base(base: LanguageBase) -> LoadedBase:
    """The base of the config; one that brings no chat template gets a plain one, which the run then keeps.

    Raises:
        RunError, SourceError: it is refused, or cannot be brought here.
        ConfigError: `max_tokens` is more than it reads.
    """
    opened = load_base(base)
    if not opened.tokenizer.chat_template:
        opened.tokenizer.chat_template = DEFAULT_TEMPLATE
    ChatTemplate.of(opened.tokenizer)
    return opened


def build_chat_model(base: LoadedBase, settings: LanguageBase, lora: Lora, *, seed: int) -> Any:
    """The base with LoRA on it: the same for the same seed."""
    from transformers import set_seed

    set_seed(seed)
    plain = load_language_model(base.folder, dropout=settings.dropout, quantize=settings.quantize)
    if settings.quantize != "none":
        from peft import prepare_model_for_kbit_training

        plain = prepare_model_for_kbit_training(plain)
    return add_lora(plain, lora, kind="CAUSAL_LM")


def finish_chat_model(
    job: RunInProgress,
    model: Any,
    base: LoadedBase,
    rows: Rows[Dialogue],
    trained_on: Sequence[EncodedDialogue],
    *,
    initial: Path | None,
    exact: bool = True,
) -> None:
    """Save the trained model, verify on a few rows that it loads as it was, and complete the run.

    `exact` is False where the base was trained in 4 bits: it is served unquantized, so its logits differ by the
    quantization error.

    Raises:
        RunError: what was saved answers differently from what was trained.
    """
    run = job.run
    save_adapter(model, run.adapter, base=public_name(base.identity), initial=initial)
    base.tokenizer.save_pretrained(run.tokenizer)
    if exact:
        _verify(model, run, base, sorted(trained_on, key=lambda row: len(row.input_ids))[:4])
    task = rows.task.model_dump(mode="json")
    run.finish(record_of(job, model, base, task, data=rows.describe(), max_tokens=base.max_tokens))


def _verify(model: Any, run: Run, base: LoadedBase, rows: Sequence[EncodedDialogue]) -> None:
    """Compare the trained model's logits with the saved one's, and the tokenizer that was saved with the one that was used."""
    import torch

    template, saved_template = ChatTemplate.of(base.tokenizer), ChatTemplate.of(load_tokenizer(run.tokenizer))
    if (
        template.content("Is it you?") != saved_template.content("Is it you?")
        or template.closing != saved_template.closing
    ):
        raise RunError(
            f"{run.tokenizer}: the saved tokenizer writes other ids than the one that was trained with"
        )
    model.eval()
    device = next(model.parameters()).device
    saved = load_adapter(load_language_model(base.folder), run.adapter).to(device)
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([row.input_ids], device=device)
            trained, found = model(input_ids=ids).logits.float(), saved(input_ids=ids).logits.float()
            drift = float((trained - found).abs().max() / trained.abs().max().clamp(min=1.0))
            if not drift <= (
                TOLERANCE if trained.device.type == "cpu" else 30 * TOLERANCE
            ):  # bfloat16 keeps 8 bits
                raise RunError(
                    f"the saved run answers otherwise than the trained model: logits differ by {drift:.2g} of their size"
                )
