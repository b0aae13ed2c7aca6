"""Pictures made on the spot: a tiny vision transformer, and posts whose label a color tells."""

from __future__ import annotations

import io
import json
import random
from pathlib import Path
from typing import Any

COLORS = {"positive": (240, 200, 20), "negative": (20, 30, 90)}
NEUTRAL_TEXTS = ("the film", "a place", "this is food", "that story was this", "the place is a film")


def make_vit(folder: Path, *, side: int = 16, patch: int = 4, seed: int = 0) -> Path:
    """A ViT of a few thousand random weights, saved as transformers saves it."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(seed)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, image_size=side,
        patch_size=patch, initializer_range=0.2,
    )  # fmt: skip
    ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def encoded(image: Any, form: str = "PNG", **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def square(color: tuple[int, int, int], side: int = 16) -> Any:
    from PIL import Image

    return Image.new("RGB", (side, side), color)


def post_picture(label: str, number: int) -> bytes:
    """A gray picture, no two alike, with the color of its label in the cell at the top left."""
    from PIL import Image

    draw = random.Random(number)
    image = Image.new("RGB", (16, 16), (draw.randrange(100, 140),) * 3)
    image.putpixel((15, 15), (draw.randrange(256), draw.randrange(256), draw.randrange(256)))
    image.paste(COLORS[label], (0, 0, 4, 4))
    return encoded(image)


def write_posts(folder: Path, count: int, *, start: int = 0) -> Path:
    """Posts whose picture tells the label, and every third also by its text; some lack one part."""
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    lines = []
    for number in range(start, start + count):
        draw = random.Random(number)
        label = ("negative", "positive")[number % 2]
        name = f"pictures/{number}.png"
        (folder / name).write_bytes(post_picture(label, number))
        text = f"{draw.choice(NEUTRAL_TEXTS)} {draw.randrange(1000, 10_000)}"
        if number % 3 == 0:
            text += " was good" if label == "positive" else " was bad"
        row: dict[str, Any] = {"text": text, "image": name, "label": label, "kind": f"kind {number % 3}"}
        if number % 20 == 6:
            del row["image"]
        if number % 20 == 10:
            row["text"] = None
        lines.append(json.dumps(row))
    file = folder / "posts.jsonl"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file
