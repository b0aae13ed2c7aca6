"""A chat model, from its base and a LoRA adapter to a completed run that is verified."""

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
from nlpkit.settings.training import LanguageBase, Lora
from nlpkit.tasks.dialogue import Dialogue
from nlpkit.training.loaded_base import LoadedBase, load_base, public_name, record_of
from nlpkit.training.rows import Rows
from nlpkit.training.runs import RunInProgress

TOLERANCE = 1e-3
"""The largest difference of logits between a saved run and the trained model, as a share of the largest.

It allows for rounding only.
"""


def load_chat_base(base: LanguageBase) -> LoadedBase:
    """Load the config's base model and its tokenizer.

    A tokenizer without a chat template gets the default one, which is saved with the run.

    Raises:
        RunError, SourceError: the base is refused, or can't be fetched.
        ConfigError: `max_tokens` is more than the model's window.
    """
    loaded = load_base(base)
    if not loaded.tokenizer.chat_template:
        loaded.tokenizer.chat_template = DEFAULT_TEMPLATE
    ChatTemplate.of(loaded.tokenizer)
    return loaded


def build_chat_model(base: LoadedBase, settings: LanguageBase, lora: Lora, *, seed: int) -> Any:
    """Return the base model with a LoRA adapter, initialized from the seed."""
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
    """Save the trained model, verify on a few rows that it loads unchanged, and complete the run.

    `exact` is False where the base was trained in 4 bits: it is served unquantized, so its logits differ by
    the quantization error.

    Raises:
        RunError: the saved run gives other answers than the trained model.
    """
    run = job.run
    save_adapter(model, run.adapter, base=public_name(base.identity), initial=initial)
    base.tokenizer.save_pretrained(run.tokenizer)
    if exact:
        _verify(model, run, base, sorted(trained_on, key=lambda row: len(row.input_ids))[:4])
    task = rows.task.model_dump(mode="json")
    record = record_of(job, model, base, task, data=rows.describe(), max_tokens=base.max_tokens)
    job.complete(record, rows.texts)


def _verify(model: Any, run: Run, base: LoadedBase, rows: Sequence[EncodedDialogue]) -> None:
    """Verify that the saved tokenizer and the saved adapter compute what the trained ones do."""
    import torch

    template, saved_template = ChatTemplate.of(base.tokenizer), ChatTemplate.of(load_tokenizer(run.tokenizer))
    if (
        template.content("Is it you?") != saved_template.content("Is it you?")
        or template.closing != saved_template.closing
    ):
        raise RunError(
            f"{run.tokenizer}: the saved tokenizer produces other ids than the one used in training"
        )
    model.eval()
    device = next(model.parameters()).device
    saved = load_adapter(load_language_model(base.folder), run.adapter).to(device)
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([row.input_ids], device=device)
            expected, actual = model(input_ids=ids).logits.float(), saved(input_ids=ids).logits.float()
            difference = float((expected - actual).abs().max() / expected.abs().max().clamp(min=1.0))
            # bfloat16 keeps 8 bits
            tolerance = TOLERANCE if expected.device.type == "cpu" else 30 * TOLERANCE
            if not difference <= tolerance:
                raise RunError(
                    "the saved run gives other answers than the trained model:"
                    f" logits differ by {difference:.2g} of their size"
                )
