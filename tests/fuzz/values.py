"""Odd values, and trees of JSON in which some values became odd ones."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

WORDS = (
    "user",
    "assistant",
    "tool",
    "role",
    "content",
    "text",
    "label",
    "../x",
    "/etc/passwd",
    "org/name",
    "",
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(WORDS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4),
    max_leaves=12,
)
LARGE = st.sampled_from(
    [-1, 0, 1, 10**8, 2**63, 10**40, 1e308, -0.0, [[]] * 9, {"": {}}, "x" * 5000, "<|im_end|>"]
)
ODD = JSON | LARGE


def in_one_line(error: Exception) -> None:
    """Check that an error is one line: a sentence or several, without a traceback or a list."""
    assert "\n" not in str(error), error


def places(tree: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the way to each value below the top of a tree."""
    children: Any = ()
    if isinstance(tree, dict):
        children = tree.items()
    elif isinstance(tree, list):
        children = enumerate(tree)
    for key, value in children:
        yield (*at, key)
        yield from places(value, (*at, key))


@st.composite
def mutated(draw: st.DrawFn, tree: Any, *, at_most: int = 4) -> Any:
    """Draw a tree of JSON in which some values were replaced or taken away, or got a neighbor."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, at_most))):
        known = list(places(tree))
        if not known:
            break
        *parents, last = known[draw(st.integers(0, len(known) - 1))]
        inside = tree
        for key in parents:
            inside = inside[key]
        change = draw(st.sampled_from(("replace", "replace", "remove", "add")))
        if change == "replace":
            inside[last] = copy.deepcopy(draw(ODD))
        elif change == "remove":
            del inside[last]
        elif isinstance(inside, dict):
            inside[draw(st.sampled_from(WORDS) | st.text(max_size=3))] = copy.deepcopy(draw(ODD))
        else:
            inside.insert(int(last), copy.deepcopy(draw(ODD)))
    return tree


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw the bytes of a file with some of them changed, and its end perhaps cut off."""
    broken = bytearray(data)
    for _ in range(draw(st.integers(1, 8))):
        broken[draw(st.integers(0, len(broken) - 1))] = draw(st.integers(0, 255))
    return bytes(broken[: draw(st.integers(0, len(broken)) | st.just(len(broken)))])
