"""A vision transformer of any kind that AutoModel knows, and how it sees a picture."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

from nlpkit.data.examples import GRID, Picture
from nlpkit.data.pictures import open_picture
from nlpkit.errors import ConfigError, RunError
from nlpkit.models.pretrained import config_of, load_body
from nlpkit.run_record import BaseModelIdentity

if TYPE_CHECKING:
    import numpy as np
    import torch

Fusion: TypeAlias = Literal["attention", "concatenation"]

PROCESSOR = "preprocessor_config.json"

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colors, from 0 to 1: what a model is given that does not say its own."""

SIZE = 224
"""Pixels on each side where the model takes any size."""

ANY_SIZE = ("dinov2", "dinov2_with_registers")
"""Kinds whose configuration holds the size of their training, which is larger than they need."""


class Vision(BaseModel):
    """The vision transformer of a run, how it sees a picture, and how it is fused with the text."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")

    base: BaseModelIdentity
    size: int
    """Pixels on each side: a picture is squeezed to a square, so that no part of it is lost."""
    patch: int
    """Pixels on each side of a patch."""
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    fusion: Fusion

    @property
    def patches(self) -> int:
        """How many patches a picture has."""
        return (self.size // self.patch) ** 2

    def pixels(self, picture: Picture) -> np.ndarray:
        """Return a picture as the model is given it, (3, size, size) in float32; hidden cells are 0.

        Raises:
            DataError: it is no picture, damaged, animated or too large.
        """
        import numpy as np
        from PIL import Image

        side = self.size
        image = open_picture(picture.content).resize((side, side), Image.Resampling.BICUBIC)
        colors = np.asarray(image, dtype=np.float32) / 255
        mean, std = (np.asarray(each, dtype=np.float32) for each in (self.mean, self.std))
        normal = (colors - mean) / std
        for cell in picture.hidden:
            rows, columns = (
                slice(step * side // GRID, (step + 1) * side // GRID) for step in divmod(cell, GRID)
            )
            normal[rows, columns] = 0
        return np.ascontiguousarray(normal.transpose(2, 0, 1), dtype=np.float32)


def vision_of(folder: Path, base: BaseModelIdentity, *, size: int | None, fusion: Fusion) -> Vision:
    """Return how the model in a folder sees a picture.

    Args:
        folder: of a transformers model.
        base: its identity.
        size: pixels on each side; default: those that it was trained for, or SIZE.
        fusion: how it is fused with a text.

    Raises:
        RunError: it is no vision transformer.
        ConfigError: the size is no multiple of its patches.
    """
    config = _vision_config(folder)
    patch = config.patch_size
    trained = SIZE if config.model_type in ANY_SIZE else config.image_size
    side = size or trained
    if side % patch or side < GRID * patch:
        raise ConfigError(
            f"vision.size: {side}; expected a multiple of {patch}, the size of a patch, of at least "
            f"{GRID * patch}; hint: vision.size={max(GRID, round(side / patch)) * patch}"
        )
    file = folder / PROCESSOR
    settings = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return Vision(
        base=base,
        size=side,
        patch=patch,
        mean=settings.get("image_mean") or MEAN,
        std=settings.get("image_std") or STD,
        fusion=fusion,
    )


def _vision_config(folder: Path) -> Any:
    """Return the configuration of the vision transformer, which CLIP and its like hold inside another."""
    config = config_of(folder)
    config = getattr(config, "vision_config", config)
    missing = [name for name in ("patch_size", "image_size", "hidden_size") if not _is_size(config, name)]
    if missing:
        raise RunError(
            f"{folder}: a {config.model_type}, which has no {missing[0]}; expected a vision transformer; "
            "hint: vision.source=dinov2-small, or a ViT, CLIP or SigLIP of a hub"
        )
    return config


def _is_size(config: Any, name: str) -> bool:
    return isinstance(getattr(config, name, None), int)


def load_vision(folder: Path) -> Any:
    """Load the vision transformer of a folder, without a head.

    Raises:
        RunError: transformers cannot make one of it.
    """
    _vision_config(folder)
    model = load_body(folder)
    body = getattr(model, "vision_model", model)
    if getattr(body, "pooler", None) is not None:
        body.pooler = None  # it reads the first patch for nobody
    return body


def states_of(body: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Return (pictures, states, size): what a vision transformer makes of pixels, (pictures, 3, side, side).

    The patches are the last states, row by row; before them may stand states of no patch.
    """
    resized = (
        {"interpolate_pos_encoding": True}
        if "interpolate_pos_encoding" in inspect.signature(body.forward).parameters
        else {}
    )
    dtype = next(body.parameters()).dtype
    states: torch.Tensor = body(pixel_values=pixels.to(dtype), **resized).last_hidden_state
    return states
