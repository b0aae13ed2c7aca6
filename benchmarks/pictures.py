"""What a picture adds to a text, and whether explanations point at what was planted in it.

The posts are made (benchmarks/picture_posts.py): in a quarter of them the text tells the label, in a quarter
the picture, in a quarter only both together, in a quarter neither. Three runs are trained: on texts, on
pictures and on both. Then each cell of a picture is hidden in turn, and the cell that counts most is compared
with the place of the cue. A killed benchmark goes on.

Example: python -m benchmarks.pictures
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import Machine
from benchmarks.picture_posts import GROUPS, SIDE, Planted, make_posts
from benchmarks.results import FOLDER, save, table
from nlpkit.classifiers.classifier import Classifier
from nlpkit.data.examples import Picture, TextInput
from nlpkit.metrics.intervals import exact_share
from nlpkit.run import Run
from nlpkit.training.train import train_seeds
from nlpkit.trust.explainer import Explainer
from nlpkit.trust.gradients import Gradients
from nlpkit.trust.posts import CELLS, cells_of, left_of

CUED = GROUPS[1:3]
"""The groups whose pictures hold a cue."""


def train(folder: Path, settings: dict[str, Any], *, train_posts: int, test_posts: int, seed: int) -> Run:
    """Make the posts, and train a run on both parts and one on each, unless they are there."""
    parts = {"train": (train_posts, 0), "test": (test_posts, train_posts // 2)}
    for name, (count, skip) in parts.items():
        make_posts(folder / name, count, seed=seed, skip=skip)
    config = {
        "recipe": "multimodal",
        "name": "posts",
        "output": str(folder / "runs"),
        "task": {"kind": "picture_polarity", "labels": ["negative", "positive"]},
        "data": {
            "train": {"source": str(folder / "train/posts.jsonl")},
            "validation": 0.15,
            "test": {"source": str(folder / "test/posts.jsonl"), "by": "group"},
            "near_duplicates": 1.0,
        },
        "seed": seed,
    }
    (run,) = train_seeds({**config, **settings}, talk=print)
    return run


def hits(
    classifier: Classifier, folder: Path, posts: Sequence[Planted], *, method: str
) -> tuple[int, int, float]:
    """Return in how many posts the cell that adds most to the answer holds a part of the cue, of how many,
    and the share that a cell drawn at random would reach.
    """
    right, chances = [], []
    gradients = Gradients(classifier) if method == "gradients" else None
    for post in posts:
        given = TextInput(text=post.text, picture=Picture(content=(folder / post.image).read_bytes()))
        answer = classifier.predict([given])[0]
        (claim,) = classifier.task.family.claims(answer)
        if gradients:
            weights = gradients.attribute(classifier.encode([given])[0], claim.evidence_of).cells
        else:
            hidden = [left_of(given, cells_of(given), {cell}) for cell in range(CELLS)]
            weights = [-claim.evidence(each) for each in classifier.predict(hidden)]
        right.append(int(np.argmax(weights)) in post.cells)
        chances.append(len(post.cells) / CELLS)
    return sum(right), len(right), float(np.mean(chances))


def faithful(classifier: Classifier, folder: Path, posts: Sequence[Planted]) -> list[list[Any]]:
    """Return the faithfulness of explanations by hiding words and cells, and of random orders of them."""
    explainer = Explainer(classifier)
    given = [
        TextInput(text=post.text, picture=Picture(content=(folder / post.image).read_bytes()))
        for post in posts
    ]
    measured = [each.faithfulness for of_post in explainer.explain(given) for each in of_post]
    return [
        [
            name,
            *(
                round(float(np.mean([getattr(getattr(each, side), name) for each in measured])), 3)
                for side in ("scores", "random")
            ),
            len(measured),
        ]
        for name in ("comprehensiveness", "sufficiency", "deletion")
    ]


def bench(
    folder: Path,
    settings: dict[str, Any],
    *,
    train_posts: int,
    test_posts: int,
    explained: int,
    seed: int,
    results: Path,
) -> str:
    """Measure, write pictures.json and pictures.md, and return the page."""
    machine = Machine()
    run = train(folder, settings, train_posts=train_posts, test_posts=test_posts, seed=seed)
    report = json.loads((run.evaluation / "test.json").read_text(encoding="utf-8"))
    parts = next(section for section in report["sections"] if section["id"] == "parts")
    posts = make_posts(folder / "test", test_posts, seed=seed, skip=train_posts // 2)
    classifier = Classifier.load(run)
    maps = []
    for method, most in (("occlusion", len(posts)), ("gradients", explained)):
        for group in CUED:
            chosen = [post for post in posts if post.group == group][:most]
            right, count, chance = hits(classifier, folder / "test", chosen, method=method)
            low, high = exact_share(right, count)
            maps.append([method, group, count, right / count, low, high, chance])
    cued = [post for post in posts if post.group in CUED][:explained]
    measured = {
        "parts": parts["rows"],
        "maps": maps,
        "faithfulness": faithful(classifier, folder / "test", cued),
    }
    return save(
        results, "pictures", measured, title="Texts with pictures", machine=machine, timed=False,
        lines=_page(measured, [column["name"] for column in parts["columns"]], train_posts),
    )  # fmt: skip


def _page(measured: dict[str, Any], head: Sequence[str], train_posts: int) -> list[str]:
    maps = [
        (method, group, count, f"{share:.0%} ({low:.0%} to {high:.0%})", f"{chance:.0%}")
        for method, group, count, share, low, high, chance in measured["maps"]
    ]
    return [
        f"Macro F1 of three runs, trained on {train_posts:,} made posts of {SIDE} x {SIDE} pixels; one seed, "
        "which draws posts, heads and batches. Intervals from resampling test posts.",
        "",
        *table(head, measured["parts"]),
        "",
        "Where the cell of the picture that counts most holds a part of the cue:",
        "",
        *table(("method", "group", "posts", "at the cue", "by chance"), maps),
        "",
        "Faithfulness of explanations by hiding words and cells:",
        "",
        *table(("", "by effect", "random order", "posts"), measured["faithfulness"]),
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__)
    parser.add_argument("--base", default="minilm-l6")
    parser.add_argument("--vision", default="dinov2-small")
    parser.add_argument("--size", type=int, default=SIDE, help="pixels on each side of what is seen")
    parser.add_argument("--fusion", choices=("attention", "concatenation"), default="attention")
    parser.add_argument("--posts", type=int, default=480, help="posts to train on")
    parser.add_argument("--test", type=int, default=200, help="posts to report on")
    parser.add_argument(
        "--explained", type=int, default=12, help="posts of a group by gradients, which take long"
    )
    parser.add_argument("--epochs", type=float, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("runs/bench-pictures"))
    parser.add_argument("--results", type=Path, default=FOLDER)
    asked = parser.parse_args(arguments)
    settings = {
        "base": {"source": asked.base, "max_tokens": 48},
        "vision": {"source": asked.vision, "size": asked.size},
        "fusion": asked.fusion,
        "training": {"epochs": asked.epochs, "batch_size": 16, "lr": 1e-3, "evaluations": 4},
    }
    page = bench(
        asked.folder, settings, train_posts=asked.posts, test_posts=asked.test, explained=asked.explained,
        seed=asked.seed, results=asked.results,
    )  # fmt: skip
    print(page)


if __name__ == "__main__":
    main()
