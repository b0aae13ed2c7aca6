"""The errors that a user can fix. Anything else that escapes the library is a bug.

* NlpkitError
  x ConfigError    the command or the config is wrong (exit code 2)
  x DataError      a file or a row is wrong (3)
  x SourceError    a model or a data set could not be brought here (1)
  x RunError       a run, a model or an adapter is refused (4)
"""

from __future__ import annotations

import difflib
import importlib
import os
from collections.abc import Iterable
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError


class NlpkitError(Exception):
    """Something that the user can fix: the message says where, what was found and what was expected."""

    exit_code = 1


class ConfigError(NlpkitError):
    """The command line or a config is wrong."""

    exit_code = 2


class DataError(NlpkitError):
    """A file or a row of it is wrong."""

    exit_code = 3


class SourceError(NlpkitError):
    """A model or a data set could not be brought to this machine."""


class RunError(NlpkitError):
    """A run, a model or an adapter is refused."""

    exit_code = 4


def nearest(name: str, known: Iterable[object]) -> str:
    """Return the known name closest to `name` as a hint, "; did you mean 'text'?", or else a list."""
    names = [str(known_name) for known_name in known]
    if match := close_match(name, names):
        return f"; did you mean {match!r}?"
    if not names:
        return ""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"; known: {shown}"


def first_problem(error: ValidationError, whole: str = "the text") -> str:
    """Return the first of pydantic's problems in one line: the key, or what has none, and what is wrong."""
    first = error.errors(include_url=False)[0]
    key = " ".join(".".join(map(str, first["loc"])).split())
    return f"{key or whole}: {first['msg']}"


NO_TELEMETRY = {"ORT_DISABLE_TELEMETRY": "1", "RAY_USAGE_STATS_ENABLED": "0"}
"""Environment variables that stop dependencies from reporting to their makers.

ONNX Runtime reads its own at import: later it has already looked up a host and written a device id.
"""


def close_match(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """Return the known name closest to `name`; None where none is close."""
    lowered = {known_name.casefold(): known_name for known_name in known}
    matches = difflib.get_close_matches(name.casefold(), lowered, n=1, cutoff=cutoff)
    return lowered[matches[0]] if matches else None


def optional(module: str, *, extra: str) -> ModuleType:
    """Import a module of an optional dependency, with telemetry off, and return it.

    Raises:
        ConfigError: it is not installed; the message names the extra that brings it.
    """
    os.environ.update(NO_TELEMETRY)
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ConfigError(
            f"this needs the package {module!r}, which is not installed; hint: pip install 'nlpkit[{extra}]'"
        ) from error
