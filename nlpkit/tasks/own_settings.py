"""What only some tasks can do: settings that mean nothing to a task are refused, and what is left is the
task's own.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from nlpkit.errors import ConfigError, nearest
from nlpkit.settings import Settings
from nlpkit.settings.data import Data
from nlpkit.settings.training import PRESETS


class HasSettings(Protocol):
    """A task, as far as its settings go."""

    source_settings: ClassVar[Any]
    training_settings: ClassVar[Any]

    @property
    def kind(self) -> str: ...


def source_for(task: HasSettings, source: Settings) -> Any:
    """Return a data source as the task's own settings.

    Raises:
        ConfigError: it sets a key that means nothing to the task.
    """
    return _own(task, task.source_settings, source, source_name(source))


def training_for(task: HasSettings, training: Settings) -> Any:
    """Return the training as the task's own settings.

    Raises:
        ConfigError: it sets a key that means nothing to the task.
    """
    return _own(task, task.training_settings, training, "training")


def foreign_keys(model: Any, settings: Settings) -> list[str]:
    """Return the keys that are set to something and that the model does not have.

    A default, or the value of a preset, counts as unset: a resolved config holds them too.
    """
    preset = PRESETS.get(str(getattr(settings, "preset", None)), {})
    return [
        key
        for key, field in type(settings).model_fields.items()
        if key not in model.model_fields
        and getattr(settings, key) not in (field.get_default(), preset.get(key, field.get_default()))
    ]


def refuse_foreign_keys(task: HasSettings, data: Data, training: Settings) -> None:
    """Refuse a config that sets a key which means nothing to its task; a validator of the config calls it.

    Raises:
        ValueError: with every such key.
    """
    parts = {"data.train": data.train, "data.validation": data.validation, "data.test": data.test}
    foreign = [
        f"{name}.{number}.{key}"
        for name, sources in parts.items()
        if isinstance(sources, tuple)
        for number, source in enumerate(sources)
        for key in foreign_keys(task.source_settings, source)
    ]
    foreign += [f"training.{key}" for key in foreign_keys(task.training_settings, training)]
    if foreign:
        raise ValueError(f"the task {task.kind!r} has no {', '.join(foreign)}; hint: remove what it can't do")


def source_name(source: Settings) -> str:
    """Return what messages call a data source."""
    return str(getattr(source, "source", "data source"))


def _own(task: HasSettings, model: Any, settings: Settings, where: str) -> Any:
    if foreign := foreign_keys(model, settings):
        raise ConfigError(
            f"{where}: the task {task.kind!r} has no key "
            f"{foreign[0]!r}{nearest(foreign[0], model.model_fields)}"
        )
    known = {key: getattr(settings, key) for key in settings.model_fields_set if key in model.model_fields}
    return model.model_validate(known)
