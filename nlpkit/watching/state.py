"""What a watch keeps from one call to the next: where it stands, and what it belongs to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nlpkit.data.dataset_folders import data_files
from nlpkit.errors import DataError, RunError
from nlpkit.files import sha256_of, write_whole
from nlpkit.watching.reference import Reference
from nlpkit.watching.watcher import Watcher

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Belonging:
    """What a watch is about: with anything else it cannot go on."""

    run: str
    """A hash of the run's record."""
    reference: str
    """A hash of the reference's content."""
    settings: str
    """Columns, the alarm rate and the seed."""


def hash_of(path: Path) -> str:
    """Return a hash of the content of a file, or of all data files of a folder."""
    return sha256_of(data_files(path) if path.is_dir() else [path])


def save(path: Path, watcher: Watcher, belonging: Belonging, seen: Mapping[str, str]) -> None:
    """Write a watch into a file, whole or not at all.

    Args:
        path: the file.
        watcher: where it stands.
        belonging: what it is about.
        seen: the files of the stream that were watched: their hashes and names.
    """
    tree = {
        "nlpkit watch": FORMAT, **vars(belonging), "seen": dict(seen),
        "watcher": watcher.as_dict(), "against": watcher.reference.as_dict(),
    }  # fmt: skip
    write_whole(path, json.dumps(tree) + "\n")


def load(path: Path, belonging: Belonging) -> tuple[Watcher, dict[str, str]] | None:
    """Return the watch that a file holds, and the files that it has seen; None where there is no file.

    Raises:
        RunError: it belongs to another run, reference or other settings.
        DataError: it is no such file.
    """
    if not path.exists():
        return None
    try:
        tree: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if tree["nlpkit watch"] != FORMAT:
            raise ValueError(f"format {tree['nlpkit watch']}")
        for name, now in vars(belonging).items():
            if tree[name] != now:
                raise RunError(
                    f"{path}: belongs to another {name}, so its evidence does not count here; expected "
                    "that of the earlier calls; hint: begin anew with another --state FILE"
                    + (f" (then: {tree[name]}; now: {now})" if name == "settings" else "")
                )
        watcher = Watcher.from_dict(Reference.from_dict(tree["against"]), tree["watcher"])
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise DataError(
            f"{path}: is no state of nlpkit watch ({error}); hint: name another file, which will be written"
        ) from None
    return watcher, tree["seen"]
