"""The reference of every key of a config, made from the settings' models: `pages()`.

What a key does comes from the tables "All keys" of the documents, else from the docstring below its field.
Its example comes from a shipped config, and the error from giving it a wrong value.
"""

from __future__ import annotations

import ast
import copy
import functools
import inspect
import itertools
import json
import re
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from nlpkit.config import find_problems, read_config
from nlpkit.training.recipes import load_recipe
from nlpkit.training.shipped import recipes_folder, shipped_configs

DOCS = Path(__file__).parents[1]
SOURCES = re.compile(r"^(data|sites)\.\w+\.0\.")
"""Sources of rows have the keys that those of `data.train` have, and are listed once."""
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
}
TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "`true` or `false`",
}
TOP = "run"
"""The page of the keys that lie at the top of a config."""


@dataclass
class Key:
    """A key of a config, in all recipes that have it."""

    name: str
    """Dotted; `0` stands for each entry of a list."""
    sentences: list[str] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    schemas: list[Mapping[str, Any]] = field(default_factory=list)
    defaults: dict[str, list[str]] = field(default_factory=dict)
    """A default as YAML -> the recipes with it."""

    @property
    def recipes(self) -> list[str]:
        """The recipes that have the key."""
        return sorted({name for recipes in self.defaults.values() for name in recipes})

    def add(self, recipe: str, model: type[BaseModel], name: str) -> None:
        """Note what a recipe's model says of the key."""
        info, schema = model.model_fields[name], _schemas(model)[name]
        documented = _documented().get(self.name) or _docstrings(model).get(name)
        for known, new in (
            (self.sentences, documented or _heading(info.annotation)),
            (self.kinds, describe(schema)),
        ):
            if new and new not in known:
                known.append(new)
        self.schemas.append(schema)
        default = "" if info.default is PydanticUndefined or "const" in schema else _yaml(info.default)
        recipes = self.defaults.setdefault(default, [])
        if recipe not in recipes:
            recipes.append(recipe)


def collect() -> dict[str, Key]:
    """Return every key of every shipped recipe."""
    keys: dict[str, Key] = {}
    for recipe in recipe_names():
        for name, model, attribute in _walk(load_recipe(recipe).Config):
            keys.setdefault(name, Key(name)).add(recipe, model, attribute)
    return keys


def recipe_names() -> list[str]:
    """Return the names of the shipped recipes."""
    return [path.stem for path in sorted(recipes_folder().glob("[a-z]*.py"))]


def pages() -> dict[str, str]:
    """Return the Markdown of the reference: a page for each group of keys."""
    groups: dict[str, list[Key]] = {}
    every = collect()
    for name, key in every.items():
        source = SOURCES.sub("data.train.0.", name)
        if source != name and source in every:
            continue
        groups.setdefault(name.partition(".")[0] if "." in name else TOP, []).append(key)
    return {group: _page(group, keys) for group, keys in sorted(groups.items())}


def _page(group: str, keys: list[Key]) -> str:
    title = "Keys at the top of a config" if group == TOP else f"Keys of `{group}`"
    parts = [f"# {title}\n"]
    if group == "data":
        parts.append("Every source of rows, such as `data.test.0`, has the keys of `data.train.0`.\n")
    for key in keys:
        parts.append(f"## `{key.name}`\n")
        parts += [f"{sentence[0].upper()}{sentence[1:].rstrip('.')}.\n" for sentence in key.sentences]
        facts = [f"- expects {' or '.join(key.kinds)}"]
        for default, recipes in key.defaults.items():
            among = "" if len(key.defaults) == 1 else f" in {', '.join(recipes)}"
            facts.append(f"- default{among}: {f'`{default}`' if default else 'none'}")
        facts.append(f"- recipes: {', '.join(key.recipes)}")
        if (example := example_of(key)) is not None:
            facts.append(f"- example: `{key.name}={example}`")
        if problem := problem_of(key):
            facts.append(f"- error of a wrong value: `{problem.replace('`', chr(39))}`")
        parts.append("\n".join(facts) + "\n")
    return "\n".join(parts)


def describe(schema: Mapping[str, Any]) -> str:
    """Return what a JSON schema allows, in words."""
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    for union in ("anyOf", "oneOf"):
        if union in schema:
            words = [describe(part) for part in schema[union] if part.get("type") != "null"]
            return " or ".join(dict.fromkeys(words))
    bounds = [f"{words} {schema[name]:g}" for name, words in BOUNDS.items() if name in schema]
    match schema.get("type"):
        case "array":
            items = schema.get("items") or {}
            return f"a list of: {describe(items)}" if items else "a list"
        case "object":
            return "a mapping"
        case None:
            return "the keys below it" if "$ref" in schema else "any value"
        case kind:
            return " ".join([TYPES.get(kind, "nothing"), ", ".join(bounds)]).strip()


