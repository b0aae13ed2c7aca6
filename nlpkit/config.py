"""Read YAML 1.2 and dotted overrides into a frozen, valid config, or raise one error with every problem."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from nlpkit.errors import ConfigError, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

MAX_BYTES = 1_000_000
"""A config larger than this is a mistake: it is data, or a bomb."""

MAX_DEPTH = 30
"""No setting stands deeper than a handful of keys."""

Config = TypeVar("Config", bound=BaseModel)
Keys = tuple[str | int, ...]


def read_config(path: Path, overrides: Sequence[str] = ()) -> tuple[dict[str, Any], dict[Keys, int]]:
    """Return the plain tree that a YAML file and its overrides hold, and the line of each key.

    Raises:
        ConfigError: the file cannot be read, is no YAML 1.2 mapping, repeats a key or uses aliases, or an
            override is malformed.
    """
    tree, lines = _parse(_text_of(path), path)
    problems = []
    for override in overrides:
        wrong = _apply(tree, lines, override)
        if wrong:
            problems.append(wrong)
    if problems:
        raise invalid(path, problems)
    return tree, lines


def load_config(path: Path, model: type[Config], overrides: Sequence[str] = ()) -> Config:
    """Return the config in `path`, with `key.path=value` overrides applied, checked against `model`.

    Raises:
        ConfigError: with every problem: file, line, dotted key, what was expected, what was found, the
            nearest name.
    """
    tree, lines = read_config(path, overrides)
    return validate(tree, model, where=path, lines=lines)


def validate(
    tree: Mapping[str, Any], model: type[Config], *, where: Path, lines: Mapping[Keys, int] | None = None
) -> Config:
    """Return the tree as a frozen config.

    Raises:
        ConfigError: with every problem at once.
    """
    try:
        return model.model_validate(tree)
    except ValidationError as error:
        raise invalid(where, _sentences(error, tree, model, lines or {})) from None


def find_problems(tree: Mapping[str, Any], model: type[BaseModel]) -> list[str]:
    """Return what is wrong with the tree, a sentence for each key; none where it is valid."""
    try:
        model.model_validate(tree)
    except ValidationError as error:
        return _sentences(error, tree, model, {})
    return []


def _sentences(
    error: ValidationError, tree: Mapping[str, Any], model: type[BaseModel], lines: Mapping[Keys, int]
) -> list[str]:
    details = sorted(
        error.errors(include_url=False), key=lambda detail: lines.get(_real(detail["loc"], tree), 0)
    )
    return _merge(_sentence(detail, tree, model, lines) for detail in details)


def yaml_value(text: str, *, where: str) -> Any:
    """Return the value that a YAML text holds.

    Raises:
        ConfigError: it is not valid YAML.
    """
    try:
        return _yaml().load(text)
    except Exception as error:  # ruamel's constructors raise more than its own errors
        raise ConfigError(f"{where} {text!r}: not valid YAML: {_first_lines(error)}") from None


def merge(tree: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tree with overrides in it: a mapping changes the keys that it names, anything else replaces.

    A key may be dotted: `{"training.lr": 3e-4}` and `{"training": {"lr": 3e-4}}` say the same.
    """
    merged = dict(tree)
    for dotted, value in overrides.items():
        key, _, rest = dotted.partition(".")
        if rest:
            value = {rest: value}
        if isinstance(value, Mapping):
            inner = merged.get(key)
            value = merge(inner if isinstance(inner, Mapping) else {}, value)
        merged[key] = value
    return merged


def to_yaml(config: BaseModel) -> str:
    """Return the resolved config as YAML that can be run again."""
    stream = io.StringIO()
    yaml = _yaml()
    yaml.default_flow_style = False
    yaml.dump(config.model_dump(mode="json"), stream)
    return stream.getvalue()


def _yaml() -> Any:
    from ruamel.yaml import YAML

    yaml: Any = YAML(typ="safe", pure=True)
    yaml.version = (1, 2)  # 1.1 reads `no` as False and 3e-4 as a string
    yaml.sort_base_mapping_type_on_output = False
    return yaml


