"""What a search may try, and whether the config could be trained with all of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nlpkit.config import find_problems, invalid
from nlpkit.errors import ConfigError, nearest
from nlpkit.settings import Range, Scalar, Search
from nlpkit.training.train import TrainingConfig

SAME_FOR_ALL = (
    "recipe", "name", "output", "seed", "seeds", "text_hashes", "metrics", "behavior", "search", "data",
    "task", "evaluation", "training.metric", "training.evaluations", "training.track",
)  # fmt: skip
"""Keys, with all below them, in which trials must not differ: they would not be compared on one scale."""


def search_of(loaded: TrainingConfig) -> Search:
    """Return the search that a config asks for, with every end and choice of its space checked.

    Raises:
        ConfigError: the config or a setting in the space is invalid, or there is no search; with every
            problem at once.
    """
    search: Search | None = getattr(loaded.settings(), "search", None)
    if search is None:
        raise ConfigError(
            f"{loaded.where}: no search; expected `search: {{space: {{training.lr: [3e-4, 1e-3]}}}}`"
        )
    if problems := list(dict.fromkeys(_problems(loaded, search))):
        raise invalid(loaded.where, problems)
    return search


def _problems(loaded: TrainingConfig, search: Search) -> Iterator[str]:
    plain, model = loaded.without("search"), loaded.recipe.Config
    for key, values in search.space.items():
        line = loaded.lines.get(("search", "space", key))
        at = f"{f'line {line}: ' if line else ''}search.space"
        if any(f"{key}.".startswith(f"{fixed}.") for fixed in SAME_FOR_ALL):
            allowed = ", ".join(name for name in model.model_fields if name not in SAME_FOR_ALL)
            yield f"{at}: {key!r} must be the same for all trials; expected keys of {allowed}"
            continue
        if not isinstance(values, Range) and len(set(map(repr, values))) < max(2, len(values)):
            yield f"{at}.{key}: expected at least two different choices, found {list(values)}"
        for value in _ends(values):
            for problem in find_problems(plain.merged({key: value}).tree, model):
                yield f"{at}: {problem}{_nearest_key(key, model) if 'unknown key' in problem else ''}"


def _nearest_key(key: str, model: Any) -> str:
    """Return the nearest top key, where it is the one that is unknown."""
    top = key.partition(".")[0]
    return "" if top in model.model_fields or "." not in key else nearest(top, model.model_fields)


def _ends(values: Range | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    return (values.low, values.high) if isinstance(values, Range) else values


def own_values(loaded: TrainingConfig, search: Search) -> dict[str, Scalar] | None:
    """Return the config's own values of the keys that are searched; None where one is not in the space."""
    own: dict[str, Scalar] = {}
    for key, values in search.space.items():
        value: Any = loaded.settings()
        for part in key.split("."):
            value = getattr(value, part, None)
        inside = values.holds(value) if isinstance(values, Range) else value in values
        if not inside:
            return None
        own[key] = value
    return own


def in_words(search: Search) -> str:
    """Return the space in a line."""
    return ", ".join(f"{key} {_one(values)}" for key, values in search.space.items())


def _one(values: Range | tuple[Scalar, ...]) -> str:
    if isinstance(values, Range):
        return f"{values.low:g} to {values.high:g}{' (log)' if values.log else ''}"
    return f"of {', '.join(map(str, values))}"
