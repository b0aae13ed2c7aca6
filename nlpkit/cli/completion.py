"""What the shell proposes when TAB is pressed: runs, configs, keys of a config, and sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

import typer  # noqa: TC002  # typer reads the annotation

Proposals = list[tuple[str, str]]


def complete_runs(incomplete: str) -> Proposals:
    """Propose the built-in runs and those below `runs`."""
    from nlpkit.run import BUILT_IN, find_runs

    paths = [str(run.path) for run in find_runs(Path("runs"))]
    return _fitting(incomplete, [(name, "") for name in (*BUILT_IN, *paths)])


def complete_configs(incomplete: str) -> Proposals:
    """Propose the shipped configs and the YAML files here."""
    from nlpkit.training.shipped import shipped_configs

    shipped = [(config.name, config.summary) for config in shipped_configs()]
    return _fitting(incomplete, [*shipped, *((str(path), "") for path in sorted(Path().glob("*.yaml")))])


def complete_sources(incomplete: str) -> Proposals:
    """Propose the models and data sets of the catalog."""
    from nlpkit.sources import catalogue

    return _fitting(incomplete, [(entry.name, entry.summary) for entry in catalogue()])


def complete_keys(ctx: typer.Context, incomplete: str) -> Proposals:
    """Propose the keys that the config on the command line may hold."""
    from nlpkit.errors import NlpkitError
    from nlpkit.training.train import read_training

    try:
        config = read_training(ctx.params["config"]).recipe.Config
    except (NlpkitError, LookupError):
        return []
    return _fitting(incomplete, [(f"{key}=", "") for key in dict.fromkeys(_keys(config, ""))])


def _keys(model: Any, before: str) -> Iterator[str]:
    """Yield the dotted keys of a pydantic model; those of a list's first element as `data.train.0.source`."""
    for name, field in model.model_fields.items():
        inner = list(_models(field.annotation, f"{before}{name}"))
        for part, path in inner:
            yield from _keys(part, f"{path}.")
        if not inner:
            yield f"{before}{name}"


def _models(annotation: Any, path: str) -> Iterator[tuple[Any, str]]:
    if hasattr(annotation, "model_fields"):
        yield annotation, path
    if get_origin(annotation) is dict:
        return
    inside = f"{path}.0" if get_origin(annotation) is tuple else path
    for part in get_args(annotation):
        yield from _models(part, inside)


def _fitting(incomplete: str, proposals: Iterable[tuple[str, str]]) -> Proposals:
    return [(name, help) for name, help in proposals if name.startswith(incomplete)]
