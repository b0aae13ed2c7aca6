"""What training on posts adds to training on texts: the vision transformer, pictures in batches, and posts
without one of their parts.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import Field

from nlpkit.data.examples import Picture
from nlpkit.models.bases import find_base
from nlpkit.models.pretrained import pick_device
from nlpkit.models.vision import Fusion, states_of, vision_of
from nlpkit.settings import Settings
from nlpkit.settings.training import EncoderBase, SentimentTraining, TextTraining
from nlpkit.tasks.task import TextTask
from nlpkit.training.loaded_base import LoadedBase, LoadedVision, load_classifier_base
from nlpkit.training.objective import Batch, Objective
from nlpkit.training.precision import choose_precision
from nlpkit.training.rows import Rows

if TYPE_CHECKING:
    import torch

Part: TypeAlias = Literal["text", "picture"]

PARTS: tuple[Part, ...] = ("text", "picture")

AT_ONCE = 8
"""Pictures that the frozen vision transformer sees together."""


class VisionBase(Settings):
    """The pretrained vision transformer."""

    source: str = "dinov2-small"
    """A folder, `hub:org/name@revision` of a ViT, CLIP, SigLIP or DINOv2, or a catalog name."""
    size: Annotated[int, Field(ge=1)] | None = None
    """Pixels on each side of what it sees, a multiple of its patches; default: those of its training, of
    DINOv2 224. Half of it takes a quarter of the time."""
    lora: bool = False
    """Add LoRA to it too. Without, it runs once over all pictures before the training."""


class MultimodalTraining(SentimentTraining):
    """How posts are trained on."""

    freeze: Literal[0] = 0
    consistency: Literal[0] = 0
    preset: None = None


def load_picture_base(base: EncoderBase, vision: VisionBase, fusion: Fusion) -> LoadedBase:
    """Load the sentence encoder and the vision transformer of a config.

    Raises:
        RunError, SourceError: one is refused, or can't be fetched.
        ConfigError: the size of pictures does not fit.
    """
    folder, identity = find_base(vision.source)
    seen = vision_of(folder, identity, size=vision.size, fusion=fusion)
    loaded = LoadedVision(folder=folder, vision=seen, learns=vision.lora)
    return replace(load_classifier_base(base), vision=loaded)


def only(rows: Rows[TextTask], part: Part) -> Rows[TextTask]:
    """Return rows of which one part is left."""

    def left(examples: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(alone(example, part) for example in examples)

    return replace(rows, train=left(rows.train), validation=left(rows.validation), test=left(rows.test))


def held(rows: Rows[TextTask]) -> tuple[Any, ...]:
    """Return what is reported on: the test rows, or without such the validation rows."""
    return rows.test or rows.validation


def alone(example: Any, part: Part) -> Any:
    """Return a post of which one part is left."""
    return replace(example, picture=None) if part == "text" else replace(example, text="")


def partly_hidden(examples: Sequence[Any], share: float, *, seed: int) -> list[Any]:
    """Return training posts, of `share` of which the picture is gone, and of as many others the text."""
    draw = random.Random(seed)  # noqa: S311
    chances = [draw.random() if example.text and example.picture else 1.0 for example in examples]
    return [
        alone(example, PARTS[chance >= share]) if chance < 2 * share else example
        for example, chance in zip(examples, chances, strict=True)
    ]


def facts_of(rows: Rows[TextTask], base: LoadedBase, training: MultimodalTraining) -> dict[str, Any]:
    """Return what the weights depend on besides the config."""
    return {
        "data": rows.describe(),
        "bf16": choose_precision(training.precision).bf16,
        "base": base.identity.model_dump(),
        "vision": _vision(base).vision.model_dump(),
    }


def picture_facts(rows: Rows[TextTask], base: LoadedBase) -> tuple[list[str], list[str]]:
    """Describe the pictures for the preflight, and warn of those on both sides of a split."""
    vision = _vision(base)
    names = {
        part: {example.picture.sha256 for example in getattr(rows, part) if example.picture}
        for part in ("train", "validation", "test")
    }
    bare = sum(example.picture is None for example in rows.train)
    mute = sum(not example.text for example in rows.train)
    side = vision.vision.size
    how = "with LoRA" if vision.learns else "frozen, run once"
    lines = [
        f"pictures   {len(names['train']):,} to train on, seen at {side} x {side} pixels "
        f"by {vision.vision.base.source}, {how}",
        f"           {bare:,} training rows have no picture, {mute:,} no text",
    ]
    twice = sum(
        example.picture is not None and example.picture.sha256 in names["train"]
        for example in (*rows.validation, *rows.test)
    )
    warning = (
        f"{twice:,} held-out rows have a picture that training rows have too: what is learned of it there "
        "flatters the scores"
    )
    return lines, [warning] if twice else []


def see(
    objective: Objective, rows: Rows[TextTask], model: Any, base: LoadedBase, training: TextTraining
) -> Objective:
    """Return an objective whose batches hold pictures: what the frozen vision transformer makes of them, kept
    in memory as far as `training.cache_mb` goes, or their pixels.
    """
    vision = _vision(base)
    examples = (*rows.train, *rows.validation)
    pictures = {example.picture.sha256: example.picture for example in examples if example.picture}
    body = model.get_base_model().body["vision"]
    size = len(pictures) * (vision.vision.patches + 1) * body.config.hidden_size * 4 / 1e6
    if vision.learns or size > training.cache_mb:
        return replace(
            objective, collate=_collator(objective.collate, "pixel_values", _reader(vision, pictures))
        )
    states = _states(body.to(pick_device()), vision, pictures)
    return replace(objective, collate=_collator(objective.collate, "picture_states", states.__getitem__))


def _vision(base: LoadedBase) -> LoadedVision:
    if base.vision is None:
        raise ValueError("a base without a vision transformer")
    return base.vision


def _reader(vision: LoadedVision, pictures: Mapping[str, Picture]) -> Callable[[str], torch.Tensor]:
    def read(name: str) -> torch.Tensor:
        import torch

        return torch.from_numpy(vision.vision.pixels(pictures[name]))

    return read


def _states(body: Any, vision: LoadedVision, pictures: Mapping[str, Picture]) -> dict[str, torch.Tensor]:
    """Return (states, size) of each picture, on the CPU."""
    import torch

    read, names = _reader(vision, pictures), list(pictures)
    was = body.training
    states: dict[str, torch.Tensor] = {}
    body.eval()
    with torch.no_grad():
        for start in range(0, len(names), AT_ONCE):
            batch = names[start : start + AT_ONCE]
            pixels = torch.stack([read(name) for name in batch]).to(next(body.parameters()).device)
            states.update(zip(batch, states_of(body, pixels).float().cpu().clone(), strict=True))
    body.train(was)
    return states


def _collator(
    collate: Callable[[list[Any]], Batch], key: str, given: Callable[[str], torch.Tensor]
) -> Callable[[list[Any]], Batch]:
    """Return what adds to a batch each of its pictures once, and whose it is."""

    def collate_seen(batch: list[Any]) -> Batch:
        import torch

        names = [row["picture"] for row in batch]
        distinct = list(dict.fromkeys(filter(None, names)))
        numbers = {name: number for number, name in enumerate(distinct)}
        made = {**collate(batch), "picture": torch.tensor([numbers.get(name, -1) for name in names])}
        return {**made, key: torch.stack(list(map(given, distinct)))} if distinct else made

    return collate_seen
