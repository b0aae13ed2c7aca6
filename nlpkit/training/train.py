"""Train from Python or from the command line: a config in, completed runs out."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nlpkit.config import Keys, merge, read_config, validate
from nlpkit.errors import ConfigError
from nlpkit.run import Run
from nlpkit.training.recipes import absolute_files, find_config, load_recipe
from nlpkit.training.runs import Progress, TrainOptions


def train(config: Path | str | Mapping[str, Any], *, overwrite: bool = False, **overrides: Any) -> Run:
    """Train one run, measure it, and return it. A killed training resumes when it is called again.

        run = nlpkit.train("quickstart", name="mine", training={"lr": 3e-4})

    Args:
        config: a YAML file, the name of a shipped config, or the settings themselves.
        overwrite: delete a run of that name first.
        overrides: settings that win over the config's; a dict changes only the keys that it names.

    Raises:
        ConfigError: the config is invalid or has several seeds, or another finished run is there.
        DataError: a file or a row is wrong, or there is nothing to train on.
        RunError, SourceError: the base is refused, or can't be fetched.
    """
    runs = train_seeds(config, overwrite=overwrite, single=True, **overrides)
    return runs[0]


def train_seeds(
    config: Path | str | Mapping[str, Any],
    *,
    overwrite: bool = False,
    check: bool = False,
    single: bool = False,
    given: Sequence[str] = (),
    talk: Callable[[str], None] | None = None,
    progress: Callable[[Progress], None] | None = None,
    **overrides: Any,
) -> list[Run]:
    """Train one run for each of the config's `seeds`, measure them, and return them.

    Args:
        config: a YAML file, the name of a shipped config, or the settings themselves.
        overwrite: delete runs of that name first.
        check: stop after the preflight, write nothing, and return no runs.
        single: refuse a config with several seeds.
        given: overrides as the command line has them, `key.path=value`.
        talk: gets lines for people; default: the log `nlpkit`, warnings at that level.
        progress: gets each optimizer step.
        overrides: settings that win over the config's.

    Raises:
        ConfigError: the config is invalid, or a finished run of another training is there.
        DataError: a file or a row is wrong, or there is nothing to train on.
        RunError, SourceError: the base is refused, or can't be fetched.
    """
    loaded = read_training(config, given, overrides)
    seeds = getattr(loaded.settings(), "seeds", ())
    if single and len(seeds) > 1:
        raise ConfigError(
            f"seeds: {list(seeds)}; one run is asked for; hint: nlpkit.train_seeds, or seeds=[1]"
        )
    steps: dict[str, Any] = {"progress": progress} if progress else {}
    return loaded.train(TrainOptions(talk=talk or log_line, check=check, overwrite=overwrite, **steps))


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """A config as it was read, with its recipe."""

    where: Path
    tree: dict[str, Any]
    lines: Mapping[Keys, int]
    """Of each key of the file."""
    recipe: Any

    def merged(self, overrides: Mapping[str, Any]) -> TrainingConfig:
        """Return the config with overrides; keys may be dotted."""
        return replace(self, tree=merge(self.tree, overrides))

    def without(self, *keys: str) -> TrainingConfig:
        """Return the config without some of its top keys."""
        return replace(self, tree={key: value for key, value in self.tree.items() if key not in keys})

    def settings(self) -> Any:
        """Return the valid settings, of the recipe's own model.

        Raises:
            ConfigError: with every problem at once.
        """
        return validate(self.tree, self.recipe.Config, where=self.where, lines=self.lines)

    def train(self, options: TrainOptions) -> list[Run]:
        """Train by the recipe.

        Raises:
            ConfigError: the config is invalid, asks for a search, or a finished run of another training is
                there.
        """
        settings = self.settings()
        if getattr(settings, "search", None):
            raise ConfigError(
                f"{self.where}: search: one training is asked for; "
                "hint: nlpkit.hyperparameter_search, or the command nlpkit train"
            )
        refuse_missing_trackers(getattr(getattr(settings, "training", None), "track", ()))
        runs: list[Run] = self.recipe.train(settings, options)
        return runs


def read_training(
    config: Path | str | Mapping[str, Any],
    given: Sequence[str] = (),
    overrides: Mapping[str, Any] | None = None,
) -> TrainingConfig:
    """Return a config with its recipe.

    Args:
        config: a YAML file, the name of a shipped config, or the settings themselves.
        given: overrides as the command line has them, `key.path=value`.
        overrides: settings that win over the config's.

    Raises:
        ConfigError: the file or an override can't be read, or there is no such recipe.
    """
    if isinstance(config, Mapping):
        where, tree = Path("the settings"), dict(config)
        lines: dict[Keys, int] = {}
    else:
        where = find_config(Path(config))
        tree, lines = read_config(where, given)
    whole = {key: value for key, value in (overrides or {}).items() if key == "search"}  # its keys are dotted
    tree = merge(tree, {key: value for key, value in (overrides or {}).items() if key not in whole}) | whole
    tree = absolute_files(tree, where.parent)
    return TrainingConfig(where=where, tree=tree, lines=lines, recipe=load_recipe(tree.get("recipe")))


def refuse_missing_trackers(trackers: Sequence[str]) -> None:
    """Look for the packages of trackers before anything is written.

    Raises:
        ConfigError: one is not installed.
    """
    packages = {"azure_ml": "azureml", "flyte": "flytekit", "dagshub": "mlflow"}
    for tracker in trackers:
        package = packages.get(tracker, tracker)
        if importlib.util.find_spec(package) is None:
            hint = f"hint: pip install {package}, or leave it out"
            raise ConfigError(
                f"training.track: {tracker!r} needs the package {package!r}, which is not installed; {hint}"
            )


def log_line(line: str) -> None:
    """Hand a line for people to the log `nlpkit`."""
    level = logging.WARNING if line.startswith("warning") else logging.INFO
    logging.getLogger("nlpkit").log(level, line)
