"""The catalog: models and data sets that a package index can bring, found by their names."""

from __future__ import annotations

from nlpkit.errors import SourceError, nearest
from nlpkit.sources.data_entries import DATA_SETS
from nlpkit.sources.entry import Entry, Part
from nlpkit.sources.model_entries import MODELS

_ENTRIES = (*MODELS, *DATA_SETS)


def catalogue() -> tuple[Entry, ...]:
    """Every entry, models first."""
    return _ENTRIES


def names() -> tuple[str, ...]:
    """Every name that can be asked for: the entries, and `entry/part` where an entry has several."""
    parts = (
        f"{entry.name}/{part.name}" for entry in catalogue() if len(entry.parts) > 1 for part in entry.parts
    )
    return (*(entry.name for entry in catalogue()), *parts)


def find(name: str) -> tuple[Entry, Part | None]:
    """Return the entry, and the part where `entry/part` names one or the entry has only one.

    Raises:
        SourceError: nothing has this name.
    """
    title, _, piece = name.partition("/")
    for entry in catalogue():
        if entry.name != title:
            continue
        if not piece:
            return entry, entry.parts[0] if len(entry.parts) == 1 else None
        for part in entry.parts:
            if part.name == piece:
                return entry, part
    raise SourceError(f"{name}: no such source in the catalog{nearest(name, names())}")
