"""Locks between threads and processes: who may write, and who answers a conversation.

A killed process releases both.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

from nlpkit.chat.refusals import BusyError
from nlpkit.errors import DataError


class WriteLock:
    """Allows one writer at a time, among the threads of all processes that hold the store open."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._lock = threading.RLock()
        self._file = filelock.FileLock(
            path.with_name(f"{path.name}.lock"),
            timeout=timeout,
            mode=0o600,
            thread_local=False,
            poll_interval=0.005,
        )

    @contextmanager
    def threads(self) -> Iterator[None]:
        """Keep the other threads of this process from the connection."""
        with self._lock:
            yield

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep all other writers out.

        Raises:
            DataError: another process is still writing after the timeout, or the lock file cannot be created.
        """
        with self._lock:
            try:
                self._file.acquire()
            except filelock.Timeout as error:
                raise DataError(
                    f"{self._path}: another program is writing to this store; hint: try again in a moment"
                ) from error
            except OSError as error:
                reason = f"no lock file can be created next to it ({error.strerror})"
                raise DataError(
                    f"{self._path}: cannot be written: {reason}; hint: make the folder writable"
                ) from error
            try:
                yield
            finally:
                self._file.release()


class ReplyLock:
    """The right to answer one conversation. `release` may be called more than once and from any thread."""

    def __init__(self, folder: Path, chat: str) -> None:
        """Acquire the lock.

        Raises:
            BusyError: somebody else holds it.
            DataError: the folder of the lock files cannot be written.
        """
        self._path = folder / f"{chat}.lock"
        self._guard = threading.Lock()
        self._file = filelock.FileLock(self._path, timeout=0, mode=0o600, thread_local=False)
        try:
            folder.mkdir(mode=0o700, exist_ok=True)
            self._file.acquire()
        except filelock.Timeout as error:
            raise BusyError(
                f"conversation {chat}: a reply is being written; hint: wait until it ends, or stop it"
            ) from error
        except OSError as error:
            raise DataError(
                f"{folder}: no lock file can be created here ({error.strerror}); "
                "hint: give yourself write permission for the folder"
            ) from error

    def release(self) -> None:
        """Release the lock."""
        with self._guard:
            if self._file.is_locked:
                # Removed while held, so that nobody can acquire a file that is about to be deleted
                with contextlib.suppress(OSError):
                    os.unlink(self._path)
                self._file.release()

    def __enter__(self) -> ReplyLock:
        """Return the lock itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Release the lock."""
        self.release()
