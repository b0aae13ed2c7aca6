"""Checkpoints with a marker, written last, that holds a hash of each file and the training's fingerprint."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from nlpkit.errors import ConfigError
from nlpkit.files import sha256_of, write_whole

MARKER = "nlpkit.json"


def mark(folder: Path, *, fingerprint: str) -> None:
    """Mark a checkpoint as complete; one without the marker may lack files."""
    files = {
        path.name: sha256_of([path])
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != MARKER
    }
    write_whole(folder / MARKER, json.dumps({"fingerprint": fingerprint, "files": files}, indent=2))


def last_trusted(folder: Path, *, fingerprint: str, warn: Callable[[str], None]) -> Path | None:
    """Return the newest complete checkpoint, and delete the incomplete ones after it with a warning.

    Raises:
        ConfigError: the checkpoints belong to a training with other data, settings or libraries.
    """
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        problem = _problem(checkpoint)
        if problem is None:
            stored = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["fingerprint"]
            if stored != fingerprint:
                raise other_training(folder)
            return checkpoint
        warn(f"{checkpoint}: not complete ({problem}); going back to the one before")
        shutil.rmtree(checkpoint, ignore_errors=True)
    return None


def refuse_others(folder: Path, *, fingerprint: str) -> None:
    """Refuse the newest complete checkpoint of another training, before anything is computed.

    Args:
        folder: of the checkpoints.
        fingerprint: of the training, without the number of its processes.

    Raises:
        ConfigError: the checkpoint belongs to a training with other data, settings or libraries.
    """
    for checkpoint in sorted(folder.glob("checkpoint-*"), key=_step, reverse=True):
        if _problem(checkpoint) is None:
            stored = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["fingerprint"]
            if not f"{stored} ".startswith(f"{fingerprint} "):
                raise other_training(folder)
            return


def other_training(folder: Path) -> ConfigError:
    """Return the error for checkpoints, in that folder, of another training."""
    return ConfigError(
        f"{folder.parent}: an unfinished training with other data, settings or library versions is there; "
        "hint: --overwrite, or another name"
    )


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdecimal() else -1


def _problem(checkpoint: Path) -> str | None:
    """Return what is wrong with a checkpoint's files, or None."""
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
