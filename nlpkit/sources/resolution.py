"""Resolving: from what a user names to files on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nlpkit.errors import DataError, SourceError, nearest
from nlpkit.sources import hub
from nlpkit.sources.entries import find, names
from nlpkit.sources.entry import Kind
from nlpkit.sources.fetching import fetch
from nlpkit.sources.wheels import Progress

SUITES = ("behavior", "behavior/dev")
"""The suites of sentences that the package holds: the half to report on, and the one to develop on."""


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a source was when it was used, to be stored with a run."""

    source: str
    """As the user named it."""
    revision: str | None
    """The hub's commit or the packages' versions; a plain path has none."""


def resolve(source: str, *, kind: Kind = "model", progress: Progress | None = None) -> Path:
    """Return the local folder or file of a path, a `hub:org/name@revision`, or a name of the catalog.

    Raises:
        DataError: a path that is not there.
        SourceError: it could not be brought to this machine.
    """
    if source.startswith("hub:"):
        return hub.download(source, kind)
    if source in SUITES:
        return _suite(source, kind)
    # A name of the catalog always means the catalog: a folder called "tweets" is written ./tweets
    if _in_catalogue(source):
        return _fetched(source, kind, progress)
    path = Path(source).expanduser()
    if source and path.exists():
        return path
    if _looks_like_path(source):
        raise DataError(f"{source}: no such file or folder{_sibling(path)}")
    raise SourceError(
        f"{source!r}: neither a file or folder here nor a name of the catalog"
        f"{nearest(source, (*names(), *SUITES))}; "
        "a model or data set of the Hugging Face hub is written hub:org/name"
    )


def identity(source: str, path: Path) -> Identity:
    """Return what `source`, which was resolved to `path`, stands for today."""
    if source.startswith("hub:"):
        return Identity(source=source, revision=hub.commit(path))
    if _in_catalogue(source):
        return Identity(source=source, revision=find(source)[0].version)
    return Identity(source=source, revision=None)


def hub_id(source: str) -> str | None:
    """Return the public name of this model on the Hugging Face hub; None for a plain path."""
    if source.startswith("hub:"):
        return source.removeprefix("hub:").partition("@")[0]
    return find(source)[0].hub if _in_catalogue(source) else None


def suite_folder(source: str) -> Path:
    """Return the folder of one of SUITES."""
    return Path(__file__).parents[1] / "data" / "suites" / "behavior" / (source.partition("/")[2] or "report")


def _suite(source: str, kind: Kind) -> Path:
    """Return the folder of a suite whose sentences may train."""
    if kind != "data":
        raise SourceError(f"{source}: is data, expected a model")
    if source == SUITES[0]:
        raise SourceError(
            f"{source}: is the half to report on, which nothing may learn from; hint: {SUITES[1]}, "
            f"and nlpkit evaluate RUN {source} to measure"
        )
    return suite_folder(source)


def _in_catalogue(source: str) -> bool:
    try:
        find(source)
    except SourceError:
        return False
    return True


def _fetched(source: str, kind: Kind, progress: Progress | None) -> Path:
    entry, _ = find(source)
    if entry.kind != kind:
        wanted = {"model": "a model", "data": "data"}
        raise SourceError(f"{source}: is {wanted[entry.kind]}, expected {wanted[kind]}")
    return fetch(source, progress)


def _looks_like_path(source: str) -> bool:
    begins = source.startswith((".", "~", "/", "\\")) or Path(source).is_absolute()
    return begins or bool(Path(source).suffix) or ("/" in source and Path(source).parent.is_dir())


def _sibling(path: Path) -> str:
    """Return a hint: the file in the same folder with the nearest name."""
    try:
        names = [sibling.name for sibling in path.parent.iterdir()]
    except OSError:
        return f"; the folder {path.parent} is not there either"
    return nearest(path.name, names) if names else ""
