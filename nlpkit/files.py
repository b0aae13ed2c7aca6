"""Write files whole, hash them, and report a full disk: what several packages need of a file system."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nlpkit.errors import ConfigError, NlpkitError

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


@contextmanager
def only_writer(path: Path, lock: Path, *, wait: float = 0) -> Iterator[None]:
    """Keep other processes from writing a file meanwhile; the lock of a killed process is free.

    Args:
        path: what is written, for the messages.
        lock: a file that is there while it is written.
        wait: seconds to wait for another process.

    Raises:
        ConfigError: the folder can't be written.
        NlpkitError: another process is writing it.
    """
    import filelock

    held = filelock.FileLock(lock, timeout=wait)
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        held.acquire()
    except filelock.Timeout:
        raise NlpkitError(
            f"{path}: another process is writing it; hint: wait for it to end, or name another file"
        ) from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written: {error.strerror}; hint: name another file") from None
    try:
        yield
    finally:
        with suppress(OSError):  # removed while held, so that nobody acquires a file that is about to go
            lock.unlink()
        held.release()


def refuse_path(path: Path, taken: Mapping[str, Path | int], *, hint: str) -> None:
    """Refuse to write to a path that is in use, or that is a link, a folder or a device.

    Args:
        path: of a file that would be created or replaced.
        taken: paths, or numbers of open streams, each by what it is, such as "the input".
        hint: ends the message.

    Raises:
        ConfigError: the path is refused.
    """
    for name, used in taken.items():
        if _is_same(path, used):
            raise ConfigError(f"{path}: is {name}; expected another file to write; hint: {hint}")
    if path.is_symlink():
        raise ConfigError(
            f"{path}: is a symbolic link; expected a plain file; "
            f"hint: name the file it points to: {path.resolve()}"
        )
    if path.is_dir():
        raise ConfigError(f"{path}: is a folder; expected a file to write; hint: {hint}")
    if path.exists() and not path.is_file():
        raise ConfigError(f"{path}: is not a regular file; hint: {hint}")


def _is_same(path: Path, used: Path | int) -> bool:
    """Return whether a path names a file or an open stream, also where the file is yet to be written."""
    if isinstance(used, Path) and path.resolve() == used.resolve():
        return True
    try:
        return os.path.samestat(path.stat(), os.stat(used))
    except OSError:
        return False


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
