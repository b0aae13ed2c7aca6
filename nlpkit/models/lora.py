"""LoRA: added, saved as plain PEFT (a classifier's with its head), and loaded only onto its own base."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from nlpkit.errors import ConfigError, RunError
from nlpkit.models.adapter import WEIGHTS, AdapterFiles, read_adapter
from nlpkit.models.layers import frozen_count, layers_of
from nlpkit.models.pretrained import quiet
from nlpkit.settings.training import Lora


def add_lora(
    model: Any,
    lora: Lora,
    *,
    kind: Literal["SEQ_CLS", "TOKEN_CLS", "CAUSAL_LM", "FEATURE_EXTRACTION"] = "SEQ_CLS",
    freeze: float = 0,
) -> Any:
    """Add LoRA to the model's linear layers above the frozen ones (`frozen_count`).

    A classifier's head is trained in full, and so is the head for masked words of an encoder, apart from what
    it shares with the word embeddings.

    Raises:
        ConfigError: the targets name no module of this model, or no layer is left to learn.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(
        task_type=kind,
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets_of(model, lora, freeze),
        modules_to_save=_trained(model, kind),
        use_rslora=lora.rslora,
        use_dora=lora.dora,
        init_lora_weights="pissa" if lora.init == "pissa" else True,
    )
    with quiet():
        return get_peft_model(model, config)


def _trained(model: Any, kind: str) -> list[str] | None:
    """Return the modules that are trained in full."""
    if kind != "FEATURE_EXTRACTION":
        return None if kind == "CAUSAL_LM" else _head(model)
    tied = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    heads = tuple(f"{name}." for name in _head(model))
    return [
        name
        for name, module in model.named_modules()
        if f"{name}.".startswith(heads)
        and module is not tied
        and not any(True for _ in module.children())
        and any(True for _ in module.parameters())
    ]


def _head(model: Any) -> list[str]:
    """Return the modules outside the pretrained body, and the body's pooler, which feeds them."""
    names = [
        name
        for name, module in model.named_children()
        if name != model.base_model_prefix and any(True for _ in module.parameters())
    ]
    body = getattr(model, model.base_model_prefix, None)
    if getattr(body, "pooler", None) is not None:
        names.append("pooler")
    return names


def targets_of(model: Any, lora: Lora, freeze: float = 0) -> list[str]:
    """Return the full names of the body's linear layers that `lora.targets` names, above the frozen ones."""
    import torch

    head = tuple(_head(model))
    linear = [
        name
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not any(part in head for part in name.split("."))
    ]
    if count := frozen_count(model, freeze):
        within = tuple(f"{name}." for name in list(layers_of(model))[count:])
        linear = [name for name in linear if name.startswith(within)]
    if lora.targets == "all-linear":
        return linear
    ends = (lora.targets,) if isinstance(lora.targets, str) else lora.targets
    chosen = [name for name in linear if any(name == end or name.endswith(f".{end}") for end in ends)]
    if not chosen:
        known = sorted({name.rsplit(".", 1)[-1] for name in linear})
        raise ConfigError(
            f"lora.targets: {list(ends)} names no linear layer of this model; "
            f"known: {', '.join(known)}, all-linear"
        )
    return chosen


def save_adapter(model: Any, folder: Path, *, base: str, initial: Path | None) -> None:
    """Write the adapter and the head as PEFT's own folder, with the base's name in it.

    PiSSA changes the base's weights, so what is saved is the difference to `initial`, its
    untrained state: plain LoRA.
    """
    name = "default"
    model.peft_config[name].base_model_name_or_path = base
    with quiet():
        if initial is None:
            model.save_pretrained(folder, safe_serialization=True)
        else:
            model.save_pretrained(
                folder, safe_serialization=True, path_initial_model_for_weight_conversion=str(initial)
            )
            _add_head(model, folder)
    for name_of_extra in ("README.md", "training_args.bin"):
        (folder / name_of_extra).unlink(missing_ok=True)


def _add_head(model: Any, folder: Path) -> None:
    """Add the head to the weights: PEFT's conversion writes the adapter alone."""
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file, save_file

    head = {
        key: weight.contiguous()
        for key, weight in get_peft_model_state_dict(model).items()
        if ".lora_" not in key
    }
    save_file({**head, **load_file(folder / WEIGHTS)}, folder / WEIGHTS, metadata={"format": "pt"})


def load_adapter(base: Any, folder: Path) -> Any:
    """Merge the adapter into the base's weights, and put in the trained head.

    Raises:
        RunError: the folder holds no safetensors adapter, or one that does not fit this base.
    """
    with quiet():
        return _with_adapter(base, folder, trainable=False).merge_and_unload().eval()


def load_trainable(base: Any, folder: Path) -> Any:
    """Add the adapter to the base, to train it further.

    Raises:
        RunError: the folder holds no safetensors adapter, or one that does not fit this base.
    """
    return _with_adapter(base, folder, trainable=True)


def _with_adapter(base: Any, folder: Path, *, trainable: bool) -> Any:
    from peft import PeftModel, get_peft_model_state_dict

    adapter = read_adapter(folder)
    _refuse_misfit(base, folder, adapter)
    with quiet():
        try:
            model = PeftModel.from_pretrained(base, folder, is_trainable=trainable, local_files_only=True)
            unread = sorted(adapter.shapes.keys() - get_peft_model_state_dict(model).keys())
        except Exception as error:  # PEFT raises whatever a broken file makes it trip over
            raise RunError(
                f"{folder}: the adapter cannot be loaded: {str(error).strip().splitlines()[0][:300]}"
            ) from error
    if unread:
        raise RunError(
            f"{folder}: its config leaves out {len(unread):,} of its weights, such as {unread[0]}; "
            "hint: restore the run from a copy"
        )
    return model


def _refuse_misfit(base: Any, folder: Path, adapter: AdapterFiles) -> None:
    """Refuse keys without a module of the same shape, which PEFT would drop without a word."""
    modules = dict(base.named_modules())
    parameters = dict(base.named_parameters())
    whole = set(adapter.config.get("modules_to_save") or ())
    lost = [
        name
        for name in parameters
        if whole & set(name.split(".")) and f"base_model.model.{name}" not in adapter.shapes
    ]
    if lost:
        raise RunError(f"{folder}: the adapter lacks {', '.join(lost)}: its head is lost")
    for key, shape in adapter.shapes.items():
        name = key.removeprefix("base_model.model.")
        module, _, part = name.partition(".lora_")
        if part:
            weight = getattr(modules.get(module), "weight", None)
            side = {"A": 1, "B": 0}.get(part[0])
            fits = weight is not None and (side is None or shape[side] == weight.shape[side])
        else:
            weight = parameters.get(name)
            fits = weight is not None and list(weight.shape) == shape
        if not fits:
            held = "no such place" if weight is None else f"{list(weight.shape)} there"
            raise RunError(f"{folder}: the adapter does not fit this base: {name} of shape {shape}, {held}")
