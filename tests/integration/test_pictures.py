"""A run that reads pictures: trained, compared, scored, explained as any other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nlpkit
from nlpkit.run import Run
from tests.picture_files import make_vit, write_posts

SETTINGS: dict[str, Any] = {
    "task": {"kind": "picture_polarity", "labels": ["negative", "positive"]},
    "lora": {"rank": 4},
    "training": {"epochs": 12, "batch_size": 16, "lr": 0.01, "evaluations": 2},
}


@pytest.fixture(scope="module")
def vit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_vit(tmp_path_factory.mktemp("vit"))


@pytest.fixture(scope="module")
def posts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_posts(tmp_path_factory.mktemp("posts"), 160)


@pytest.fixture(scope="module")
def run(tiny_base: Path, vit: Path, posts: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return nlpkit.train(
        SETTINGS, recipe="multimodal", name="posts", output=str(tmp_path_factory.mktemp("runs")),
        data={
            "train": {"source": str(posts), "by": "kind"}, "validation": 0.2, "test": 0.3, "near_duplicates": 1.0,
        },
        base={"source": str(tiny_base)}, vision={"source": str(vit)},
    )  # fmt: skip


def test_a_run_of_posts_is_reported_with_each_part_alone(run: Run) -> None:
    report = json.loads((run.evaluation / "test.json").read_text(encoding="utf-8"))
    table = next(section for section in report["sections"] if section["id"] == "parts")
    assert [row[0] for row in table["rows"]] == ["all", "kind 0", "kind 1", "kind 2"] or table["rows"][0][0] == "all"
    print(table["rows"], report["scores"]["accuracy"])
    assert report["scores"]["accuracy"]["value"] > 0.8
