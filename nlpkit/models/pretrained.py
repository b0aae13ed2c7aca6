"""A pretrained base and its tokenizer, loaded from a folder of safetensors; nothing else is opened."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from nlpkit.errors import ConfigError, NlpkitError, RunError, optional
from nlpkit.sources import refuse_pickles
from nlpkit.tasks.answers.family import Head

if TYPE_CHECKING:
    import torch


NO_LIMIT = 1_000_000
"""Tokenizers that know no limit say 10**30."""

LOCAL = {"trust_remote_code": False, "local_files_only": True}
"""Files of this machine are opened, and no code of theirs is run."""
WEIGHTS = {**LOCAL, "use_safetensors": True}


def load_tokenizer(folder: Path) -> Any:
    """Load the tokenizer of a folder; it pads with its end token where it has no pad token.

    Raises:
        RunError: it cannot be loaded.
    """
    from transformers import AutoTokenizer

    with _loading(f"{folder}: its tokenizer cannot be loaded"):
        tokenizer = AutoTokenizer.from_pretrained(folder, **LOCAL)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def config_of(folder: Path) -> Any:
    """Return the configuration of the model in a folder.

    Raises:
        RunError: it cannot be read.
    """
    from transformers import AutoConfig

    with _loading(f"{folder}: its configuration cannot be read"):
        return AutoConfig.from_pretrained(folder, **LOCAL)


def depth_of(folder: Path) -> int:
    """Return how many layers the model in a folder has.

    Raises:
        RunError: its configuration cannot be read.
    """
    return int(config_of(folder).num_hidden_layers)


def load_classifier(
    folder: Path,
    *,
    head: Head,
    layers: int | None = None,
    dropout: float | None = None,
    pad_id: int | None = None,
    mean_pooled: bool = False,
) -> Any:
    """Load the base, or its lowest layers, with a fresh head; seed torch before, since the head is drawn at
    random.

    With `mean_pooled` the head reads the mean of all tokens; by default what transformers lets it read.

    Raises:
        RunError: transformers cannot make a classifier of it.
    """
    import torch
    from transformers import AutoConfig, AutoModel

    from nlpkit.models.mean_pooled import MeanPooled

    with _loading(f"{folder}: no classifier can be made of this model"):
        config = AutoConfig.from_pretrained(folder, **LOCAL)
        config.num_labels = head.outputs
        config.id2label = dict(enumerate(head.names))
        config.label2id = {name: index for index, name in enumerate(head.names)}
        config.problem_type = head.problem
        if config.pad_token_id is None:
            config.pad_token_id = pad_id
        _set_dropout(config, dropout)
        if layers is not None:
            config.num_hidden_layers = layers
        model, loading = (AutoModel if mean_pooled else _model_for(head.level)).from_pretrained(
            folder,
            config=config,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # the head of a classifier of other labels
            output_loading_info=True,
            **WEIGHTS,
        )
        body = tuple(key for key, *_ in loading["mismatched_keys"] if key.startswith(model.base_model_prefix))
        if body:
            raise RunError(f"{folder}: {body[0]} is not of the size that its config.json says")
        if mean_pooled:
            return MeanPooled(model, head.outputs)
        _draw_last_layer(model, {*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])})
        return model


def _draw_last_layer(model: Any, drawn: set[str]) -> None:
    """Draw the layer of the answers at random, unless it was: the base may be a classifier of equal size."""
    *_, (name, layer) = (
        (name, module)
        for name, module in model.named_modules()
        if not name.startswith(model.base_model_prefix)
        and next(module.parameters(recurse=False), None) is not None
    )
    if f"{name}.weight" not in drawn:
        for parameter in layer.parameters():
            parameter._is_hf_initialized = False
        model._init_weights(layer)


def _model_for(level: Literal["text", "token"]) -> Any:
    from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification

    return AutoModelForTokenClassification if level == "token" else AutoModelForSequenceClassification


def load_merged(folder: Path) -> Any:
    """Load a classifier that was saved with its head.

    Raises:
        RunError: it is none.
    """
    refuse_pickles(folder)
    with _loading(f"{folder}: no classifier can be loaded"):
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        of_tokens = any("TokenClassification" in name for name in config.get("architectures") or ())
        return _model_for("token" if of_tokens else "text").from_pretrained(folder, **WEIGHTS).float()


def load_body(folder: Path) -> Any:
    """Load the base alone, without a head.

    Raises:
        RunError: it is no encoder.
    """
    refuse_pickles(folder)
    return load_encoder(folder, masked=False)[0]


def load_encoder(folder: Path, *, masked: bool, dropout: float | None = None) -> tuple[Any, list[str]]:
    """Load an encoder in float32, and the names of its weights that are drawn at random as the folder lacks
    them.

    With `masked` it has a head for masked words, which shares the weights of the word embeddings; seed torch
    before.

    Raises:
        RunError: transformers cannot make one of it.
    """
    import torch
    from transformers import AutoModel, AutoModelForMaskedLM

    config = config_of(folder)
    _set_dropout(config, dropout)
    with _loading(f"{folder}: no encoder can be made of this model"):
        model, loading = (AutoModelForMaskedLM if masked else AutoModel).from_pretrained(
            folder, config=config, dtype=torch.float32, output_loading_info=True, **WEIGHTS
        )
    return model, sorted(loading["missing_keys"])


def load_language_model(
    folder: Path, *, dropout: float | None = None, quantize: Literal["none", "4bit"] = "none"
) -> Any:
    """Load the base with its own language-model head.

    Its weights are float32 on a CPU, bfloat16 on a GPU that has it, or 4-bit (QLoRA) on CUDA.

    Raises:
        RunError: transformers cannot make a language model of it.
        ConfigError: 4-bit weights without CUDA or without bitsandbytes.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    with _loading(f"{folder}: no language model can be made of this"):
        config = AutoConfig.from_pretrained(folder, **LOCAL)
        _set_dropout(config, dropout)
        return AutoModelForCausalLM.from_pretrained(
            folder, config=config, dtype=_dtype(), quantization_config=_quantization(quantize), **WEIGHTS
        )


