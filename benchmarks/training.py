"""A run for a benchmark, trained by its recipe, resumed or reused, and its held-out rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.classifiers.classifier import Classifier
from nlpkit.errors import RunError
from nlpkit.run import Run
from nlpkit.tasks.task import TextTask
from nlpkit.training.rows import Rows, load_rows
from nlpkit.training.runs import TrainOptions

CONFIGS = Path(__file__).parent.parent / "recipes" / "configs"


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A completed run, loaded, and its rows."""

    run: Run
    classifier: Classifier
    rows: Rows[TextTask]


def train(config: Path, overrides: Sequence[str], *, talk: Callable[[str], None]) -> Trained:
    """Train a config unless that was done before, and return its first run.

    Raises:
        ConfigError, DataError, SourceError, RunError: as `nlpkit train`.
    """
    settings, recipe = read(config, overrides)
    runs = recipe.train(settings, TrainOptions(talk=talk))
    return open_run(runs[0])


def open_run(run: Run) -> Trained:
    """Open a run, and load its rows again from its config.

    Raises:
        RunError: the rows are not those that it was trained and tested on.
    """
    settings, _ = read(run.config, ())
    rows = load_rows(settings.task, settings.data, seed=settings.seed)
    record = run.read()
    if rows.describe()["sha256"] != record.data.get("sha256"):
        raise RunError(
            f"{run.path}: the rows of its config are not those that it was trained on, "
            "so the held-out rows are unknown"
        )
    return Trained(run=run, classifier=Classifier.load(run), rows=rows)


def read(config: Path, overrides: Sequence[str]) -> tuple[Any, Any]:
    """Read a config with overrides, and load its recipe.

    Raises:
        ConfigError: it is not valid.
    """
    from nlpkit.config import read_config, validate
    from nlpkit.training.recipes import load_recipe

    tree, lines = read_config(config, list(overrides))
    recipe = load_recipe(tree.get("recipe"))
    return validate(tree, recipe.Config, where=config, lines=lines), recipe
