"""Read what an adapter's files say, and refuse what nlpkit never writes, before a model is built for it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.errors import RunError
from nlpkit.model_files import ADAPTER

WEIGHTS = ADAPTER
CONFIG = "adapter_config.json"

WRITTEN = frozenset(
    {
        *("r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save", "use_rslora", "use_dora"),
        *("rank_pattern", "alpha_pattern", "base_model_name_or_path", "inference_mode", "task_type"),
        *("peft_type", "peft_version", "revision"),
    }
)
"""Settings of PEFT that nlpkit chooses; others have to ask for nothing.

Among the others are settings that copy layers or import modules.
"""


@dataclass(frozen=True, kw_only=True)
class AdapterFiles:
    """What the config of an adapter says, and the shape of each of its weights."""

    config: Mapping[str, Any]
    shapes: Mapping[str, list[int]]


def read_adapter(folder: Path, *, outputs: int = 0) -> AdapterFiles:
    """Read an adapter's config and shapes, in the time and memory that its files' headers take.

    Args:
        folder: PEFT's own.
        outputs: of the head that the adapter has to hold; 0 for one without a head.

    Raises:
        RunError: it holds no safetensors adapter, or one that nlpkit didn't write.
    """
    from safetensors import SafetensorError, safe_open

    if not (folder / WEIGHTS).is_file():
        pickles = sorted(file.name for file in folder.glob("adapter_model.*")) if folder.is_dir() else []
        held = f"only {', '.join(pickles)}: pickled weights are refused" if pickles else "no adapter"
        raise RunError(f"{folder}: {held}; expected {WEIGHTS}")
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        with safe_open(folder / WEIGHTS, "pt") as weights:
            shapes = {key: list(weights.get_slice(key).get_shape()) for key in weights.keys()}  # noqa: SIM118
    except (OSError, ValueError, RecursionError, SafetensorError) as error:
        raise RunError(f"{folder}: damaged adapter: {error}") from None
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        raise RunError(f"{folder / CONFIG}: expected a LoRA adapter, found {str(config)[:60]}")
    _check_settings(config, folder / CONFIG)
    _check_ranks(config, shapes, folder / CONFIG)
    heads = [shape[0] for key, shape in shapes.items() if shape and ".lora_" not in key]
    if outputs and outputs not in heads:
        raise RunError(
            f"{folder}: the adapter does not fit its run: it has no head of {outputs:,} outputs; "
            "hint: restore the run from a copy"
        )
    return AdapterFiles(config=config, shapes=shapes)


def _check_settings(config: Mapping[str, Any], path: Path) -> None:
    """Refuse settings of others than nlpkit; PEFT's defaults ask for nothing."""
    import dataclasses

    from peft import LoraConfig

    defaults = {field.name: field.default for field in dataclasses.fields(LoraConfig)}
    for name, value in config.items():
        if name not in WRITTEN and value and value != defaults.get(name):
            raise RunError(
                f"{path}: {name} is {str(value)[:60]}, which nlpkit never writes; "
                "hint: restore the run from a copy"
            )
    for name, optional in (("target_modules", False), ("modules_to_save", True)):
        value = config.get(name)
        if not (_is_names(value) or (optional and value is None)):  # a text would be a pattern
            raise RunError(f"{path}: {name} is no list of names; hint: restore the run from a copy")


def _is_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _check_ranks(config: Mapping[str, Any], shapes: Mapping[str, list[int]], path: Path) -> None:
    """Refuse ranks above those of the weights: PEFT makes weights of that rank before it reads the files."""
    largest = max((shape[0] for key, shape in shapes.items() if ".lora_A" in key and shape), default=0)
    pattern = config.get("rank_pattern") or {}
    for rank in (config.get("r"), *(pattern.values() if isinstance(pattern, dict) else [None])):
        if not isinstance(rank, int) or not 0 < rank <= largest:
            raise RunError(
                f"{path}: a rank of {str(rank)[:40]}; the weights have ranks up to {largest}; "
                "hint: restore the run from a copy"
            )
