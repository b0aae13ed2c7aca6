"""The benchmark of texts with pictures: its made posts."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from benchmarks.picture_posts import GROUPS, POLAR, SIDE, Planted, make_posts
from nlpkit.data.pictures import open_picture


def test_posts_hold_their_cues_where_they_say_so(tmp_path: Path) -> None:
    posts = make_posts(tmp_path, 40, seed=1)
    assert Counter(post.group for post in posts) == dict.fromkeys(GROUPS, 10)
    rows = [json.loads(line) for line in (tmp_path / "posts.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [row["label"] for row in rows] == [post.label for post in posts]
    words = {label: set(said) for label, said in POLAR.items()}
    for post in posts:
        image = open_picture((tmp_path / post.image).read_bytes())
        assert image.size == (SIDE, SIDE)
        assert bool(post.box) == (post.group in GROUPS[1:3])
        said = {label for label, known in words.items() if known & set(post.text.split())}
        assert len(said) == (post.group in (GROUPS[0], GROUPS[2]))
        if post.group == GROUPS[0]:
            assert said == {post.label}
    both = [post for post in posts if post.group == GROUPS[2]]  # where a text alone says nothing of its label
    assert {bool(words[post.label] & set(post.text.split())) for post in both} == {True, False}


def test_no_text_is_trained_on_and_tested(tmp_path: Path) -> None:
    first = make_posts(tmp_path / "a", 40, seed=1)
    second = make_posts(tmp_path / "b", 20, seed=1, skip=40)
    assert not {post.text for post in first} & {post.text for post in second}


def test_cells_are_those_that_the_cue_touches() -> None:
    place = {"text": "", "image": "", "label": "", "group": ""}
    assert Planted(**place, box=(0, 0, 27, 27)).cells == {0}  # cells are 28 pixels wide
    assert Planted(**place, box=(20, 60, 60, 80)).cells == {8, 9, 10}
    assert Planted(**place, box=None).cells == frozenset()
