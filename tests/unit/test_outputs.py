"""What counts as the output that a document shows, and that none is shown that no test prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.outputs import agrees, has_shape, outputs

ROOT = Path(__file__).parents[2]
NOT_PRINTED = {
    ("docs/analyze.md", 0): "200,000 tweets, which nlpkit does not ship; tutorials show the same sentences",
    ("docs/explain.md", 1): "a trained chat model, which takes minutes",
}
"""Outputs that no test compares, and why."""


def test_every_output_that_is_shown_is_printed_by_a_test() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]  # those of tutorials are compared one by one
    names = [page.relative_to(ROOT).as_posix() for page in pages]
    shown = {(name, number) for name in names for number in range(len(outputs(name)))}
    calls = re.compile(r'\boutput\("([^"]+)", (\d)\)')
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    compared = {(page, int(number)) for source in sources for page, number in calls.findall(source)}
    assert compared | NOT_PRINTED.keys() == shown
    assert not compared & NOT_PRINTED.keys()


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("a 0.52\n", "a  0.50\n", True),
        ("a 0.53", "a 0.50", False),
        ("a 53.9%", "a 53.7%", True),
        ("3 rows", "4 rows", True),
        ("3 rows", "5 rows", False),
        ("one\ntwo\nthree 1.0", "one\n...\nthree 1.0", True),
        ("one\ntwo", "...\ntwo", True),
        ("one\ntwo", "one", False),
        ("a\n  b\n  c\nd", "a\n  ...\nd", True),
        ("error: a (from b); hint: c", "error: ...; hint: ...", True),
        ("error: a\nhint: c", "error: ... c", False),
        ("printed", "", False),
        ("", "", True),
    ],
)
def test_what_agrees(printed: str, shown: str, same: bool) -> None:
    assert agrees(printed, shown) is same


@pytest.mark.parametrize(
    ("printed", "shown", "same"),
    [
        ("time 3 ms (2 ms to 4 ms)\n", "time  14.1 min (13 min to 15 min)\n", True),
        ("one\nlabels −0.3\nlast", "labels +1.4 points\n...\nlast", True),
        ("lr=0.01 rank=4", "lr=1e-05...", True),
        ("time 3 s, of\n           two texts", "time 3 s, of two\n            texts", True),
        ("by negative", "by neutral", True),
        ("last\nlabels 1", "labels 1\nlast", False),
        ("rows 3 more", "rows 3", False),
        ("rows 3 more", "rows 3 ...", True),
        ("rows 3", "...", False),
    ],
)
def test_what_has_the_same_shape(printed: str, shown: str, same: bool) -> None:
    assert has_shape(printed, shown) is same
