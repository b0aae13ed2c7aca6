"""Unfinished work on one output: chunks are appended and made safe one by one; the file appears when all are
there.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nlpkit.errors import DataError, NlpkitError
from nlpkit.scoring.output import Output, refuse_existing
from nlpkit.scoring.state import STATE, Chunk, State, finished, load

PARTIAL, REJECTS, WHOLE, LOCK = "partial", "rejects", "whole", "lock"

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Journal:
    """What is written for one output. Made by `open_journal`, which holds the lock."""

    def __init__(self, folder: Path, target: Path, state: State) -> None:
        self.folder = folder
        self.target = target
        self.state: State = state

    def commit(self, chunk: Chunk) -> None:
        """Append a chunk and make it safe: after this returns no kill can undo it.

        Raises:
            NlpkitError: the disk is full or fails; what was committed before stays.
        """
        before = self.state
        with disk(self.folder):
            _append(self.folder / PARTIAL, chunk.data, at=before.size)
            _append(self.folder / REJECTS, chunk.rejects, at=before.rejects_size)
            # The order matters: the state may only speak of bytes that are on the disk.
            state = chunk.after(before)
            state.save(self.folder)
        self.state = state

    def finish(
        self, seal: Callable[[Path, Path], Path], rejects: Path | None, record: Path | None = None
    ) -> None:
        """Move the finished output, and the rejects if there are any, into place. Repeating it after a kill
        does no harm.

        Args:
            seal: makes the finished output of all bytes.
            rejects: where rejected rows go.
            record: where the state is kept for good. An output is complete where there is one and no
                unfinished work.

        Raises:
            NlpkitError: the disk is full or fails; the work goes on from here.
        """
        with disk(self.folder):
            if self.state.sealed is None:
                _sync(self.folder / PARTIAL)
                whole = seal(self.folder / PARTIAL, self.folder / WHOLE)
                _sync(whole)
                self.state = self.state.model_copy(update={"sealed": whole.name})
                self.state.save(self.folder)
            if not finished(self.folder):
                self._place_rejects(rejects)
                if record is not None:
                    record.parent.mkdir(parents=True, exist_ok=True)
                    self.state.save(record.parent, record.name)
                os.replace(self.folder / (self.state.sealed or WHOLE), self.target)
                _sync_folder(self.target.parent)
        remove(self.folder)

    def _place_rejects(self, rejects: Path | None) -> None:
        if rejects is None:
            return
        if not self.state.rejected:
            rejects.unlink(missing_ok=True)
            return
        # Copied, not moved: a kill between the two files must leave this step repeatable.
        fresh = self.folder / f"{REJECTS}.new"
        shutil.copyfile(self.folder / REJECTS, fresh)
        _sync(fresh)
        rejects.parent.mkdir(parents=True, exist_ok=True)
        os.replace(fresh, rejects)


@contextmanager
def open_journal(output: Output, target: Path, begin: State, *, overwrite: bool) -> Iterator[Journal]:
    """Open the journal of an output, at the point that the work on it had reached.

    Nothing is left behind when not a single chunk was done, or when the input cannot be read again.

    Raises:
        NlpkitError: another process writes this output, or the disk fails.
        DataError: the input has changed, or the state was damaged.
        RunError: the settings have changed.
    """
    folder = output.folder
    with _locked(folder, target):
        try:
            refuse_existing(output, overwrite=overwrite)
            with disk(folder):
                journal = Journal(folder, target, _resumed(folder, target, begin, overwrite=overwrite))
        except NlpkitError:
            if not (folder / STATE).exists():
                remove(folder)
            raise
        try:
            yield journal
        except BaseException:
            if begin.source is None or not journal.state.read:
                remove(folder)
            raise


def _resumed(folder: Path, target: Path, begin: State, *, overwrite: bool) -> State:
    """Return the state to go on from, with the files cut back to it."""
    try:
        before = load(folder)
        if finished(folder) and not target.exists():
            # Someone took the output away before the folder could go: there is nothing to go on from.
            before = None
        if before is not None:
            before.refuse_other(begin, target)
    except NlpkitError:
        if not overwrite:
            raise
        before = None
    if before is None:
        for name in (STATE, PARTIAL, REJECTS, WHOLE):
            (folder / name).unlink(missing_ok=True)
        before = begin
    # Only the time can differ here: what is noted is the input as it is now.
    state = before.model_copy(update={"source": begin.source})
    if state.sealed is None:
        _cut(folder / PARTIAL, state.size)
        _cut(folder / REJECTS, state.rejects_size)
    return state


def _cut(path: Path, size: int) -> None:
    with path.open("ab") as file:
        if file.tell() < size:
            raise DataError(
                f"{path}: {size:,} bytes were written, but {file.tell():,} are there; "
                "hint: start again with --overwrite"
            )
        file.truncate(size)


def _append(path: Path, data: bytes, *, at: int) -> None:
    with path.open("r+b", buffering=0) as file:
        file.seek(at)
        left = memoryview(data)
        while left:
            left = left[file.write(left) :]
        os.fsync(file.fileno())


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    # Windows has no such call for folders, and no need of it.
    with suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def remove(folder: Path) -> None:
    """Remove the folder of unfinished work, the state last, so that a kill in between is recognized."""
    for name in (PARTIAL, REJECTS, f"{REJECTS}.new", WHOLE, f"{STATE}.new", STATE, LOCK):
        with suppress(OSError):
            (folder / name).unlink()
    with suppress(OSError):
        folder.rmdir()


@contextmanager
def _locked(folder: Path, target: Path) -> Iterator[None]:
    import filelock

    lock = filelock.FileLock(folder / LOCK, timeout=0)
    try:
        with disk(folder):
            folder.mkdir(exist_ok=True)
            lock.acquire()
    except filelock.Timeout as error:
        raise NlpkitError(
            f"{target}: another process is writing it; hint: wait for it to end, or name another file"
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def disk(folder: Path) -> Iterator[None]:
    """Turn a failure of the disk into one message with the path and the free space.

    Raises:
        NlpkitError: something in here could not be written.
    """
    try:
        yield
    except TimeoutError:
        raise  # A lock that is held, not a disk that fails.
    except OSError as error:
        hint = "free some space" if error.errno in _FULL else "put that right"
        raise NlpkitError(
            f"{error.filename or folder}: could not be written: {error.strerror or error}; "
            f"{_free(folder)} bytes are free there; what is done is kept; "
            f"hint: {hint} and run the same command again"
        ) from error


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder if folder.exists() else folder.parent).free:,}"
    except OSError:
        return "unknown"