def example_of(key: Key) -> str | None:
    """Return a value of the key: from a shipped config, else its default, else the first choice."""
    for _, tree in _trees():
        if (value := _get(tree, key.name.split("."))) is not None:
            return _yaml(value)
    if default := next((default for default in key.defaults if default not in ("", "[]", "{}")), None):
        return default
    choices = [value for schema in key.schemas for value in _choices(schema)]
    return _yaml(choices[0]) if choices else None


def problem_of(key: Key) -> str | None:
    """Return what nlpkit says of a wrong value; None where any value may be right."""
    wrong: list[Any] = [f"{choice}x" for schema in key.schemas for choice in _choices(schema)][:1]
    wrong += [-1, "?", {"?": 1}]
    for recipe, tree in _trees():
        if recipe not in key.recipes:
            continue
        for value in wrong:
            changed = _with(tree, key.name.split("."), value)
            for problem in find_problems(changed, load_recipe(recipe).Config) if changed else ():
                if problem.startswith(f"{key.name}: ") and "unknown key" not in problem:
                    return problem.splitlines()[0]
    return None


def _walk(model: type[BaseModel], before: str = "") -> Iterator[tuple[str, type[BaseModel], str]]:
    """Yield (dotted key, its model, its field) of all that a config may hold."""
    for name, info in model.model_fields.items():
        key = f"{before}{name}"
        inner = [candidate for candidate in _models_in(info.annotation) if not key.count(candidate.__name__)]
        if not inner or not _only_models(info.annotation):
            yield key, model, name
        many = "0." if re.search("tuple|list", str(info.annotation).lower()) else ""
        for candidate in inner:
            yield from _walk(candidate, f"{key}.{many}")


def _heading(annotation: Any) -> str:
    """Return the first line of what the keys below a key are for."""
    headings = (str(model.__doc__).partition("\n")[0] for model in _models_in(annotation) if model.__doc__)
    return next(headings, "")


def _only_models(annotation: Any) -> bool:
    """Whether a value is always given by the keys below its key."""
    if not get_args(annotation):
        return isinstance(annotation, type) and issubclass(annotation, BaseModel)
    return all(_only_models(part) for part in get_args(annotation) if isinstance(part, type))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


@functools.cache
def _schemas(model: type[BaseModel]) -> dict[str, Any]:
    return dict(model.model_json_schema().get("properties", {}))


@functools.cache
def _docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring below each field of a model and its bases."""
    texts: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        lines = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field_, text in itertools.pairwise(lines):
            if isinstance(field_, ast.AnnAssign) and isinstance(field_.target, ast.Name):
                match text:
                    case ast.Expr(value=ast.Constant(value=str(words))):
                        texts[field_.target.id] = " ".join(words.split())
    return texts


@functools.cache
def _documented() -> dict[str, str]:
    """Return the meanings of keys in the documents' tables, their links without the target."""
    meanings: dict[str, str] = {}
    for path in sorted(DOCS.glob("*.md"), key=lambda path: path.name != "training.md"):
        for line in path.read_text(encoding="utf-8").partition("ll keys\n")[2].splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if line.startswith("| `") and len(cells) == 3:
                key, _, meaning = cells
                meanings.setdefault(key.strip("`"), re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", meaning))
    return meanings


@functools.cache
def _trees() -> list[tuple[str, dict[str, Any]]]:
    """Return (recipe, tree) of the shipped configs."""
    trees = [read_config(config.path)[0] for config in shipped_configs()]
    return [(str(tree["recipe"]), tree) for tree in trees]


def _choices(schema: Mapping[str, Any]) -> list[Any]:
    own = [*schema.get("enum", ()), *([schema["const"]] if "const" in schema else [])]
    parts = [part for union in ("anyOf", "oneOf") for part in schema.get(union, ())]
    return own + [choice for part in parts for choice in _choices(part)]


def _get(tree: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(tree, list) and part.isdecimal() and tree:
            tree = tree[int(part)]
        elif isinstance(tree, dict) and part in tree:
            tree = tree[part]
        else:
            return None
    return tree


def _with(tree: dict[str, Any], parts: list[str], value: Any) -> dict[str, Any] | None:
    """Return the tree with the key set; None where its parent is something else there."""
    changed = copy.deepcopy(tree)
    here: Any = changed
    for part in parts[:-1]:
        if isinstance(here, list):
            here = here[int(part)] if part.isdecimal() and here else None
        elif isinstance(here, dict):
            here = here.setdefault(part, {})
        if not isinstance(here, (dict, list)):
            return None
    if not isinstance(here, dict):
        return None
    here[parts[-1]] = value
    return changed


def _yaml(value: Any) -> str:
    """Return a value as it is written after `key=`."""
    if isinstance(value, BaseModel):
        value = value.model_dump(mode="json", exclude_defaults=True)
    if isinstance(value, str):
        return value
    return "" if value is None else json.dumps(value, default=str, ensure_ascii=False)
