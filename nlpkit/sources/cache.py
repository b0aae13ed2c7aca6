"""The cache of verified sources: a folder for each entry, complete exactly when its manifest is there."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from nlpkit.files import sha256_of
from nlpkit.sources.entry import Entry

_MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class Cached:
    """One file of a cached entry, its bytes and its SHA-256."""

    file: str
    size: int
    sha256: str


def cache_folder() -> Path:
    """Return where verified sources are kept: `NLPKIT_CACHE`, else `nlpkit` in the user's cache folder."""
    if chosen := os.environ.get("NLPKIT_CACHE"):
        return Path(chosen).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("nlpkit", appauthor=False)


def home(entry: Entry) -> Path:
    """Return the entry's folder in the cache, whether it is there or not.

    Other packages or another preparation give another folder.
    """
    return cache_folder() / f"{entry.name}-{entry.fingerprint}"


def content(entry: Entry) -> Path:
    """Return the folder inside the entry's that holds its files and nothing else."""
    return home(entry) / entry.kind


def write_manifest(entry: Entry, folder: Path, files: tuple[Cached, ...]) -> None:
    """Write the manifest, the last file of a folder: from now on it is complete."""
    stated = {
        "name": entry.name,
        "packages": [wheel.requirement for wheel in entry.wheels],
        "files": {cached.file: {"size": cached.size, "sha256": cached.sha256} for cached in files},
    }
    (folder / _MANIFEST).write_text(json.dumps(stated, indent=2) + "\n", encoding="utf-8")


def is_cached(entry: Entry) -> bool:
    """Return whether the cache has the complete entry: a manifest, and each file of its stated size."""
    try:
        stated = json.loads((home(entry) / _MANIFEST).read_text(encoding="utf-8"))
        return all(
            (content(entry) / file).stat().st_size == about["size"] for file, about in stated["files"].items()
        )
    # A manifest that can't be read is that of a damaged cache, which is fetched anew.
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def damaged_files(entry: Entry) -> list[str]:
    """Return the files of a cached entry whose bytes are not those that were fetched: reads them all."""
    stated = json.loads((home(entry) / _MANIFEST).read_text(encoding="utf-8"))["files"]
    return [file for file, about in stated.items() if sha256_of([content(entry) / file]) != about["sha256"]]