def _text_of(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: is no regular file; expected a YAML file; hint: name a file")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ConfigError(f"{path}: {size} bytes; expected a config of at most {MAX_BYTES}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = [config.name for config in path.parent.glob("*.yaml")] if path.parent.is_dir() else []
        raise ConfigError(f"{path}: no such file{nearest(path.name, names)}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}; expected a YAML text file") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None


def _parse(text: str, path: Path) -> tuple[dict[str, Any], dict[Keys, int]]:
    try:
        _refuse_bombs(text, path)
        tree = _yaml().load(text)
        lines = dict(_lines(_yaml().compose(text)))
    except ConfigError:
        raise
    except Exception as error:  # as above
        raise ConfigError(f"{path}: not valid YAML 1.2: {_first_lines(error)}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of settings, found {type(tree).__name__}")
    return tree, lines


def _refuse_bombs(text: str, path: Path) -> None:
    """Refuse aliases, which grow without end, tags, and deep brackets, which take minutes to parse."""
    from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent

    depth = 0
    for event in _yaml().parse(io.StringIO(text)):
        if isinstance(event, AliasEvent):
            raise ConfigError(f"{path}: aliases (*name) are not allowed in a config; write the value out")
        if tag := getattr(event, "tag", None):
            raise ConfigError(f"{path}: tags ({tag}) are not allowed in a config; write the value alone")
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{path}: nested deeper than {MAX_DEPTH}; expected a config")


def _first_lines(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    position = f"line {mark.line + 1}: " if mark is not None else ""
    return position + str(getattr(error, "problem", None) or error).strip().splitlines()[0]


def _lines(node: Any, at: Keys = ()) -> Iterator[tuple[Keys, int]]:
    """Yield the line, from 1, of each key below a composed node."""
    if node is None or isinstance(node.value, str):
        return
    for position, child in enumerate(node.value):
        key, value = child if isinstance(child, tuple) else (None, child)
        here = (*at, key.value if key is not None else position)
        yield here, (key or value).start_mark.line + 1
        yield from _lines(value, here)


def _apply(tree: dict[str, Any], lines: dict[Keys, int], override: str) -> str | None:
    """Set one dotted key, and return what is wrong with the override, if anything."""
    key, equals, text = override.partition("=")
    if not equals or not all(key.split(".")):
        return f"override {override!r}: expected key=value, such as training.lr=3e-4"
    try:
        value = _yaml().load(text)
    except Exception as error:
        return f"override {override!r}: the value is not valid YAML: {_first_lines(error)}"
    here: Any = tree
    parts = [int(part) if part.isdecimal() and len(part) < 10 else part for part in key.split(".")]
    *parents, last = parts
    for part, inside in pairwise(parts):
        inner = here[part] if _holds(here, part) else None
        if not isinstance(inner, (dict, list)):
            if not isinstance(here, dict):
                return f"override {override!r}: {key!r} names no place in the config"
            # A text alone stands for a list of one, as in `train: rows.csv`
            inner = here[part] = [{}] if isinstance(inner, str) and inside == 0 else {}
        here = inner
    if isinstance(here, list) and not _holds(here, last):
        return f"override {override!r}: {key!r} names no place in the config"
    here[last] = value
    lines.pop((*parents, last), None)
    return None


def _holds(inside: Any, key: str | int) -> bool:
    return (isinstance(inside, dict) and key in inside) or (
        isinstance(inside, list) and isinstance(key, int) and key < len(inside)
    )


def _real(loc: Keys, tree: Mapping[str, Any]) -> Keys:
    """Return the part of pydantic's location that is in the file: it also names the members of unions."""
    here: Any = tree
    real: list[str | int] = []
    for part in loc:
        if _holds(here, part):
            here = here[part]
            real.append(part)
        elif part == loc[-1] and isinstance(here, dict):
            real.append(part)
    return tuple(real)


def _sentence(
    error: ErrorDetails, tree: Mapping[str, Any], model: type[BaseModel], lines: Mapping[Keys, int]
) -> str:
    keys = _real(error["loc"], tree)
    at = f"line {lines[keys]}: " if keys in lines else ""
    name = ".".join(str(key) for key in keys) or "the config"
    if error["type"] == "extra_forbidden":
        return f"{at}{name}: unknown key{nearest(str(keys[-1]), _fields_at(model, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{at}{name}: missing; a value is required"
    value = error["input"]
    shown = (
        f"{str(value)[:60]!r}" if isinstance(value, str) else f"{str(value)[:60]} ({type(value).__name__})"
    )
    hint = ""
    if error["type"] == "literal_error" and isinstance(value, str):
        choices = error["ctx"]["expected"].replace(" or ", ", ").split(", ")
        hint = nearest(value, [choice.strip("'") for choice in choices])
    if error["type"] == "value_error":
        return f"{at}{name}: {error['ctx']['error']}"
    return f"{at}{name}: {error['msg'][0].lower()}{error['msg'][1:]}, found {shown}{hint}"


def _fields_at(model: type[BaseModel], loc: Keys) -> list[str]:
    """Return the keys that are allowed at a location, walking through tuples and unions of models."""
    models = [model]
    for part in loc:
        inner = [
            candidate.model_fields[part].annotation
            for candidate in models
            if isinstance(part, str) and part in candidate.model_fields
        ]
        models = [member for annotation in inner for member in _models_in(annotation)] or models
    return sorted({name for candidate in models for name in candidate.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [member for inner in getattr(annotation, "__args__", ()) for member in _models_in(inner)]


def _merge(sentences: Iterable[str]) -> list[str]:
    """Keep one sentence a key: a union complains once for each of its members."""
    first: dict[str, str] = {}
    for sentence in sentences:
        at, _, rest = sentence.partition(": ") if sentence.startswith("line ") else ("", "", sentence)
        first.setdefault(f"{at} {rest.partition(': ')[0]}", sentence)
    return list(first.values())


def invalid(path: Path, problems: Sequence[str]) -> ConfigError:
    """Return the error that lists what is wrong with a config."""
    count = f"{len(problems)} problem" + ("s" if len(problems) > 1 else "")
    return ConfigError(f"{path}: {count}\n" + "\n".join(f"  - {problem}" for problem in problems))
