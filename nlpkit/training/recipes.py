"""Find recipes: the shipped ones, and the user's own."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from pydantic import BaseModel

from nlpkit.errors import ConfigError, nearest
from nlpkit.files import fingerprint
from nlpkit.metrics.metric import Metric, with_own
from nlpkit.training.shipped import recipes_folder, shipped_configs


def find_config(path: Path) -> Path:
    """Return the config at a path, or the shipped one of that name, such as `quickstart`.

    Raises:
        ConfigError: it is neither.
    """
    if path.exists() or path.suffix:
        return path
    shipped = {config.name: config.path for config in shipped_configs()}
    if str(path) not in shipped:
        raise ConfigError(f"{path}: no such file, and no shipped config{nearest(str(path), shipped)}")
    return shipped[str(path)]


def absolute_files(tree: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the config's tree with absolute paths of the user's own files, which are relative to the config.

    A run's `config.yaml`, which lies elsewhere, can then be trained again.
    """
    changed = dict(tree)
    if str(tree.get("recipe", "")).endswith(".py"):
        changed["recipe"] = str((folder / str(tree["recipe"])).absolute())
    if isinstance(tree.get("metrics"), (list, tuple)):
        changed["metrics"] = [str((folder / str(metric)).absolute()) for metric in tree["metrics"]]
    return changed


def load_metrics(named: Sequence[str], metrics: Sequence[Metric[Any]]) -> tuple[Metric[Any], ...]:
    """Return the user's own metrics, each named as `file.py:function`; `metrics` are the family's.

    Raises:
        ConfigError: there is no such file or function, loading the file raises, or two metrics have one name.
    """
    own = tuple(_load_metric(metric) for metric in named)
    with_own(metrics, own)
    return own


def _load_metric(named: str) -> Metric[Any]:
    file, colon, name = named.rpartition(":")
    if not colon or not file.endswith(".py"):
        raise ConfigError(f"metrics: {named!r}; expected a file and a function in it, such as ./mine.py:name")
    module = load_own_file(Path(file))
    function = getattr(module, name, None)
    if not callable(function):
        functions = [key for key, value in vars(module).items() if inspect.isfunction(value)]
        raise ConfigError(f"metrics: {file} has no function {name!r}{nearest(name, functions)}")
    return Metric.of_function(function, name, where=f"{Path(file).name}:{name}")


def load_recipe(name: object, *, folder: Path | None = None) -> Any:
    """Return a recipe: a module with `Config`, a pydantic model, and `train(config, options)`.

    Args:
        name: of a shipped recipe, or the path of a Python file of the user's own, such as `./mine.py`.
        folder: what such a path is relative to: the config's folder.

    Raises:
        ConfigError: there is none, or it can't be used.
    """
    known = {path.stem: path for path in sorted(recipes_folder().glob("[a-z]*.py"))}
    if isinstance(name, str) and name.endswith(".py"):
        return _load_own((folder or Path()) / name)
    if name not in known:
        hint = "" if name else "; hint: begin the config with `recipe: sentiment`"
        raise ConfigError(f"recipe: {name!r} is no recipe{nearest(str(name), known)}{hint}")
    return load_file(known[str(name)], module=f"nlpkit_recipe_{name}")


class _Uncached(SourceFileLoader):
    """Compile the file each time: bytecode of before a change in the same second would be taken for new."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def load_file(path: Path, *, module: str) -> ModuleType:
    """Return a Python file as a module, loaded once.

    Raises:
        ConfigError: it raises when it is loaded.
    """
    if loaded := sys.modules.get(module):
        return loaded
    spec = importlib.util.spec_from_file_location(module, path, loader=_Uncached(module, str(path)))
    if spec is None or spec.loader is None:
        raise ConfigError(f"{path}: is no Python file")
    made = importlib.util.module_from_spec(spec)
    sys.modules[module] = made  # pydantic looks annotations up there
    try:
        spec.loader.exec_module(made)
    except Exception as error:
        del sys.modules[module]
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise ConfigError(
            f"{path}{line}: raises {type(error).__name__} when it is loaded: {error}"
        ) from error
    return made


def load_own_file(path: Path) -> ModuleType:
    """Return a file of the user's own as a module; the same file is loaded once, a changed one anew.

    Raises:
        ConfigError: there is no such file, or it raises when it is loaded.
    """
    if not path.is_file():
        files = [f"./{file.name}" for file in path.parent.glob("*.py")] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file{nearest(f'./{path.name}', files) if files else ''}")
    content = path.read_text(encoding="utf-8", errors="replace")
    key = fingerprint({"path": str(path.absolute()), "content": content})
    return load_file(path, module=f"nlpkit_own_{path.stem}_{key}")


def _load_own(path: Path) -> ModuleType:
    recipe = load_own_file(path)
    config, train = getattr(recipe, "Config", None), getattr(recipe, "train", None)
    if not (isinstance(config, type) and issubclass(config, BaseModel)):
        raise ConfigError(
            f"{path}: a recipe needs `Config`, a pydantic model such as nlpkit.settings.Settings"
        )
    missing = {"name", "output", "seed"} - set(config.model_fields)
    if missing:
        raise ConfigError(f"{path}: `Config` lacks the fields {', '.join(sorted(missing))}")
    if not callable(train) or len(inspect.signature(train).parameters) != 2:
        raise ConfigError(
            f"{path}: a recipe needs `train(config, options)`, which returns the runs that it trained"
        )
    return recipe
