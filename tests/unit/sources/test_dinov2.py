"""DINOv2-small out of an ONNX file, tried on a small file of the same form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nlpkit.sources import dinov2

TINY = {"SIZE": 8, "LAYERS": 1, "HEADS": 2, "PATCH": 2, "SIDE": 4}


def number(value: int) -> bytes:
    head = bytearray()
    while value > 127:
        head.append(value & 127 | 128)
        value >>= 7
    return bytes([*head, value])


def field(key: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return number(key << 3) + number(value)
    return number(key << 3 | 2) + number(len(value)) + value


def weight(name: str, values: np.ndarray) -> bytes:
    sizes = b"".join(field(1, size) for size in values.shape)
    data = np.ascontiguousarray(values, dtype="<f4").tobytes()
    return field(5, sizes + field(2, 1) + field(8, name.encode()) + field(9, data))


def product(layer: str, matrix: str) -> bytes:
    path = f"/backbone/{layer.replace('.', '/').replace('layer/', 'layer.')}/MatMul"
    return field(
        1, field(1, b"given") + field(1, matrix.encode()) + field(3, path.encode()) + field(4, b"MatMul")
    )


def old(name: str) -> str:
    for before, now in dinov2._NOW.items():
        name = name.replace(now, before)
    return name


def onnx_of(model: Any) -> bytes:
    """A model as the package holds it: matrices transposed and nameless, the rest by the names of then."""
    graph = b""
    for place, (name, tensor) in enumerate(model.state_dict().items()):
        values = tensor.numpy()
        if name == "embeddings.position_embeddings":
            graph += weight("onnx::Concat_1", values[:, :1]) + weight("onnx::Reshape_2", values[:, 1:])
        elif name != "embeddings.mask_token" and name.startswith("encoder") and values.ndim == 2:
            graph += weight(f"onnx::MatMul_{place}", values.T)
            graph += product(old(name.removesuffix(".weight")), f"onnx::MatMul_{place}")
        elif name != "embeddings.mask_token":
            graph += weight(f"backbone.{old(name)}", values)
    head = weight("head.conv.weight", np.ones((1, 3, 2, 2)))
    return field(1, 8) + field(7, graph + head)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    import torch
    from transformers import Dinov2Config, Dinov2Model

    for name, value in TINY.items():
        monkeypatch.setattr(dinov2, name, value)
    torch.manual_seed(0)
    config = Dinov2Config(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, patch_size=2, image_size=4
    )
    model = Dinov2Model(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_()
    return model


def test_the_model_in_the_file_comes_out(model: Any, tmp_path: Path) -> None:
    import torch

    from nlpkit.models.vision import load_vision, states_of

    file, folder = tmp_path / "a.onnx", tmp_path / "model"
    file.write_bytes(onnx_of(model))
    dinov2.dinov2_small([file], folder)
    pixels = torch.randn(2, 3, 4, 4)
    with torch.no_grad():
        expected = model(pixel_values=pixels).last_hidden_state
        np.testing.assert_allclose(states_of(load_vision(folder).eval(), pixels), expected, atol=1e-5)
    assert not file.exists()
    assert {"config.json", "model.safetensors", "preprocessor_config.json"} <= {
        path.name for path in folder.iterdir()
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content[:-40], "it ends within a field"),
        (lambda content: b"PK\x03\x04" + content, "field|number|kind"),
        (lambda content: content.replace(b"backbone.layernorm", b"backbone.layerform"), "it lacks 2 weights"),
        (lambda content: b"", "field 7 0 times"),
    ],
)
def test_another_file_is_refused(model: Any, tmp_path: Path, change: Any, message: str) -> None:
    file = tmp_path / "a.onnx"
    file.write_bytes(change(onnx_of(model)))
    with pytest.raises(ValueError, match=message):
        dinov2.dinov2_small([file], tmp_path / "model")
