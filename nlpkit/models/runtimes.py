"""What a row says in a table of runtimes. Classifiers and chat models each have such a table."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from nlpkit.errors import ConfigError, nearest, optional


@dataclass(frozen=True, kw_only=True)
class RuntimeRow:
    """A runtime as the command line offers it. A subclass adds how an export is written and opened."""

    name: str
    help: str
    """What it is, in a few words."""
    package: str | None = None
    """The module that it needs besides nlpkit's own requirements; None: it needs none."""
    extra: str = ""
    """The extra of nlpkit that installs the package."""

    @property
    def is_installed(self) -> bool:
        """Whether the package is installed; answered without importing it."""
        return self.package is None or importlib.util.find_spec(self.package) is not None

    def library(self) -> ModuleType:
        """Import the package.

        Raises:
            ConfigError: it is not installed.
        """
        if self.package is None:
            raise ValueError(f"the runtime {self.name} needs no package")
        return optional(self.package, extra=self.extra)


Row = TypeVar("Row", bound=RuntimeRow)


def find_runtime(name: str, rows: Mapping[str, Row]) -> Row:
    """Return the row of this name.

    Raises:
        ConfigError: there is none.
    """
    if name not in rows:
        raise ConfigError(f"{name!r} is no runtime here{nearest(name, rows)}")
    return rows[name]
