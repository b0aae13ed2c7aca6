"""Checkpoints that can be trusted: a marker, written last, holds the hash of every file and what was being trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from nlpkit.errors import ConfigError
from nlpkit.files import sha256_of, write_whole

MARKER = "nlpkit.json"


def mark(folder: Path, *, fingerprint: str) -> None:
    """Declare a checkpoint complete. Trainer writes its files one by one, so that one without this may be half there."""
    files = {
        one.name: sha256_of([one]) for one in sorted(folder.iterdir()) if one.is_file() and one.name != MARKER
    }
    write_whole(folder / MARKER, json.dumps({"fingerprint": fingerprint, "files": files}, indent=2))


def last_trusted(folder: Path, *, fingerprint: str, warn: Callable[[str], None]) -> Path | None:
    """The newest complete checkpoint; newer ones that are not complete are said and deleted.

    Raises:
        ConfigError: the checkpoints are of another training: other data, settings or libraries.
    """
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        problem = _problem(checkpoint)
        if problem is None:
            stored = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["fingerprint"]
            if stored != fingerprint:
                found = f"{folder.parent}: an unfinished training with other data, settings or library versions is there"
                raise ConfigError(f"{found}; cure: --overwrite, or another name")
            return checkpoint
        warn(f"{checkpoint}: not complete ({problem}); going back to the one before")
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _problem(checkpoint: Path) -> str | None:
    """What is wrong with a checkpoint's files, if anything."""
    try:
        marker = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))
        files = dict(marker["files"])
        str(marker["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return "killed while it was written"
    for name, expected in files.items():
        path = checkpoint / name
        if not path.is_file():
            return f"{name} is missing"
        if sha256_of([path]) != expected:
            return f"{name} is damaged"
    return None
