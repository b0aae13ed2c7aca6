"""Made posts: short sentences next to drawn pictures, with cues in the text, the picture, both or neither.

No labeled set of posts with pictures comes with a package index, so this one is drawn by code, and says
nothing of how well a run reads photographs. It shows whether a run uses each part where it should, and where
it looks.
"""

from __future__ import annotations

import io
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.data.examples import GRID

GROUPS = ("text tells", "picture tells", "both needed", "neither tells")
"""In the group that needs both, a tick means what the sentence says, and a cross the opposite."""

LABELS = ("negative", "positive")
SIDE = 112
"""Pixels on each side of a picture."""

POLAR = {
    "positive": (
        "wonderful",
        "great",
        "lovely",
        "superb",
        "delightful",
        "excellent",
        "charming",
        "fantastic",
    ),
    "negative": (
        "terrible",
        "awful",
        "dreadful",
        "horrible",
        "dismal",
        "disgusting",
        "miserable",
        "pathetic",
    ),
}
FRAMES = (
    "what a {} {}", "the {1} was {0}", "a truly {} {}", "my {1} turned out {0}", "such a {} {} today",
    "that {1} is simply {0}",
)  # fmt: skip
THINGS = (
    "dinner", "concert", "hotel", "train ride", "film", "garden", "lecture", "market", "coffee", "museum",
    "phone", "jacket", "book", "match", "party", "beach",
)  # fmt: skip
PLAIN = ("the {0} opens on {1}", "a {0} was seen on {1}", "we talked of the {0} on {1}", "{1}, at the {0}")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A post, and where in its picture the cue is."""

    text: str
    image: str
    label: str
    group: str
    box: tuple[int, int, int, int] | None
    """Left, top, right and bottom of the cue, in pixels; None where there is none."""

    @property
    def cells(self) -> frozenset[int]:
        """The cells of the picture that hold a part of the cue."""
        if self.box is None:
            return frozenset()
        left, top, right, bottom = (edge * GRID // SIDE for edge in self.box)
        return frozenset(
            row * GRID + column for row in range(top, bottom + 1) for column in range(left, right + 1)
        )


def make_posts(folder: Path, count: int, *, seed: int, skip: int = 0) -> list[Planted]:
    """Write pictures and `posts.jsonl` into a folder, a quarter of the posts in each group.

    Args:
        folder: made if it is not there.
        count: how many posts.
        seed: draws all that is random.
        skip: sentences of each kind that are left out, such as those of another set with this seed.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    draw = random.Random(seed)
    sentences = {label: _shuffled(_polar(label), draw) for label in LABELS}
    plain = _shuffled(
        (frame.format(thing, day) for frame, thing, day in itertools.product(PLAIN, THINGS, DAYS)), draw
    )
    kinds = {name: itertools.islice(texts, skip, None) for name, texts in {**sentences, "": plain}.items()}
    draw = random.Random(seed * 1000 + skip)
    posts = []
    for number in range(count):
        group, label = GROUPS[number % len(GROUPS)], draw.choice(LABELS)
        shape, polarity = _cue(group, label, draw)
        box = _draw(folder / f"pictures/{number}.png", shape, draw)
        text = next(kinds[polarity])
        posts.append(Planted(text=text, image=f"pictures/{number}.png", label=label, group=group, box=box))
    lines = [
        json.dumps({"text": post.text, "image": post.image, "label": post.label, "group": post.group})
        for post in posts
    ]
    (folder / "posts.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return posts


def _polar(label: str) -> Iterator[str]:
    return (
        frame.format(word, thing) for frame, word, thing in itertools.product(FRAMES, POLAR[label], THINGS)
    )


def _shuffled(texts: Iterator[str], draw: random.Random) -> list[str]:
    listed = list(dict.fromkeys(texts))
    draw.shuffle(listed)
    return listed


def _cue(group: str, label: str, draw: random.Random) -> tuple[str, str]:
    """Return what is drawn, and the polarity of the sentence; each may be empty."""
    if group == "text tells":
        return "", label
    if group == "picture tells":
        return {"positive": "smile", "negative": "frown"}[label], ""
    if group == "both needed":
        polarity = draw.choice(LABELS)
        return ("tick" if polarity == label else "cross"), polarity
    return "", ""


def _draw(path: Path, shape: str, draw: random.Random) -> tuple[int, int, int, int] | None:
    """Draw a picture with a few shapes that mean nothing, and the cue."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (SIDE, SIDE), tuple(draw.randrange(150, 230) for _ in range(3)))
    pen = ImageDraw.Draw(image)
    for _ in range(5):
        at, size = (draw.randrange(SIDE), draw.randrange(SIDE)), draw.randrange(8, 40)
        corners = (*at, at[0] + size, at[1] + size)
        color = tuple(draw.randrange(90, 250) for _ in range(3))
        (pen.rectangle if draw.random() < 0.5 else pen.ellipse)(corners, fill=color)
    box = None
    if shape:
        size = draw.randrange(34, 50)
        left, top = draw.randrange(SIDE - size), draw.randrange(SIDE - size)
        box = (left, top, left + size, top + size)
        _draw_cue(pen, shape, box)
    content = io.BytesIO()
    image.save(content, "PNG")
    path.write_bytes(content.getvalue())
    return box


def _draw_cue(pen: Any, shape: str, box: tuple[int, int, int, int]) -> None:
    left, top, right, _ = box
    size, wide = right - left, 6

    def at(x: float, y: float) -> tuple[float, float]:
        return left + x * size, top + y * size

    if shape in ("smile", "frown"):
        pen.ellipse(box, fill=(250, 215, 60), outline=(60, 40, 0), width=2)
        for x in (0.32, 0.68):
            pen.ellipse((*at(x - 0.07, 0.28), *at(x + 0.07, 0.42)), fill=(40, 25, 0))
        y, ends = (0.35, (20, 160)) if shape == "smile" else (0.6, (200, 340))
        pen.arc((*at(0.25, y), *at(0.75, y + 0.45)), *ends, fill=(40, 25, 0), width=4)
    elif shape == "cross":
        pen.line((*at(0.1, 0.1), *at(0.9, 0.9)), fill=(210, 20, 30), width=wide)
        pen.line((*at(0.9, 0.1), *at(0.1, 0.9)), fill=(210, 20, 30), width=wide)
    else:
        pen.line([at(0.1, 0.55), at(0.4, 0.85), at(0.9, 0.15)], fill=(20, 150, 50), width=wide)