def _dtype() -> torch.dtype:
    import torch

    return torch.bfloat16 if torch.cuda.is_available() and torch.cuda.is_bf16_supported() else torch.float32


def _quantization(quantize: str) -> Any:
    """Normal-float 4-bit weights with double quantization (Dettmers et al. 2023, arXiv:2305.14314)."""
    if quantize == "none":
        return None
    import torch

    if not torch.cuda.is_available():
        raise ConfigError(
            f"base.quantize: {quantize} needs CUDA, which this machine does not have; "
            "hint: base.quantize=none"
        )
    optional("bitsandbytes", extra="cuda")
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def window_of(folder: Path, tokenizer: Any) -> int:
    """Return how many tokens the model reads at once: the smaller of what the model and the tokenizer say."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    positions = config.get("max_position_embeddings", NO_LIMIT)
    if config.get("model_type") in ("mpnet", "roberta", "xlm-roberta", "camembert"):
        positions -= 2  # these number their positions from 2
    limit = min(positions, tokenizer.model_max_length)
    return int(limit) if limit < NO_LIMIT else 512


def pick_device() -> torch.device:
    """Return the fastest device here: CUDA, then MPS, then the CPU."""
    import torch

    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def in_bf16(precision: Literal["auto", "fp32", "bf16"]) -> bool:
    """Return whether training computes in bf16: on any device if asked, else on a GPU that has it."""
    import torch

    return precision == "bf16" or (
        precision == "auto" and torch.cuda.is_available() and torch.cuda.is_bf16_supported()
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers' loading report and progress bars: a fresh head is what we ask for."""
    from transformers.utils import logging as talk

    level, bars = talk.get_verbosity(), talk.is_progress_bar_enabled()
    talk.set_verbosity(logging.ERROR)
    talk.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        talk.set_verbosity(level)
        if bars:
            talk.enable_progress_bar()


@contextmanager
def _loading(problem: str) -> Iterator[None]:
    """Load something in silence; transformers raises whatever a broken file makes it trip over.

    Raises:
        RunError: what the problem is, with the first line of what was raised.
    """
    with quiet():
        try:
            yield
        except NlpkitError:
            raise
        except Exception as error:
            first = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RunError(f"{problem}: {first[:300]}") from None


def _set_dropout(config: Any, dropout: float | None) -> None:
    if dropout is None:
        return
    for name in (
        "hidden_dropout_prob",
        "attention_probs_dropout_prob",
        "dropout",
        "attention_dropout",
        "classifier_dropout",
    ):
        if getattr(config, name, None) is not None or name == "classifier_dropout":
            setattr(config, name, dropout)
