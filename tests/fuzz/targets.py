"""What is fuzzed: a name, what is drawn, and the check that must hold for whatever was drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hypothesis import strategies as st

from tests.fuzz import configs, models, pictures, rows, server
from tests.fuzz.values import mutated


class Target(NamedTuple):
    """A surface that strangers' data reaches."""

    values: st.SearchStrategy[Any]
    check: Callable[[Any, Path], None]
    """Takes what was drawn and a folder to write in. Whatever it raises is a finding."""
    examples: int
    """How many are drawn in CI."""


TARGETS = {
    **{name: Target(values, check, 200) for name, (values, check) in rows.FILES.items()},
    "config": Target(configs.CONFIGS, configs.read, 150),
    "run": Target(models.files(), models.load_run, 30),
    "safetensors": Target(models.weights(), models.load_weights, 30),
    "template": Target(models.TEMPLATES, models.fill_template, 20),
    "report": Target(
        st.sampled_from(models.REPORTS).flatmap(lambda path: mutated(models.read(path))),
        models.show_report,
        40,
    ),
    "http": Target(server.bodies(), server.post, 150),
    "pictures": Target(pictures.CELLS, pictures.read_picture, 150),
}
