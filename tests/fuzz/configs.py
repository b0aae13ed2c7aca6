"""Configs: a file and its overrides become a valid config, or one ConfigError with all that is wrong."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from ruamel.yaml import YAML

from nlpkit.config import load_config, to_yaml
from nlpkit.errors import ConfigError
from nlpkit.training.recipes import load_recipe
from tests.fuzz.values import ODD, mutated

RECIPES = sorted((Path(__file__).parents[2] / "recipes" / "configs").glob("*.yaml"))
PIECES = [
    *(
        "a",
        "seed",
        "name: x",
        "data",
        "train",
        "source: a.csv",
        "recipe: sentiment",
        "1",
        "3e-4",
        "no",
        "null",
    ),
    *(
        ": ",
        ":",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "{",
        "}",
        "[",
        "]",
        ", ",
        "? ",
        "&a ",
        "*a",
        "'",
        '"',
        "|",
        ">",
        "#",
    ),
    *(
        "%YAML 1.1\n",
        "---\n",
        "...",
        "\t",
        "\x00",
        "\ufeff",
        "\x85",
        "é",
        "2001-01-01",
        "0o7",
        ".nan",
        ".inf",
        "<<",
    ),
    *(
        "!!bool ",
        "!!int ",
        "!!float ",
        "!!binary ",
        "!!set ",
        "!!omap ",
        "!!timestamp ",
        "!!null ",
        "!!str ",
        "!x ",
    ),
    *("!!python/object:os.system ", "9" * 5000, "0x", "1:2", "1_000"),
]


@cache
def shipped(path: Path) -> dict[str, Any]:
    return dict(YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8")))


KEYS = st.sampled_from(
    [
        "seed",
        "data.train.0.source",
        "training.lr",
        "task",
        "a.b.c",
        "data.train",
        "",
        ".",
        "0",
        "9" * 5000,
        "base.x",
    ]
)
PLAIN = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=12).map("".join)
CONFIGS = st.tuples(
    st.sampled_from(RECIPES).flatmap(lambda path: mutated(shipped(path))).map(json.dumps)  # JSON is YAML
    | PLAIN
    | st.tuples(st.sampled_from(RECIPES).map(lambda path: path.read_text(encoding="utf-8")), PLAIN).map(
        "".join
    ),
    st.lists(st.tuples(KEYS, PLAIN | ODD.map(str)).map("=".join), max_size=2),
    st.sampled_from(
        ["sentiment", "dialogue", "preference", "distill", "adapt", "few_shot", "engine", "cascade"]
    ),
)


def read(drawn: tuple[str, list[str], str], folder: Path) -> None:
    """What is valid is written and read again as the same."""
    text, overrides, recipe = drawn
    path = folder / "config.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    model = load_recipe(recipe).Config
    try:
        config = load_config(path, model, overrides)
    except ConfigError as error:
        if str(path) not in str(error):
            raise
        return
    path.write_text(to_yaml(config), encoding="utf-8")
    assert load_config(path, model) == config
