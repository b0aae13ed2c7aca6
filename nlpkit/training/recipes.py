"""The recipes that there are: files beside the package in a checkout, inside it in a wheel."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from nlpkit.errors import ConfigError, nearest


def recipes_folder() -> Path:
    """Where the recipes and their configs lie."""
    inside = Path(__file__).parent.parent / "recipes_"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "recipes"


def find_config(path: Path) -> Path:
    """The config at a path, or the shipped one of that name: `quickstart` stands for recipes/configs/quickstart.yaml."""
    shipped = recipes_folder() / "configs" / f"{path}.yaml"
    return shipped if not path.suffix and not path.exists() and shipped.is_file() else path


def load_recipe(name: object) -> ModuleType:
    """The recipe of that name: a module with `Config` and `train`.

    Raises:
        ConfigError: there is none.
    """
    known = {path.stem: path for path in sorted(recipes_folder().glob("[a-z]*.py"))}
    if name not in known:
        raise ConfigError(f"recipe: {name!r} is no recipe{nearest(str(name), known)}")
    if loaded := sys.modules.get(f"nlpkit_recipe_{name}"):
        return loaded
    spec = importlib.util.spec_from_file_location(f"nlpkit_recipe_{name}", known[str(name)])
    if spec is None or spec.loader is None:
        raise ConfigError(f"recipe: {known[str(name)]} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # pydantic looks annotations up there
    spec.loader.exec_module(module)
    return module
