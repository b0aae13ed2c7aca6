"""Refusing: model folders whose loading could run somebody's code or read outside of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from nlpkit.errors import RunError
from nlpkit.model_files import AGAIN, files_in, refuse_unsafe

_PICKLED = frozenset({".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".dill"})
_ARCHIVES = frozenset({".zip", ".7z", ".tar", ".tgz", ".gz", ".bz2", ".xz", ".rar"})
_ATTENTION = frozenset({"attn_implementation", "_attn_implementation", "_attn_implementation_internal"})
_SIZES = ("_size", "_embeddings", "_dim", "_heads", "_experts", "n_embd", "d_model", "d_ff")
_CONVERT = (
    "hint: convert the weights to safetensors on a machine where you trust the file "
    "(save_pretrained writes them), or take another model"
)


def refuse_pickles(folder: Path) -> None:
    """Refuse a model's folder that holds more than what can be loaded without running code.

    Refused are pickles (except twins of safetensors weights, which are never read) and archives, links that
    leave the folder, files far too large to be read, a safetensors index that points outside, and a config
    that asks for code.

    Raises:
        RunError: naming the file, with a hint.
    """
    refuse_unsafe([folder], folder)
    for path in files_in([folder]):
        _check_kind(path)
        if path.suffix == ".json":
            _check_json(path)
        if path.suffix == ".safetensors":
            _check_header(path)
    if (folder / "config.json").is_file():
        _check_sizes(folder)


def _check_kind(path: Path) -> None:
    kind = path.suffix.lower()
    if kind in _PICKLED and not _has_twin(path):
        raise RunError(
            f"{path}: pickled data, which can run code when it is loaded; expected safetensors; {_CONVERT}"
        )
    if kind in _ARCHIVES:
        raise RunError(
            f"{path}: an archive, which is not opened; expected safetensors, JSON and text; "
            "hint: take it out of the folder"
        )


def _has_twin(path: Path) -> bool:
    """Return whether the folder has the same weights as safetensors: these are loaded, the pickle is not."""
    if path.suffix != ".bin":
        return False
    if path.name.startswith("pytorch_model"):
        return any(path.parent.glob("model*.safetensors"))
    return path.name == "adapter_model.bin" and (path.parent / "adapter_model.safetensors").exists()


def _check_json(path: Path) -> None:
    # A vocabulary's keys are words, and may be any.
    if not (path.name.endswith(".index.json") or "config" in path.name):
        return
    try:
        content = json.loads(path.read_bytes())
        _check_config(path, content)
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: not readable as JSON ({error}); {AGAIN}") from error
    if path.name.endswith(".index.json"):
        _check_index(path, content)


def _check_config(path: Path, content: object) -> None:
    for key, value in _settings(content):
        if key == "auto_map" and value:
            raise RunError(
                f"{path}: has {key!r}, which asks for code that comes with the model and is never run; "
                f"{_other(path)}"
            )
        # The internal key does not belong in a file; a slash in the others names a repository of kernels
        # (CVE-2026-4372).
        if key in _ATTENTION and value and (key.endswith("_internal") or "/" in str(value)):
            raise RunError(f"{path}: has {key!r}: {value!r}, which can fetch code from a hub; {_other(path)}")


def _check_sizes(folder: Path) -> None:
    """Refuse a config of more layers than there are tensors, or of a size that no tensor could have.

    A model of the config's sizes is made before its weights are read.
    """
    weights = [path for path in sorted(folder.glob("*.safetensors")) if path.is_file()]
    tensors, size = sum(map(_tensors, weights)), sum(path.stat().st_size for path in weights)
    path = folder / "config.json"
    for key, value in _settings(json.loads(path.read_bytes())):
        if isinstance(value, int) and "layer" in key and not key.startswith("layer") and value > tensors:
            raise RunError(f"{path}: {key} is {value:,}, but the weights hold {tensors:,} tensors; {AGAIN}")
        if isinstance(value, int) and key.endswith(_SIZES) and value > size:
            raise RunError(f"{path}: {key} is {value:,}, but the weights have {size:,} bytes; {AGAIN}")


def _tensors(path: Path) -> int:
    """Return how many tensors a safetensors file holds."""
    with path.open("rb") as file:
        header = file.read(int.from_bytes(file.read(8), "little"))
    try:
        return len(json.loads(header))
    except (ValueError, RecursionError) as error:
        raise RunError(f"{path}: its header is not readable as JSON ({error}); {AGAIN}") from None


def _other(path: Path) -> str:
    return (
        "hint: take a model that transformers knows by itself, "
        f"or take the entry out of {path.name} if you know that it is not needed"
    )


def _settings(content: object) -> Iterator[tuple[str, object]]:
    """Every key and value of a config and of the configs inside it."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield key, value
            yield from _settings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _settings(value)


def _check_index(path: Path, content: object) -> None:
    shards = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(shards, dict):
        raise RunError(f"{path}: has no weight_map; {AGAIN}")
    for shard in sorted({str(name) for name in shards.values()}):
        if Path(shard).name != shard or "\\" in shard:
            raise RunError(
                f"{path}: points to {shard!r}, outside of the model's folder; "
                "hint: take another copy of the model"
            )
        if not shard.endswith(".safetensors") and not _has_twin(path.parent / shard):
            raise RunError(f"{path}: points to {shard!r}, expected safetensors; {_CONVERT}")
        if not (path.parent / shard).is_file():
            raise RunError(f"{path}: points to {shard!r}, which is not there; {AGAIN}")


def _check_header(path: Path) -> None:
    """Return whether a file has a safetensors header: a length, then a JSON object of that length.

    A pickle or an archive that was renamed has none.
    """
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        start = file.read(1)
    if start != b"{" or length + 8 > path.stat().st_size:
        raise RunError(f"{path}: named safetensors but is not; {_CONVERT}")
