"""Write files whole, hash them, and report a full disk: what several packages need of a file system."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from nlpkit.errors import NlpkitError

NEARLY_FULL = 1_000_000
"""Free bytes under which a failed write is put down to the full disk."""


@contextmanager
def room_left(folder: Path) -> Iterator[None]:
    """Turn the failures of libraries on a full disk into one clear error.

    Raises:
        NlpkitError: naming the folder and what is free.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:  # torch reports a short write as a RuntimeError
        free = shutil.disk_usage(folder).free
        if getattr(error, "errno", None) not in (errno.ENOSPC, errno.EDQUOT) and free > NEARLY_FULL:
            raise
        problem = f"{folder}: no space left on the disk, {free:,} bytes free"
        raise NlpkitError(
            f"{problem}; hint: free some, then run the command again: it resumes from the last checkpoint"
        ) from error


def write_whole(path: Path, text: str) -> None:
    """Write a file atomically: it is there with all of its text, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def sha256_of(paths: Sequence[Path]) -> str:
    """Return one hash over the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def fingerprint(tree: Mapping[str, Any]) -> str:
    """Return a short hash of plain values: equal settings have equal fingerprints."""
    return hashlib.sha256(json.dumps(tree, sort_keys=True, default=str).encode()).hexdigest()[:16]
